/** Experiments: created, found, searched, changed. */
import { randomInt } from 'node:crypto';
import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import { idOf } from '../../../schemas/derived-ids.ts';
import { experimentOfFlow, flowOfExperiment } from '../../../schemas/flow-experiment.ts';
import { filled } from '../run-answers.ts';
import { experimentDomain } from '../search/domains.ts';
import { searchPage } from '../search/search.ts';
import type { ExperimentRow, Tracking } from '../tracking.ts';
import type { TrackingRows } from '../tables.ts';
import type { Call, Room } from './calls.ts';
import { checkKey, checkLength, idIn, limits, pairsOf } from './checks.ts';
import type { Fields } from './fields.ts';

export function experiments(room: Room): void {
  const { read, write, tracking, gateway } = room;

  write('POST', '/mlflow/experiments/create', 'experiment.create', async ({ fields, request, operation }) => {
    const name = checkLength(fields.text('name'), limits.experimentName, 'Experiment name');
    const tags = pairsOf(fields.objects('tags'), 'Experiment tag', limits.experimentTagValue);
    const flow = flowOfExperiment(name);
    const keyed = request.headers['idempotency-key'] !== undefined;
    const own = keyed ? keyedExperimentId(operation.requestId) : newExperimentId();
    const experimentId = flow === undefined ? own : experimentOfFlow(flow).id;
    const artifactLocation = locationOf(fields, experimentId);
    const { requestId, actor } = operation;
    const data = { experimentId, requestId, name, artifactLocation, tags, actor };
    await gateway.decisions.ask('experiment-created', experimentId, requestId, () =>
      gateway.operations.publish(request, operation, experimentId, [
        { topic: 'experiments', type: 'experiment-requested', data, key: experimentId, id: requestId },
      ]),
    );
    return { experiment_id: experimentId };
  });

  read('GET', '/mlflow/experiments/get', async ({ fields }) => {
    const database = await tracking.fresh('experiments');
    return {
      experiment: (await allShown(database, [await tracking.freshExperiment(idIn(fields, 'experiment_id'))]))[0],
    };
  });

  read('GET', '/mlflow/experiments/get-by-name', async ({ fields }) => {
    const name = fields.text('experiment_name');
    const database = await tracking.fresh('experiments');
    const row = await database.selectFrom('experiments').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) throw new MillraceError('NOT_FOUND', `Could not find experiment with name '${name}'`);
    return { experiment: (await allShown(database, [row]))[0] };
  });

  read(['POST', 'GET'], '/mlflow/experiments/search', async ({ fields }) => await search(tracking, fields));

  type Change = { readonly key?: string; readonly value?: string };
  const change = (path: string, what: string, of: (fields: Fields) => Change | Promise<Change>): void => {
    write('POST', `/mlflow/experiments/${path}`, `experiment.${what}`, async (call) => {
      const experimentId = idIn(call.fields, 'experiment_id');
      try {
        await changeExperiment(room, call, experimentId, what, await of(call.fields));
      } finally {
        tracking.forgetExperiment(experimentId);
      }
      return {};
    });
  };
  change('update', 'rename', (fields) => ({
    value: checkLength(fields.text('new_name'), limits.experimentName, 'Experiment name'),
  }));
  change('delete', 'delete', () => ({}));
  change('restore', 'restore', () => ({}));
  change('set-experiment-tag', 'set-tag', (fields) => ({
    key: checkKey(fields.text('key'), 'Experiment tag'),
    value: checkLength(fields.optional('value') ?? '', limits.experimentTagValue, 'Experiment tag value'),
  }));
  change('delete-experiment-tag', 'delete-tag', async (fields) => {
    const [id, key] = [idIn(fields, 'experiment_id'), checkKey(fields.text('key'), 'Experiment tag')];
    const database = await tracking.fresh('experiments');
    const tags = database.selectFrom('experiment_tags').select('key').where('experiment_id', '=', id);
    if ((await tags.where('key', '=', key).executeTakeFirst()) === undefined)
      throw new MillraceError('NOT_FOUND', `No tag with name: ${key} in experiment with id ${id}`);
    return { key };
  });
}

async function changeExperiment(
  { gateway }: Room,
  { request, operation }: Call,
  experimentId: string,
  what: string,
  { key = '', value = '' }: { readonly key?: string; readonly value?: string },
): Promise<void> {
  const { requestId, actor } = operation;
  const data = { experimentId, requestId, change: what, key, value, actor };
  await gateway.decisions.ask('experiment-changed', experimentId, requestId, () =>
    gateway.operations.publish(request, operation, experimentId, [
      { topic: 'experiments', type: 'experiment-change-requested', data, key: experimentId, id: requestId },
    ]),
  );
}

