/** Metrics, parameters and tags of runs: one at a time, or a batch that counts together or not at all. */
import { sql } from 'kysely';
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import type { ValuesLogged } from '../../../schemas/events.ts';
import { metricAnswer, filled } from '../run-answers.ts';
import { Paging } from '../search/pages.ts';
import type { Tracking } from '../tracking.ts';
import type { TrackingRows } from '../tables.ts';
import type { Room } from './calls.ts';
import { checkKey, limits, pairOf, pairsOf, runIdOf } from './checks.ts';
import type { Fields } from './fields.ts';

type Metric = ValuesLogged['metrics'][number];
type Values = Partial<Pick<ValuesLogged, 'metrics' | 'params' | 'tags' | 'removedTags'>>;

export function values({ read, log, tracking }: Room): void {
  log('POST', '/mlflow/runs/log-metric', async ({ fields, operation: { actor } }) => {
    await logValues(tracking, runIdOf(fields), { metrics: [metricOf(fields)] }, actor);
    return {};
  });

  log('POST', '/mlflow/runs/log-parameter', async ({ fields, operation: { actor } }) => {
    const { key, value } = pairOf(fields, 'Parameter', limits.paramValue);
    await logValues(tracking, runIdOf(fields), { params: { [key]: value } }, actor);
    return {};
  });

  log('POST', '/mlflow/runs/set-tag', async ({ fields, operation: { actor } }) => {
    const { key, value } = pairOf(fields, 'Tag', limits.tagValue);
    await logValues(tracking, runIdOf(fields), { tags: { [key]: value } }, actor);
    return {};
  });

  log('POST', '/mlflow/runs/delete-tag', async ({ fields, operation: { actor } }) => {
    const runId = runIdOf(fields);
    const key = fields.text('key');
    await tracking.activeRun(runId);
    const database = await tracking.fresh('tracking');
    const tag = database.selectFrom('tags').select('key').where('run_id', '=', runId).where('key', '=', key);
    if ((await tag.executeTakeFirst()) === undefined) {
      throw new MillraceError('NOT_FOUND', `No tag with name: ${key} in run with id ${runId}`);
    }
    await logValues(tracking, runId, { removedTags: [key] }, actor);
    return {};
  });

  log('POST', '/mlflow/runs/log-batch', async ({ fields, operation: { actor } }) => {
    const runId = runIdOf(fields);
    const batch = batchOf(fields);
    if (batch !== undefined) await logValues(tracking, runId, batch, actor);
    else await tracking.activeRun(runId);
    return {};
  });

  read('GET', '/mlflow/metrics/get-history', async ({ fields }) => await history(tracking, fields));
  read('GET', '/mlflow/metrics/get-history-bulk-interval', async ({ fields }) => await histories(tracking, fields));
}

async function logValues(tracking: Tracking, runId: string, given: Values, actor: string): Promise<void> {
  const run = await tracking.activeRun(runId);
  const { metrics = [], params = {}, tags = {}, removedTags = [] } = given;
  const data = { runId, experimentId: run.experiment_id, metrics, params, tags, removedTags, actor };
  const event = { topic: 'tracking', type: 'values-logged', data, key: runId } as const;
  const name = tags['mlflow.runName'];
  const renamed = { runId, status: null, endTime: null, name: name ?? null, lifecycle: null, actor };
  const events =
    name === undefined
      ? [event]
      : [event, { topic: 'tracking', type: 'run-changed', data: renamed, key: runId } as const];
  if (Object.keys(params).length === 0) {
    await tracking.publish(events);
    return;
  }
  await tracking.inTurn.run(runId, async () => {
    await checkParams(tracking, runId, params);
    if (!tracking.shared) await tracking.publish(events);
    else {
      // Another gateway may have logged the same key in the same moment: the first on the log is what counts.
      await tracking.written(events);
      await checkParams(tracking, runId, params);
    }
  });
}

/** A parameter has one value for ever; to log that one again is no fault. */
async function checkParams(tracking: Tracking, runId: string, params: Readonly<Record<string, string>>): Promise<void> {
  const database = await tracking.fresh('tracking');
  const known = await database
    .selectFrom('params')
    .select(['key', 'value'])
    .where('run_id', '=', runId)
    .where('key', 'in', Object.keys(params))
    .execute();
  const changed = known.filter(({ key, value }) => params[key] !== value);
  if (changed.length === 0) return;
  const said = changed.map(
    ({ key, value }) => `{'key': '${key}', 'old_value': '${value}', 'new_value': '${params[key]}'}`,
  );
  throw invalidArgument(
    `Changing param values is not allowed. Params were already logged='[${said.join(', ')}]' for run ID='${runId}'.`,
  );
}

