/** Runs, logged models and versions that come from another server under the ids and numbers that they have there; the rest is logged as always. */
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import type { Tracking } from '../tracking.ts';
import type { Room } from './calls.ts';
import { cut, idIn, limits, pairsOf, runIdOf } from './checks.ts';
import type { Fields } from './fields.ts';
import { registerVersion } from './registry.ts';

const base = '/api/v1/imports';

export function imports(room: Room): void {
  const { write, tracking } = room;

  write('POST', `${base}/runs`, 'run.import', async ({ fields, operation: { actor } }) => {
    const runId = runIdOf(fields);
    const experiment = await tracking.experiment(idIn(fields, 'experiment_id'));
    const known = await knownRun(tracking, runId);
    if (known !== undefined) {
      if (known.experiment_id === experiment.id) return { run_id: runId, created: false };
      throw new MillraceError('CONFLICT', `run ${runId} is there, in experiment ${known.experiment_id}`);
    }
    const name = cut(fields.text('run_name'), limits.tagValue);
    const data = {
      runId,
      experimentId: experiment.id,
      name,
      userId: fields.optional('user_id') ?? actor,
      status: 'RUNNING',
      artifactUri: `mlflow-artifacts:/${experiment.id}/${runId}/artifacts`,
      startTime: timeOf(fields, 'start_time'),
      tags: { 'mlflow.runName': name },
      actor,
    };
    await tracking.written([{ topic: 'tracking', type: 'run-begun', data, key: runId }]);
    return { run_id: runId, created: true };
  });

  write('POST', `${base}/logged-models`, 'logged-model.import', async ({ fields, operation: { actor } }) => {
    const modelId = idIn(fields, 'model_id');
    if (!/^m-[\w-]{1,200}$/.test(modelId)) throw invalidArgument(`Invalid model_id: '${modelId}': it begins with m-`);
    const experiment = await tracking.experiment(idIn(fields, 'experiment_id'));
    const database = await tracking.fresh('tracking');
    const known = await database.selectFrom('logged_models').select('id').where('id', '=', modelId).executeTakeFirst();
    if (known !== undefined) return { model_id: modelId, created: false };
    const data = {
      modelId,
      experimentId: experiment.id,
      name: cut(fields.text('name'), limits.experimentName),
      modelType: fields.optional('model_type') ?? '',
      sourceRunId: fields.has('source_run_id') ? idIn(fields, 'source_run_id') : '',
      artifactUri: `mlflow-artifacts:/${experiment.id}/models/${modelId}/artifacts`,
      tags: pairsOf(fields.objects('tags'), 'Tag', limits.tagValue),
      params: pairsOf(fields.objects('params'), 'Parameter', limits.paramValue),
      actor,
    };
    await tracking.written([{ topic: 'tracking', type: 'model-logged', data, key: modelId }]);
    return { model_id: modelId, created: true };
  });

  write('POST', `${base}/model-versions`, 'model.import', async (call) => {
    const number = call.fields.integer('version');
    if (number === undefined || number < 1 || number >= 2 ** 31)
      throw invalidArgument('version must be a whole number from 1 on');
    return await registerVersion(room, call, number);
  });
}

async function knownRun(tracking: Tracking, id: string) {
  const database = await tracking.fresh('tracking');
  return await database.selectFrom('runs').select(['id', 'experiment_id']).where('id', '=', id).executeTakeFirst();
}

function timeOf(fields: Fields, name: string): number {
  const time = fields.integer(name);
  if (time === undefined) throw invalidArgument(`Missing value for required parameter '${name}'.`);
  return time;
}
