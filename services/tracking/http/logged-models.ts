/** Logged models of 3.x clients: made before their files are uploaded, then marked ready. */
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import type { ModelChanged } from '../../../schemas/events.ts';
import { filled, metricAnswer } from '../run-answers.ts';
import { runName } from '../run-name.ts';
import { loggedModelDomain, type MetricDataset } from '../search/domains.ts';
import { searchPage } from '../search/search.ts';
import type { LoggedModelRow, Tracking } from '../tracking.ts';
import type { TrackingRows } from '../tables.ts';
import type { Room } from './calls.ts';
import { checkLength, idIn, limits, pairsOf } from './checks.ts';
import type { Fields } from './fields.ts';
import { directory } from './listing.ts';

const statuses = ['LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED'];
/** As the protocol numbers them: some clients say the number. */
const statusNames: Readonly<Record<string, string>> = {
  1: 'LOGGED_MODEL_PENDING',
  2: 'LOGGED_MODEL_READY',
  3: 'LOGGED_MODEL_UPLOAD_FAILED',
};

export function loggedModels({ read, log, tracking }: Room): void {
  log('POST', '/mlflow/logged-models', async ({ fields, operation: { actor } }) => {
    const experiment = await tracking.experiment(idIn(fields, 'experiment_id'));
    if (experiment.lifecycle !== 'active') throw invalidArgument(`The experiment ${experiment.id} is deleted`);
    const modelId = `m-${tracking.runtime.parts.ids.next()}`;
    const given = fields.optional('name') ?? '';
    const name = given === '' ? runName(modelId) : checkLength(given, limits.experimentName, 'Model name');
    if (/[/:.%"']/.test(name))
      throw invalidArgument(`Invalid model name ('${name}'): it must not hold any of / : . % " '`);
    const data = {
      modelId,
      experimentId: experiment.id,
      name,
      modelType: fields.optional('model_type') ?? '',
      sourceRunId: fields.has('source_run_id') ? idIn(fields, 'source_run_id') : '',
      artifactUri: `${experiment.artifact_location}/models/${modelId}/artifacts`,
      tags: pairsOf(fields.objects('tags'), 'Tag', limits.tagValue),
      params: pairsOf(fields.objects('params'), 'Parameter', limits.paramValue),
      actor,
    };
    const database = await tracking.written([{ topic: 'tracking', type: 'model-logged', data, key: modelId }]);
    return { model: await shown(database, await loggedModelOf(database, modelId)) };
  });

  read('GET', '/mlflow/logged-models/:model_id', async ({ fields }) => {
    const database = await tracking.fresh('tracking', 'registry');
    return { model: await shown(database, await loggedModelOf(database, idIn(fields, 'model_id'))) };
  });

  const change = async (fields: Fields, actor: string, changes: Partial<ModelChanged>): Promise<object> => {
    const modelId = idIn(fields, 'model_id');
    await loggedModelOf(await tracking.fresh('tracking'), modelId);
    const nothing = { status: null, params: {}, tags: {}, removedTags: [], deleted: false };
    const data = { ...nothing, ...changes, modelId, actor };
    const database = await tracking.written([{ topic: 'tracking', type: 'model-changed', data, key: modelId }]);
    if (data.deleted) return {};
    return { model: await shown(database, await loggedModelOf(database, modelId)) };
  };

  log('PATCH', '/mlflow/logged-models/:model_id', ({ fields, operation: { actor } }) =>
    change(fields, actor, { status: statusOf(fields) }),
  );
  log('DELETE', '/mlflow/logged-models/:model_id', async ({ fields, operation: { actor } }) => {
    const { lifecycle } = await anyLoggedModel(await tracking.fresh('tracking'), idIn(fields, 'model_id'));
    // As MLflow has it, one that is deleted may be deleted.
    return lifecycle === 'active' ? await change(fields, actor, { deleted: true }) : {};
  });
  log('PATCH', '/mlflow/logged-models/:model_id/tags', ({ fields, operation: { actor } }) =>
    change(fields, actor, { tags: pairsOf(fields.objects('tags'), 'Tag', limits.tagValue) }),
  );
  log('DELETE', '/mlflow/logged-models/:model_id/tags/:tag_key', async ({ fields, operation: { actor } }) => {
    const [modelId, key] = [idIn(fields, 'model_id'), fields.text('tag_key')];
    const database = await tracking.fresh('tracking');
    const tags = database.selectFrom('logged_model_tags').select('key').where('model_id', '=', modelId);
    if ((await tags.where('key', '=', key).executeTakeFirst()) === undefined)
      throw new MillraceError('NOT_FOUND', `No tag with key '${key}' found for model with ID '${modelId}'.`);
    return await change(fields, actor, { removedTags: [key] });
  });
  log('POST', '/mlflow/logged-models/:model_id/params', async ({ fields, operation: { actor } }) => {
    const modelId = idIn(fields, 'model_id');
    const params = pairsOf(fields.objects('params'), 'Parameter', limits.paramValue);
    await tracking.inTurn.run(modelId, async () => {
      const database = await tracking.fresh('tracking');
      const known = await database
        .selectFrom('logged_model_params')
        .select(['key', 'value'])
        .where('model_id', '=', modelId)
        .execute();
      const changed = known.find(({ key, value }) => Object.hasOwn(params, key) && params[key] !== value);
      if (changed !== undefined)
        throw invalidArgument(
          `Changing param values is not allowed. Param '${changed.key}' of model '${modelId}' is '${changed.value}'.`,
        );
      await change(fields, actor, { params });
    });
    return {};
  });
  read('POST', '/mlflow/logged-models/search', async ({ fields }) => await search(tracking, fields));
  read('GET', '/mlflow/logged-models/:model_id/artifacts/directories', async ({ fields }) => {
    const database = await tracking.fresh('tracking');
    const { id, artifact_uri } = await loggedModelOf(database, idIn(fields, 'model_id'));
    const path = fields.optional('artifact_directory_path') ?? '';
    return filled({ root_uri: artifact_uri, files: await directory(database, id, path, path) });
  });
}

/** NOT_FOUND for one that is deleted, too. */
export async function loggedModelOf(database: Kysely<TrackingRows>, id: string): Promise<LoggedModelRow> {
  const row = await anyLoggedModel(database, id);
  if (row.lifecycle === 'active') return row;
  throw new MillraceError('NOT_FOUND', `Logged model with ID '${id}' not found: it is deleted.`);
}

async function anyLoggedModel(database: Kysely<TrackingRows>, id: string): Promise<LoggedModelRow> {
  const row = await database.selectFrom('logged_models').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new MillraceError('NOT_FOUND', `Logged model with ID '${id}' not found.`);
  return row;
}

async function search(tracking: Tracking, fields: Fields): Promise<object> {
  const experimentIds = fields.texts('experiment_ids');
  const max = fields.maxResults(50, 50_000);
  const orders = fields.objects('order_by');
  const database = await tracking.fresh('tracking', 'registry');
  const { rows, token } = await searchPage<LoggedModelRow>(database, {
    domain: loggedModelDomain(
      fields.objects('datasets').map((dataset) => datasetOf(dataset.text('dataset_name'), dataset)),
      orders.map((order) => datasetOf(order.optional('dataset_name') ?? '', order)),
    ),
    table: 'logged_models',
    filter: fields.optional('filter') ?? '',
    orderBy: orders.map((order) => {
      const direction = order.has('ascending') && !order.flag('ascending') ? 'DESC' : 'ASC';
      return `${order.text('field_name')} ${direction}`;
    }),
    defaultOrder: [
      { value: sql.ref('logged_models.created_ms'), type: 'number', nullable: false, descending: true },
      { value: sql.ref('logged_models.id'), type: 'text', nullable: false, descending: false },
    ],
    where: [
      experimentIds.length === 0 ? sql`1 = 0` : sql`logged_models.experiment_id in (${sql.join(experimentIds)})`,
      sql`logged_models.lifecycle = 'active'`,
    ],
    pageToken: fields.optional('page_token') ?? '',
    max,
  });
  const models: object[] = [];
  for (const row of rows) models.push(await shown(database, row));
  return filled({ models, ...(token === '' ? {} : { next_page_token: token }) });
}

function datasetOf(name: string, fields: Fields): MetricDataset {
  return { name, digest: fields.optional('dataset_digest') ?? '' };
}

async function shown(database: Kysely<TrackingRows>, row: LoggedModelRow): Promise<object> {
  const [tags, params, metrics, registrations] = await Promise.all([
    database.selectFrom('logged_model_tags').select(['key', 'value']).where('model_id', '=', row.id).execute(),
    database.selectFrom('logged_model_params').select(['key', 'value']).where('model_id', '=', row.id).execute(),
    database.selectFrom('logged_model_metrics').selectAll().where('model_id', '=', row.id).execute(),
    database.selectFrom('model_versions').select(['name', 'version']).where('model_id', '=', row.id).execute(),
  ]);
  return {
    info: filled({
      model_id: row.id,
      experiment_id: row.experiment_id,
      name: row.name,
      creation_timestamp_ms: row.created_ms,
      last_updated_timestamp_ms: row.updated_ms,
      artifact_uri: row.artifact_uri,
      status: row.status,
      model_type: row.model_type,
      source_run_id: row.source_run_id,
      tags,
      registrations: registrations.map(({ name, version }) => ({ name, version: String(version) })),
    }),
    data: filled({
      params,
      metrics: metrics.map((metric) => ({
        ...metricAnswer(metric),
        model_id: row.id,
        run_id: metric.run_id,
        ...(metric.dataset_name === ''
          ? {}
          : { dataset_name: metric.dataset_name, dataset_digest: metric.dataset_digest }),
      })),
    }),
  };
}

function statusOf(fields: Fields): string {
  const said = fields.has('status') ? String(fields.all()['status']) : '';
  const status = statusNames[said] ?? said;
  if (statuses.includes(status)) return status;
  throw invalidArgument(`Invalid status '${said.slice(0, 40)}': it must be one of ${statuses.join(', ')}`);
}
