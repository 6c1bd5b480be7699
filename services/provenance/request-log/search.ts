/**
 * Searching the request log: newest first, page by page. Predictions of one kind lie in the order of time in an index, so what a kind
 * says (deployment, version, route, model, outcome) costs nothing; the rest is looked at a slice of time after the other, until there
 * is a page or the time for one question is over. A page then says how far it came, and the next one goes on there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type SelectQueryBuilder, sql } from 'kysely';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { RowOf, RowsOf } from '../../../runtime/ports/query-store.ts';
import type { LoggedColumn, LoggedRequest, RequestPage, RequestSearch } from '../../../schemas/api/request-log.ts';
import type { ProvenanceStore } from '../index.ts';
import type { ProvenanceTables } from '../tables.ts';
import { featuresOf, namedColumns } from './named-columns.ts';
import { type CellTest, cellTests, parseCondition, passes } from './condition.ts';
import type { CellColumn } from './rows.ts';

type Row = RowOf<ProvenanceTables['requests']>;
type Query = SelectQueryBuilder<RowsOf<ProvenanceTables>, 'requests', Row>;

/** Rows of one kind that are looked at by one statement. */
const sliceRows = 20_000;
/** The same when the numbers of each row are looked at: predictions may share the thread. */
const testedRows = 2_000;
/** When the time is over: each kind gets on by so many at least, so that pages come to an end. */
const lastRows = 200;
/** For one question; after it a page may be short. */
const budgetMs = 2_000;

/** Predictions with the same columns, so that a condition means the same for all of them. */
interface Kind {
  readonly row: RowOf<ProvenanceTables['request_kinds']>;
  readonly columns: readonly LoggedColumn[];
  readonly tests: readonly CellTest[];
}

interface Place {
  readonly at: number;
  readonly id: string;
}

export async function searchRequests(store: ProvenanceStore, search: RequestSearch): Promise<RequestPage> {
  const { limit, cursor } = search;
  const after = cursor === undefined ? undefined : placeOf(cursor);
  const kinds = await kindsOf(store, search);
  const deadline = performance.now() + budgetMs;
  const found: { readonly row: Row; readonly kind: Kind }[] = [];
  // Times down to which every kind was looked at.
  let reached = Number.NEGATIVE_INFINITY;
  for (const kind of kinds) {
    const of = await searchKind(store, search, kind, after, deadline);
    found.push(...of.rows.map((row) => ({ row, kind })));
    reached = Math.max(reached, of.reached);
  }
  found.sort(({ row: a }, { row: b }) => b.received_ms - a.received_ms || (a.prediction_id < b.prediction_id ? 1 : -1));
  const sure = found.filter(({ row }) => row.received_ms >= reached);
  const page = sure.slice(0, limit);
  const last = page.at(-1)?.row;
  const outliers = await outliersOf(
    store,
    page.map(({ row }) => row.prediction_id),
  );
  let next: string | null = null;
  if (sure.length > limit && last !== undefined) next = `${last.received_ms}-${last.prediction_id}`;
  // '0' is before every id: all of that moment was looked at.
  else if (reached > Number.NEGATIVE_INFINITY) next = `${reached}-0`;
  return { predictions: page.map(({ row, kind }) => logged(row, kind, outliers.get(row.prediction_id) ?? [])), next };
}

/** The newest of one kind behind `after`: a page and one more, or as many as the time allows. */
async function searchKind(
  { database, dialect }: ProvenanceStore,
  search: RequestSearch,
  kind: Kind,
  after: Place | undefined,
  deadline: number,
): Promise<{ readonly rows: readonly Row[]; readonly reached: number }> {
  const { entity, since, until, outlier, slowerThanMs, limit } = search;
  const rows: Row[] = [];
  let from = after;
  for (;;) {
    await nextTurn();
    const sliced = performance.now() > deadline ? lastRows : kind.tests.length > 0 ? testedRows : sliceRows;
    let slice = database.selectFrom('requests').where('kind', '=', kind.row.id);
    if (entity !== undefined) slice = slice.where('entity', '=', entity);
    if (since !== undefined) slice = slice.where('received_ms', '>=', since);
    if (until !== undefined) slice = slice.where('received_ms', '<', until);
    if (from !== undefined) {
      const { at, id } = from;
      slice = slice
        .where('received_ms', '<=', at)
        .where((where) => where.or([where('received_ms', '<', at), where('prediction_id', '<', id)]));
    }
    const end = await slice
      .select('received_ms')
      .orderBy('received_ms', 'desc')
      .limit(1)
      .offset(sliced)
      .executeTakeFirst();
    let query: Query = slice.selectAll();
    if (end !== undefined) query = query.where('received_ms', '>=', end.received_ms);
    if (slowerThanMs !== undefined) query = query.where('latency_ms', '>=', slowerThanMs);
    if (outlier !== undefined) query = outlierIs(query, outlier);
    if (kind.tests.length > 0) query = query.where(hasRow(dialect, kind.tests));
    rows.push(
      ...(await query
        .orderBy('received_ms', 'desc')
        .orderBy('prediction_id', 'desc')
        .limit(limit + 1 - rows.length)
        .execute()),
    );
    if (rows.length > limit || end === undefined) {
      return { rows, reached: Number.NEGATIVE_INFINITY };
    }
    if (performance.now() > deadline) return { rows, reached: end.received_ms };
    from = { at: end.received_ms, id: '0' };
  }
}

