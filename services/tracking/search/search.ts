/** One page of one table, by filter and order. */
import { hash } from 'node:crypto';
import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { TrackingRows } from '../tables.ts';
import { conditionOf, type Domain } from './conditions.ts';
import { Paging, type Sorted } from './pages.ts';
import { parseFilter, parseOrder } from './parser.ts';

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
}

const ordersMax = 20;

export async function searchPage<R>(
  database: Kysely<TrackingRows>,
  { domain, table, filter, orderBy, defaultOrder, where, pageToken, max }: Search,
): Promise<{ readonly rows: readonly R[]; readonly token: string }> {
  if (orderBy.length > ordersMax) throw new MillraceError('INVALID_ARGUMENT', `order_by takes ${ordersMax} at most`);
  const parsed = parseFilter(filter, domain.entities);
  const asked = orderBy.map((source, index): Sorted => {
    const { key, descending } = parseOrder(source, domain.entities);
    return { ...domain.order(key, index), descending };
  });
  const sorted = [...asked, ...defaultOrder];
  const paging = new Paging(
    sorted,
    hash('sha256', JSON.stringify([table, filter, orderBy]), 'hex').slice(0, 16),
    pageToken,
  );
  const joins = asked.flatMap(({ join }) => (join === undefined ? [] : [join]));
  const conditions = [...where, paging.condition(), ...(parsed === undefined ? [] : [conditionOf(parsed, domain)])];
  const query = sql<R>`select ${sql.table(table)}.*, ${paging.columns()} from ${sql.table(table)} ${sql.join(joins, sql` `)}
    where ${sql.join(conditions, sql` and `)} order by ${paging.order()} limit ${max + 1}`;
  const { rows } = await query.execute(database);
  return paging.page(rows, max);
}