const viewTypes: Readonly<Record<string, readonly string[]>> = {
  ACTIVE_ONLY: ['active'],
  DELETED_ONLY: ['deleted'],
  ALL: ['active', 'deleted'],
};

/** Lifecycles that the view type means. */
export function lifecyclesOf(fields: Fields, name: string): readonly string[] {
  const type = fields.optional(name) ?? 'ACTIVE_ONLY';
  const lifecycles = Object.hasOwn(viewTypes, type) ? viewTypes[type] : undefined;
  if (lifecycles === undefined)
    throw invalidArgument(`Invalid ${name} '${type}': it must be one of ${Object.keys(viewTypes).join(', ')}`);
  return lifecycles;
}

async function search(tracking: Tracking, fields: Fields): Promise<object> {
  const max = fields.maxResults(1_000, 50_000);
  const lifecycles = lifecyclesOf(fields, 'view_type');
  const database = await tracking.fresh('experiments');
  const { rows, token } = await searchPage<ExperimentRow>(database, {
    domain: experimentDomain,
    table: 'experiments',
    filter: fields.optional('filter') ?? '',
    orderBy: fields.texts('order_by'),
    defaultOrder: [
      { value: sql.ref('experiments.created_ms'), type: 'number', nullable: false, descending: true },
      { value: sql.ref('experiments.id'), type: 'text', nullable: false, descending: false },
    ],
    where: [sql`experiments.lifecycle in (${sql.join(lifecycles)})`],
    pageToken: fields.optional('page_token') ?? '',
    max,
  });
  return filled({ experiments: await allShown(database, rows), ...(token === '' ? {} : { next_page_token: token }) });
}

async function allShown(database: Kysely<TrackingRows>, rows: readonly ExperimentRow[]): Promise<readonly object[]> {
  const tags = new Map<string, { key: string; value: string }[]>();
  for (let from = 0; from < rows.length; from += 1_000) {
    const ids = rows.slice(from, from + 1_000).map(({ id }) => id);
    for (const { experiment_id, key, value } of await database
      .selectFrom('experiment_tags')
      .selectAll()
      .where('experiment_id', 'in', ids)
      .execute()) {
      tags.set(experiment_id, [...(tags.get(experiment_id) ?? []), { key, value }]);
    }
  }
  return rows.map((row) =>
    filled({
      experiment_id: row.id,
      name: row.name,
      artifact_location: row.artifact_location,
      lifecycle_stage: row.lifecycle,
      creation_time: row.created_ms,
      last_update_time: row.updated_ms,
      tags: tags.get(row.id) ?? [],
    }),
  );
}

/** Like those of MLflow's stores: digits. */
function newExperimentId(): string {
  return `${randomInt(1, 10 ** 6)}${String(randomInt(0, 10 ** 12)).padStart(12, '0')}`;
}

/** The caller's key makes a repeat the same experiment. */
function keyedExperimentId(requestId: string): string {
  const number = BigInt(`0x${idOf('experiment', requestId).slice(0, 16)}`);
  return String(10n ** 17n + (number % (9n * 10n ** 17n)));
}

/** By default files come to this server. Another place is the client's own affair: nothing is read or written there from here. */
function locationOf(fields: Fields, experimentId: string): string {
  const given = (fields.optional('artifact_location') ?? '').replace(/\/+$/, '');
  if (given === '') return `mlflow-artifacts:/${experimentId}`;
  checkLength(given, 1_000, 'Artifact location');
  const path = safelyDecoded(given);
  if (/[?#\\\p{Cc}]/u.test(path) || path.split('/').includes('..')) {
    throw invalidArgument(
      `Invalid artifact location '${given.slice(0, 80)}': it must not hold '..', '?', '#' or backslashes`,
    );
  }
  if (given.startsWith('mlflow-artifacts:') && !/^mlflow-artifacts:\/(?!\/)[^%:]+$/.test(given)) {
    throw invalidArgument(
      `Invalid artifact location '${given.slice(0, 80)}': this server's own begin 'mlflow-artifacts:/' and a plain path`,
    );
  }
  return given;
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument(`Invalid artifact location '${text.slice(0, 80)}': its percent signs do not stand for bytes`);
  }
}
