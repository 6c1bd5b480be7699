/** Datasets and logged models that runs read and made. */
import { invalidArgument } from '../../../runtime/ports/errors.ts';
import type { InputsLogged } from '../../../schemas/events.ts';
import { filled } from '../run-answers.ts';
import type { Tracking } from '../tracking.ts';
import type { Room } from './calls.ts';
import { checkLength, idIn, limits, pairsOf, runIdOf } from './checks.ts';
import type { Fields } from './fields.ts';

const datasetsMax = 1_000;
const experimentsMax = 20;
const sourceMax = 65_535;
const modelJsonMax = 64 * 1024;

export function inputs({ log, read, tracking }: Room): void {
  read('POST', '/mlflow/experiments/search-datasets', async ({ fields }) => {
    const experimentIds = fields.texts('experiment_ids');
    if (experimentIds.length === 0 || experimentIds.length > experimentsMax) {
      throw invalidArgument(`experiment_ids takes 1 to ${experimentsMax} ids`);
    }
    const database = await tracking.fresh('tracking', 'experiments');
    const rows = await database
      .selectFrom('datasets')
      .innerJoin('runs', 'runs.id', 'datasets.run_id')
      .innerJoin('experiments', 'experiments.id', 'runs.experiment_id')
      .select(['runs.experiment_id', 'datasets.name', 'datasets.digest', 'datasets.context'])
      .distinct()
      .where('runs.experiment_id', 'in', experimentIds)
      .where('runs.lifecycle', '=', 'active')
      .where('experiments.lifecycle', '=', 'active')
      .orderBy('datasets.name')
      .orderBy('datasets.digest')
      .limit(datasetsMax)
      .execute();
    const dataset_summaries = rows.map(({ context, ...row }) => (context === '' ? row : { ...row, context }));
    return filled({ dataset_summaries });
  });

  log('POST', '/mlflow/runs/log-inputs', async ({ fields, operation: { actor } }) => {
    const datasets = fields.objects('datasets').map(datasetOf);
    if (datasets.length > datasetsMax)
      throw invalidArgument(`datasets takes ${datasetsMax} at most, got ${datasets.length}`);
    const models = fields.objects('models').map((model) => idIn(model, 'model_id'));
    await logInputs(tracking, runIdOf(fields), { datasets, models }, actor);
    return {};
  });

  log('POST', '/mlflow/runs/outputs', async ({ fields, operation: { actor } }) => {
    const outputs = fields
      .objects('models')
      .map((model) => ({ modelId: idIn(model, 'model_id'), step: model.integer('step') ?? 0 }));
    await logInputs(tracking, runIdOf(fields), { outputs }, actor);
    return {};
  });

  // Of 2.x clients: what they know of a model is kept in a tag, as MLflow does.
  log('POST', '/mlflow/runs/log-model', async ({ fields, operation: { actor } }) => {
    const runId = runIdOf(fields);
    const model = modelOf(fields.text('model_json'));
    await tracking.inTurn.run(runId, async () => {
      const { experiment_id: experimentId } = await tracking.activeRun(runId);
      const database = await tracking.fresh('tracking');
      const known = await database
        .selectFrom('tags')
        .select('value')
        .where('run_id', '=', runId)
        .where('key', '=', historyTag)
        .executeTakeFirst();
      const models = [...(known === undefined ? [] : (JSON.parse(known.value) as object[])), model];
      const tags = { [historyTag]: JSON.stringify(models) };
      const data = { runId, experimentId, metrics: [], params: {}, tags, removedTags: [], actor };
      await tracking.publish([{ topic: 'tracking', type: 'values-logged', data, key: runId }]);
    });
    return {};
  });
}

const historyTag = 'mlflow.log-model.history';

async function logInputs(
  tracking: Tracking,
  runId: string,
  { datasets = [], models = [], outputs = [] }: Partial<Pick<InputsLogged, 'datasets' | 'models' | 'outputs'>>,
  actor: string,
): Promise<void> {
  const { experiment_id: experimentId } = await tracking.activeRun(runId);
  if (datasets.length + models.length + outputs.length === 0) return;
  const data = { runId, experimentId, datasets, models, outputs, actor };
  await tracking.publish([{ topic: 'tracking', type: 'inputs-logged', data, key: runId }]);
}

function datasetOf(fields: Fields): InputsLogged['datasets'][number] {
  const dataset = fields.object('dataset');
  return {
    name: checkLength(dataset.text('name'), 500, 'Dataset name'),
    digest: checkLength(dataset.text('digest'), 36, 'Dataset digest'),
    sourceType: dataset.text('source_type'),
    source: checkLength(dataset.text('source'), sourceMax, 'Dataset source'),
    schema: dataset.optional('schema') ?? null,
    profile: dataset.optional('profile') ?? null,
    tags: pairsOf(fields.objects('tags'), 'Dataset tag', limits.tagValue),
  };
}

function modelOf(json: string): object {
  checkLength(json, modelJsonMax, 'model_json');
  let model: unknown;
  try {
    model = JSON.parse(json);
  } catch {
    throw invalidArgument('model_json must be JSON: the content of an MLmodel file');
  }
  const needed = ['flavors', 'artifact_path', 'utc_time_created', 'run_id'];
  const missing = needed.filter((name) => typeof model !== 'object' || model === null || !(name in model));
  if (missing.length > 0) throw invalidArgument(`model_json is missing mandatory fields: ${missing.join(', ')}`);
  return model as object;
}