function metricOf(fields: Fields): Metric {
  const timestamp = fields.integer('timestamp');
  if (timestamp === undefined) throw invalidArgument("Missing value for required parameter 'timestamp'.");
  if (timestamp < 0)
    throw invalidArgument(`Got invalid timestamp ${timestamp} for metric: it must be a nonnegative integer.`);
  return {
    key: checkKey(fields.text('key'), 'Metric'),
    value: fields.double('value'),
    timestamp,
    step: fields.integer('step') ?? 0,
    modelId: fields.optional('model_id') ?? null,
    datasetName: fields.optional('dataset_name') ?? null,
    datasetDigest: fields.optional('dataset_digest') ?? null,
  };
}

function batchOf(fields: Fields): Values | undefined {
  const given = { metrics: fields.objects('metrics'), params: fields.objects('params'), tags: fields.objects('tags') };
  const counts = { metrics: limits.metricsPerBatch, params: limits.paramsPerBatch, tags: limits.tagsPerBatch };
  for (const kind of ['metrics', 'params', 'tags'] as const) {
    if (given[kind].length > counts[kind]) {
      throw invalidArgument(
        `A batch logging request can contain at most ${counts[kind]} ${kind}. Got ${given[kind].length} ${kind}.`,
      );
    }
  }
  const total = given.metrics.length + given.params.length + given.tags.length;
  if (total > limits.entitiesPerBatch) {
    throw invalidArgument(
      `A batch logging request can contain at most ${limits.entitiesPerBatch} metrics, params and tags. Got ${total}.`,
    );
  }
  if (total === 0) return undefined;
  const params: Record<string, string> = {};
  for (const { key, value } of given.params.map((param) => pairOf(param, 'Parameter', limits.paramValue))) {
    if (Object.hasOwn(params, key) && params[key] !== value) {
      throw invalidArgument(
        `Duplicate parameter keys have been submitted: ${key}. Please ensure the request contains only one param value per param key.`,
      );
    }
    params[key] = value;
  }
  return { metrics: given.metrics.map(metricOf), params, tags: pairsOf(given.tags, 'Tag', limits.tagValue) };
}

type Point = TrackingRows['metric_points'];

/** By time, step and value: the order that its table is kept in, so every page costs the same. */
async function history(tracking: Tracking, fields: Fields): Promise<object> {
  const { id } = await tracking.run(runIdOf(fields));
  const key = fields.text('metric_key');
  const max = fields.has('max_results') ? fields.maxResults(1, pointsMax) : pointsMax;
  const paging = new Paging(
    ['timestamp', 'step', 'value', 'is_nan'].map((column) => ({
      value: sql.ref(column),
      type: 'number',
      nullable: false,
      descending: false,
    })),
    `${id}/${key}`,
    fields.optional('page_token') ?? '',
  );
  const database = await tracking.fresh('tracking');
  const { rows } = await sql<Point>`select metric_points.*, ${paging.columns()} from metric_points
    where run_id = ${id} and key = ${key} and ${paging.condition()} order by ${paging.order()} limit ${max + 1}`.execute(
    database,
  );
  const page = paging.page(rows, max);
  return filled({
    metrics: page.rows.map(metricAnswer),
    ...(page.token === '' ? {} : { next_page_token: page.token }),
  });
}

const pointsMax = 25_000;
const chartRunsMax = 100;

/** For charts: so many points of each run, evenly over its steps. */
async function histories(tracking: Tracking, fields: Fields): Promise<object> {
  const ids = fields.texts('run_ids');
  if (ids.length === 0 || ids.length > chartRunsMax) throw invalidArgument(`run_ids takes 1 to ${chartRunsMax} ids`);
  const key = fields.text('metric_key');
  const max = fields.maxResults(2_500, 2_500);
  const [from, to] = [fields.integer('start_step'), fields.integer('end_step')];
  if (from !== undefined && to !== undefined && from > to)
    throw invalidArgument('end_step must not be below start_step');
  const database = await tracking.fresh('tracking');
  const metrics: object[] = [];
  for (const id of ids) {
    let query = database.selectFrom('metric_points').selectAll().where('run_id', '=', id).where('key', '=', key);
    if (from !== undefined) query = query.where('step', '>=', from);
    if (to !== undefined) query = query.where('step', '<=', to);
    const points = await query.orderBy('step').orderBy('timestamp').limit(chartPointsMax).execute();
    const every = Math.max(1, Math.ceil(points.length / max));
    const shown = points.filter((_, index) => index % every === 0 || index === points.length - 1);
    metrics.push(...shown.map((point) => ({ ...metricAnswer(point), run_id: id })));
  }
  return filled({ metrics });
}

const chartPointsMax = 1_000_000;
