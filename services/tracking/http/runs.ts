/** Runs: begun, shown, searched, changed. */
import { type RawBuilder, sql, type SqlBool } from 'kysely';
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import { runIdOfKey } from '../../../schemas/derived-ids.ts';
import { deletedExperiments } from '../deleted-experiments.ts';
import { runAnswers, filled, runInfo } from '../run-answers.ts';
import { runName } from '../run-name.ts';
import { runDomain } from '../search/domains.ts';
import { searchPage } from '../search/search.ts';
import type { RunRow, Tracking } from '../tracking.ts';
import type { Call, Room } from './calls.ts';
import { checkLength, cut, idIn, limits, pairsOf, runIdOf } from './checks.ts';
import { lifecyclesOf } from './experiments.ts';
import type { Fields } from './fields.ts';

const statuses = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'];
const nameTag = 'mlflow.runName';
const experimentsMax = 10_000;

export function runs({ read, log, tracking }: Room): void {
  log('POST', '/mlflow/runs/create', async (call) => ({ run: await begin(tracking, call) }));

  read('GET', '/mlflow/runs/get', async ({ fields }) => {
    const id = runIdOf(fields);
    const database = await tracking.fresh('tracking', 'experiments');
    const row = await database.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new MillraceError('NOT_FOUND', `Run with id=${id} not found`);
    tracking.remember(row);
    return { run: (await runAnswers(database, [row]))[0] };
  });

  log('POST', '/mlflow/runs/update', async ({ fields, operation: { actor } }) => {
    const { id: runId, experiment_id: experimentId, flow } = await tracking.activeRun(runIdOf(fields));
    // How a run of a flow goes is for the flow to say: the end of one client is not the end of the run.
    const own = flow === '';
    const status = own ? statusOf(fields) : undefined;
    const name = fields.optional('run_name');
    const changed = {
      runId,
      status: status ?? null,
      endTime: own ? (fields.integer('end_time') ?? null) : null,
      name: name === undefined || name === '' ? null : checkLength(name, limits.tagValue, 'Run name'),
      lifecycle: null,
      actor,
    };
    const named = changed.name === null ? [] : [nameTagged(runId, experimentId, changed.name, actor)];
    tracking.forget(runId);
    const database = await tracking.written([
      { topic: 'tracking', type: 'run-changed', data: changed, key: runId },
      ...named,
    ]);
    const row = await database.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    tracking.remember(row);
    return { run_info: runInfo(row) };
  });

  const lifecycle = (path: string, to: 'active' | 'deleted'): void => {
    log('POST', `/mlflow/runs/${path}`, async ({ fields, operation: { actor } }) => {
      const { id: runId } = await tracking.run(runIdOf(fields));
      const data = { runId, status: null, endTime: null, name: null, lifecycle: to, actor };
      tracking.forget(runId);
      await tracking.written([{ topic: 'tracking', type: 'run-changed', data, key: runId }]);
      tracking.forget(runId);
      return {};
    });
  };
  lifecycle('delete', 'deleted');
  lifecycle('restore', 'active');

  read('POST', '/mlflow/runs/search', async ({ fields }) => await search(tracking, fields));
}

async function begin(tracking: Tracking, { fields, operation, request }: Call): Promise<object> {
  const experiment = await tracking.experiment(fields.has('experiment_id') ? idIn(fields, 'experiment_id') : '0');
  if (experiment.lifecycle !== 'active') {
    throw invalidArgument(`The experiment ${experiment.id} must be in the 'active' state. Current state is deleted.`);
  }
  const { clock, ids } = tracking.runtime.parts;
  // The caller's key makes a repeat the same run.
  const runId = request.headers['idempotency-key'] === undefined ? ids.next() : runIdOfKey(operation.requestId);
  const tags = pairsOf(fields.objects('tags'), 'Tag', limits.tagValue);
  const given = fields.optional('run_name') ?? '';
  const tagged = tags[nameTag] ?? '';
  if (given !== '' && tagged !== '' && given !== tagged) {
    throw invalidArgument(
      `Both 'run_name' argument and '${nameTag}' tag are specified, but with different values (run_name='${given}', ${nameTag}='${tagged}').`,
    );
  }
  const name = cut(given || tagged || runName(runId), limits.tagValue);
  const data = {
    runId,
    experimentId: experiment.id,
    name,
    userId: fields.optional('user_id') ?? tags['mlflow.user'] ?? operation.actor,
    status: 'RUNNING',
    artifactUri: `${experiment.artifact_location}/${runId}/artifacts`,
    startTime: fields.integer('start_time') ?? clock.now(),
    tags: { ...tags, [nameTag]: name },
    actor: operation.actor,
  };
  await tracking.publish([{ topic: 'tracking', type: 'run-begun', data, key: runId }]);
  const row: RunRow = {
    id: runId,
    experiment_id: data.experimentId,
    name,
    user_id: data.userId,
    status: data.status,
    start_ms: data.startTime,
    end_ms: null,
    lifecycle: 'active',
    artifact_uri: data.artifactUri,
    flow: '',
  };
  tracking.remember(row);
  const shown = Object.entries(data.tags).map(([key, value]) => ({ key, value }));
  return { info: runInfo(row), data: filled({ tags: shown }), inputs: {} };
}

async function search(tracking: Tracking, fields: Fields): Promise<object> {
  const max = fields.maxResults(1_000, 50_000);
  const experimentIds = fields.texts('experiment_ids');
  if (experimentIds.length > experimentsMax) throw invalidArgument(`experiment_ids takes ${experimentsMax} at most`);
  const lifecycles = lifecyclesOf(fields, 'run_view_type');
  const database = await tracking.fresh('tracking', 'experiments');
  const gone = await deletedExperiments(database, experimentIds);
  const { rows, token } = await searchPage<RunRow>(database, {
    domain: runDomain,
    table: 'runs',
    filter: fields.optional('filter') ?? '',
    orderBy: fields.texts('order_by'),
    defaultOrder: [
      { value: sql.ref('runs.start_ms'), type: 'number', nullable: false, descending: true },
      { value: sql.ref('runs.id'), type: 'text', nullable: false, descending: false },
    ],
    where: [
      experimentIds.length === 0 ? sql`1 = 0` : sql`runs.experiment_id in (${sql.join(experimentIds)})`,
      inView(lifecycles, [...gone]),
    ],
    pageToken: fields.optional('page_token') ?? '',
    max,
    scope: experimentIds,
  });
  return filled({ runs: await runAnswers(database, rows), ...(token === '' ? {} : { next_page_token: token }) });
}

/** With an experiment its runs are deleted. */
function inView(lifecycles: readonly string[], gone: readonly string[]): RawBuilder<SqlBool> {
  const own = sql<SqlBool>`runs.lifecycle in (${sql.join(lifecycles)})`;
  if (gone.length === 0) return own;
  const withIt = sql<SqlBool>`runs.experiment_id in (${sql.join(gone)})`;
  return lifecycles.includes('deleted') ? sql`(${own} or ${withIt})` : sql`(${own} and not ${withIt})`;
}

function statusOf(fields: Fields): string | undefined {
  const status = fields.optional('status');
  if (status === undefined || statuses.includes(status)) return status;
  throw invalidArgument(`Invalid status '${status.slice(0, 40)}': it must be one of ${statuses.join(', ')}`);
}

/** The name is a tag, too. */
function nameTagged(runId: string, experimentId: string, name: string, actor: string) {
  const data = { runId, experimentId, metrics: [], params: {}, tags: { [nameTag]: name }, removedTags: [], actor };
  return { topic: 'tracking', type: 'values-logged', data, key: runId } as const;
}