function outlierIs(query: Query, wanted: boolean): Query {
  return query.where((where) => {
    const marked = where.exists(
      where
        .selectFrom('outlier_rows')
        .select('outlier_rows.window_id')
        .whereRef('outlier_rows.prediction_id', '=', 'requests.prediction_id'),
    );
    return wanted ? marked : where.not(marked);
  });
}

/** Whether one row of the numbers passes all tests. */
function hasRow(dialect: ProvenanceStore['dialect'], tests: readonly CellTest[]) {
  const all = sql.join(
    tests.map(({ place, operator, value }) => {
      const cell =
        dialect === 'sqlite'
          ? sql`json_extract(one.value, ${`$[${place}]`})`
          : sql`(one.value ->> ${sql.lit(place)})::float8`;
      if (operator === 'missing') return sql`${cell} is null`;
      if (operator === 'present') return sql`${cell} is not null`;
      return sql`${cell} ${sql.raw(operator === '!=' ? '<>' : operator)} ${sql.lit(value)}`;
    }),
    sql` and `,
  );
  return dialect === 'sqlite'
    ? sql<boolean>`exists (select 1 from json_each(requests.cells) as one where ${all})`
    : sql<boolean>`exists (select 1 from jsonb_array_elements(requests.cells::jsonb) as one(value) where ${all})`;
}

async function kindsOf({ database }: ProvenanceStore, search: RequestSearch): Promise<readonly Kind[]> {
  const { deployment, version, route, model, outcome } = search;
  const conditions = (search.where ?? []).map(parseCondition);
  let query = database.selectFrom('request_kinds').selectAll();
  if (deployment !== undefined) query = query.where('deployment', '=', deployment);
  if (version !== undefined) query = query.where('version', '=', version);
  if (route !== undefined) query = query.where('route', '=', route);
  if (outcome === 'failed') query = query.where('outcome', '<>', 'completed');
  else if (outcome !== undefined) query = query.where('outcome', '=', outcome);
  if (model !== undefined) {
    const [name = '', number] = model.split('/');
    query = query.where('model', '=', name);
    if (number !== undefined) query = query.where('model_version', '=', Number(number));
  }
  const rows = await query.execute();
  const kinds: Kind[] = [];
  const known = new Set<string>();
  let refusal: MillraceError | undefined;
  for (const row of rows) {
    const cells = JSON.parse(row.cells) as readonly CellColumn[];
    const columns = namedColumns(cells, await featuresOf(database, row.deployment, row.version));
    for (const { name } of columns) known.add(name);
    try {
      const tests = cellTests(conditions, columns, cells);
      if (tests !== undefined) kinds.push({ row, columns, tests });
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      // Another kind may have such a category.
      refusal ??= error;
    }
  }
  if (kinds.length === 0 && refusal !== undefined) throw refusal;
  if (kinds.length === 0 && known.size > 0) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `where: no such prediction has all of the columns ${conditions.map(({ column }) => `'${column}'`).join(', ')}; there are ${[...known].slice(0, 50).join(', ')}`,
    );
  }
  return kinds;
}

async function outliersOf(
  { database }: ProvenanceStore,
  ids: readonly string[],
): Promise<ReadonlyMap<string, LoggedRequest['outliers']>> {
  const found = new Map<string, { findingId: string; score: number }[]>();
  if (ids.length === 0) return found;
  const rows = await database
    .selectFrom('outlier_rows')
    .selectAll()
    .where('prediction_id', 'in', [...ids])
    .execute();
  for (const { prediction_id: id, window_id: findingId, score } of rows)
    found.set(id, [...(found.get(id) ?? []), { findingId, score }]);
  return found;
}

function logged(row: Row, { row: kind, columns, tests }: Kind, outliers: LoggedRequest['outliers']): LoggedRequest {
  const values = row.cells === null ? [] : (JSON.parse(row.cells) as readonly (readonly (number | null)[])[]);
  return {
    predictionId: row.prediction_id,
    deployment: kind.deployment,
    deploymentVersion: kind.version,
    route: kind.route,
    model: kind.model,
    modelVersion: kind.model_version,
    entity: row.entity,
    outcome: kind.outcome,
    receivedAt: row.received_ms,
    eventTime: row.event_ms,
    latencyMs: row.latency_ms,
    queueMs: row.queue_ms,
    runMs: row.run_ms,
    rows: row.rows,
    columns,
    values,
    matched: values.flatMap((cells, place) => (tests.every((test) => passes(test, cells)) ? [place] : [])),
    outliers,
  };
}

function placeOf(cursor: string): Place {
  const [, at = '', id = ''] = /^(\d{1,16})-([0-9a-f]{1,64})$/.exec(cursor) ?? [];
  if (id !== '') return { at: Number(at), id };
  throw new MillraceError('INVALID_ARGUMENT', `cursor '${cursor.slice(0, 80)}' is none of a page of this list`);
}
