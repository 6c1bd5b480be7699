/**
 * Filters as SQL of both dialects. Every value and every key that a caller says is a bound parameter; names of tables and columns come
 * from the domain alone.
 */
import { type RawBuilder, sql, type SqlBool } from 'kysely';
import type { Filter, FilterValue, Key, Operator } from './parser.ts';
import { invalid } from './tokens.ts';

export type Condition = RawBuilder<SqlBool>;
export type Comparison = Extract<Filter, { readonly type: 'comparison' }>;

/** What may be searched: how the names of a kind of thing lie in tables. */
export interface Domain {
  /** Lower case, with all aliases; '' is not among them. */
  readonly entities: ReadonlySet<string>;
  condition(comparison: Comparison): Condition;
  /** `index` tells the orders of one search apart. */
  order(key: Key, index: number): OrderColumn;
  /** How an index helps with the first order, and with comparisons: plans.ts. */
  readonly plans?: Plans;
}

/** @param scope what the search is within: ids of experiments */
export interface Plans {
  /** Rows that have a value for the key, where they lie in its order; undefined: nowhere. */
  ordered(key: Key, scope: readonly string[]): OrderedRows | undefined;
  /** Each row once for which the comparison holds, as `run_id`, found by an index; undefined: there is none. */
  found(comparison: Comparison, scope: readonly string[]): RawBuilder<unknown> | undefined;
}

export interface OrderedRows {
  /** Table with the alias `ordered`. */
  readonly table: RawBuilder<unknown>;
  /** Joins it to the rows that are searched. */
  readonly where: Condition;
  readonly value: RawBuilder<unknown>;
  /** Never holds for a row that lacks a value. */
  readonly absent: Condition;
  /** The comparison said of `value`; undefined when it is of something else. */
  narrowed(comparison: Comparison): Condition | undefined;
}

export interface OrderColumn {
  readonly value: RawBuilder<unknown>;
  readonly type: 'text' | 'number';
  readonly nullable: boolean;
  /** Makes `value` known. */
  readonly join?: RawBuilder<unknown>;
}

export function conditionOf(filter: Filter, domain: Domain): Condition {
  if (filter.type === 'comparison') return domain.condition(filter);
  const parts = filter.of.map((part) => conditionOf(part, domain));
  return sql<SqlBool>`(${sql.join(parts, filter.type === 'all' ? sql` and ` : sql` or `)})`;
}

export function compareNumber(column: RawBuilder<unknown>, { key, operator, value }: Comparison): Condition {
  if (typeof value !== 'number' || !isOrdering(operator)) {
    throw invalid(`'${key.name}' is a number: it takes = != < <= > >= and a number without quotes`);
  }
  // As a float: a limit such as 1.5 may stand beside a column of integers.
  return sql<SqlBool>`${column} ${sql.raw(operator)} cast(${value} as double precision)`;
}

export function compareText(column: RawBuilder<unknown>, { key, operator, value }: Comparison): Condition {
  switch (operator) {
    case '=':
    case '!=':
      return sql<SqlBool>`${column} ${sql.raw(operator)} ${text(key, value)}`;
    case 'like':
      return sql<SqlBool>`${column} like ${text(key, value)} escape ${noEscape}`;
    case 'ilike':
      return sql<SqlBool>`lower(${column}) like lower(${text(key, value)}) escape ${noEscape}`;
    case 'in':
    case 'not in':
      return sql<SqlBool>`${column} ${sql.raw(operator)} (${sql.join(value as readonly string[])})`;
    default:
      throw invalid(`'${key.name}' is a text: it takes = != LIKE ILIKE IN and NOT IN`);
  }
}

/** Texts that lie in a table of keys and values: `rows` begins the query for those of one thing and key. */
export function compareKeyed(rows: RawBuilder<unknown>, value: RawBuilder<unknown>, comparison: Comparison): Condition {
  if (comparison.operator === 'is null') return sql<SqlBool>`not exists (${rows})`;
  if (comparison.operator === 'is not null') return sql<SqlBool>`exists (${rows})`;
  return sql<SqlBool>`exists (${rows} and ${compareText(value, comparison)})`;
}

/** A character that no pattern has: `%` and `_` are all that is special, in both dialects. */
const noEscape = '\u0001';

function text(key: Key, value: FilterValue): string {
  if (typeof value === 'string') return value;
  throw invalid(`'${key.name}' is a text: write its value in single quotes`);
}

function isOrdering(operator: Operator): boolean {
  return ['=', '!=', '<', '<=', '>', '>='].includes(operator);
}
