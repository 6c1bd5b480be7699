/** One page of one table, by filter and order. */
import { hash } from 'node:crypto';
import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { TrackingRows } from '../tables.ts';
import { type Comparison, conditionOf, type Domain, type OrderedRows } from './conditions.ts';
import { Paging, type Sorted } from './pages.ts';
import { type Filter, parseFilter, parseOrder } from './parser.ts';

interface Search {
  readonly domain: Domain;
  readonly table: string;
  readonly filter: string;
  readonly orderBy: readonly string[];
  /** Used when nothing is asked for, and behind what is asked for; ends with columns that tell rows apart. */
  readonly defaultOrder: readonly Sorted[];
  readonly where: readonly RawBuilder<SqlBool>[];
  readonly pageToken: string;
  readonly max: number;
  /** Ids of experiments that `where` says, for plans by index. */
  readonly scope?: readonly string[];
}

const ordersMax = 20;

export async function searchPage<R>(
  database: Kysely<TrackingRows>,
  { domain, table, filter, orderBy, defaultOrder, where, pageToken, max, scope = [] }: Search,
): Promise<{ readonly rows: readonly R[]; readonly token: string }> {
  if (orderBy.length > ordersMax) throw new MillraceError('INVALID_ARGUMENT', `order_by takes ${ordersMax} at most`);
  const parsed = parseFilter(filter, domain.entities);
  const asked = orderBy.map((source, index): Sorted => {
    const { key, descending } = parseOrder(source, domain.entities);
    return { ...domain.order(key, index), descending };
  });
  const sorted = [...asked, ...defaultOrder];
  const name = hash('sha256', JSON.stringify([table, filter, orderBy]), 'hex').slice(0, 16);
  const [first] = orderBy;
  const ordered =
    first === undefined || scope.length === 0
      ? undefined
      : domain.plans?.ordered(parseOrder(first, domain.entities).key, scope);
  const plan = {
    ...{ database, table, ordered, max },
    joins: asked.slice(ordered === undefined ? 0 : 1).flatMap(({ join }) => (join === undefined ? [] : [join])),
    conditions: [...where, ...(parsed === undefined ? [] : [conditionOf(parsed, domain)])],
  };
  if (ordered === undefined) {
    const paging = new Paging(sorted, name, pageToken);
    const few = await fewRows(database, domain, parsed, scope);
    return paging.page(await rowsOf<R>({ ...plan, few }, paging, [], max + 1), max);
  }
  const own = sorted.map((one, index) => (index === 0 ? { ...one, value: ordered.value } : one));
  const present = new Paging(own, name, pageToken, 'present');
  const narrow = comparisonsOf(parsed).flatMap((each) => ordered.narrowed(each) ?? []);
  const rows = present.passed ? [] : [...(await orderedRows<R>(plan, ordered, present, narrow))];
  if (rows.length <= max) {
    const missing = new Paging(own, name, pageToken, 'missing');
    const few = await fewRows(database, domain, parsed, scope);
    rows.push(...(await rowsOf<R>({ ...plan, few }, missing, [ordered.absent], max + 1 - rows.length)));
  }
  return present.page(rows, max);
}

interface Plan {
  readonly database: Kysely<TrackingRows>;
  readonly table: string;
  readonly joins: readonly RawBuilder<unknown>[];
  readonly conditions: readonly RawBuilder<SqlBool>[];
  readonly max: number;
}

async function rowsOf<R>(
  { database, table, joins, conditions, few }: Plan & { readonly few: RawBuilder<unknown> | undefined },
  paging: Paging,
  more: readonly RawBuilder<SqlBool>[],
  limit: number,
): Promise<readonly R[]> {
  const isFew = few === undefined ? [] : [sql<SqlBool>`${sql.ref(`${table}.id`)} = few.run_id`];
  const all = [...isFew, ...conditions, ...more, paging.condition()];
  const { rows } = await sql<R>`select ${sql.table(table)}.*, ${paging.columns()}
    from ${few === undefined ? sql`` : sql`(${few}) as few cross join `}${sql.table(table)} ${sql.join(joins, sql` `)}
    where ${sql.join(all, sql` and `)} order by ${paging.order()} limit ${limit}`.execute(database);
  return rows;
}

/** Walks the index of the first order, and looks at the rest of a row when it comes to it. */
async function orderedRows<R>(
  { database, table, joins, conditions, max }: Plan,
  ordered: OrderedRows,
  paging: Paging,
  narrow: readonly RawBuilder<SqlBool>[],
): Promise<readonly R[]> {
  const all = [ordered.where, ...conditions, ...narrow, paging.condition()];
  const { rows } = await sql<R>`select ${sql.table(table)}.*, ${paging.columns()}
    from ${ordered.table} cross join ${sql.table(table)} ${sql.join(joins, sql` `)}
    where ${sql.join(all, sql` and `)} order by ${paging.order()} limit ${max + 1}`.execute(database);
  return rows;
}

/** So many rows that fit one comparison are few: to sort them costs less than to look for them in the order of all. */
const fewMax = 2_000;

/** Ids of the rows that fit one of the comparisons that must hold, when an index finds them and they are few. */
async function fewRows(
  database: Kysely<TrackingRows>,
  domain: Domain,
  parsed: Filter | undefined,
  scope: readonly string[],
): Promise<RawBuilder<unknown> | undefined> {
  if (scope.length === 0) return undefined;
  for (const comparison of comparisonsOf(parsed)) {
    const found = domain.plans?.found(comparison, scope);
    if (found === undefined) continue;
    const { rows } = await sql<{ n: number }>`select count(*) as n from (${found} limit ${fewMax + 1}) as few`.execute(
      database,
    );
    if (Number(rows[0]?.n ?? 0) <= fewMax) return found;
  }
  return undefined;
}

/** Those that must hold, whatever the others say. */
function comparisonsOf(filter: Filter | undefined): readonly Comparison[] {
  if (filter === undefined || filter.type === 'any') return [];
  return filter.type === 'comparison' ? [filter] : filter.of.flatMap(comparisonsOf);
}
