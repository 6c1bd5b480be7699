/** Statements of both dialects, made from the declaration of a table. */
import { hash } from 'node:crypto';
import { MillraceError } from '../../ports/errors.ts';
import type { QuerySchema, TableSpec } from '../../ports/query-store.ts';
import { baseType } from './merge-changes.ts';

export type Dialect = 'sqlite' | 'postgres';

const types = {
  sqlite: { text: 'TEXT', integer: 'INTEGER', real: 'REAL' },
  postgres: { text: 'text COLLATE "C"', integer: 'bigint', real: 'double precision' },
} as const;

export const arrayTypes = { text: 'text[]', integer: 'bigint[]', real: 'double precision[]' } as const;

export const quoted = (name: string): string => `"${name}"`;

const listed = (names: readonly string[]): string => names.map(quoted).join(', ');

/** Tables of the store itself, beside the projection's. */
export const positionsTable = '_positions';
export const storeTable = '_store';

const own = {
  [positionsTable]: { columns: { source: 'text', position: 'integer', marks: 'text' }, key: ['source'] },
  [storeTable]: { columns: { id: 'integer', version: 'integer', digest: 'text' }, key: ['id'] },
} as const satisfies Record<string, TableSpec>;

/** What makes the tables of a schema, without indexes. */
export function tableStatements(schema: QuerySchema, dialect: Dialect): readonly string[] {
  const statements: string[] = [];
  for (const [table, spec] of Object.entries({ ...own, ...schema.tables })) {
    const columns = Object.entries(spec.columns).map(
      ([name, type]) => `${quoted(name)} ${types[dialect][baseType(type)]}${type.endsWith('?') ? '' : ' NOT NULL'}`,
    );
    const rest = dialect === 'sqlite' ? ' WITHOUT ROWID' : '';
    statements.push(`CREATE TABLE ${quoted(table)} (${columns.join(', ')}, PRIMARY KEY (${listed(spec.key)}))${rest}`);
  }
  return statements;
}

/** What makes its indexes. */
export function indexStatements(schema: QuerySchema): readonly { readonly name: string; readonly create: string }[] {
  return Object.entries(schema.tables).flatMap(([table, { indexes = [] }]) =>
    indexes.map((index) => {
      const parts = index.map((name) => (name.startsWith('-') ? `${quoted(name.slice(1))} DESC` : quoted(name)));
      const name = `${table}_by_${index.map((column) => column.replace('-', '')).join('_')}`;
      return { name, create: `CREATE INDEX ${quoted(name)} ON ${quoted(table)} (${parts.join(', ')})` };
    }),
  );
}

/** Tells declarations apart, whatever the version says. */
export function schemaDigest(schema: QuerySchema): string {
  return hash('sha256', JSON.stringify([own, schema.tables]), 'hex').slice(0, 32);
}

/** INVALID_ARGUMENT for a declaration that no database could hold. */
export function checkSchema({ name, tables }: QuerySchema): void {
  const refuse = (problem: string): never => {
    throw new MillraceError('INVALID_ARGUMENT', `the schema ${name}: ${problem}`);
  };
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) refuse('its name must be lower case letters, digits and -');
  for (const [table, { columns, key, indexes = [], sums = [], newestBy = [] }] of Object.entries(tables)) {
    for (const identifier of [table, ...Object.keys(columns)]) {
      if (!/^[a-z][a-z0-9_]{0,40}$/.test(identifier)) refuse(`${identifier} is no name for a table or column`);
    }
    const named = [...key, ...sums, ...newestBy, ...indexes.flat().map((column) => column.replace(/^-/, ''))];
    for (const column of named) if (columns[column] === undefined) refuse(`${table} has no column ${column}`);
    if (key.length === 0) refuse(`${table} needs a key`);
    for (const column of key) if (columns[column]?.endsWith('?')) refuse(`the key ${table}.${column} may not be null`);
    for (const column of [...sums, ...newestBy]) {
      if (!['integer', 'real'].includes(columns[column] ?? ''))
        refuse(`${table}.${column} must be a number, never null`);
    }
  }
}

/** What happens when the key is there; `set` are the columns to overwrite. */
export function onConflict(table: string, spec: TableSpec, set: readonly string[]): string {
  const { key, sums = [], newestBy = [] } = spec;
  const kept = (column: string): string => `${quoted(table)}.${quoted(column)}`;
  const given = (column: string): string => `excluded.${quoted(column)}`;
  const newer =
    newestBy.length === 0 || set.length === 0
      ? undefined
      : `(${newestBy.map(given).join(', ')}) >= (${newestBy.map(kept).join(', ')})`;
  const actions = [
    ...set.map((column) => {
      // With sums the row is always updated, so each column decides for itself.
      const value =
        newer === undefined || sums.length === 0
          ? given(column)
          : `CASE WHEN ${newer} THEN ${given(column)} ELSE ${kept(column)} END`;
      return `${quoted(column)} = ${value}`;
    }),
    ...sums.map((column) => `${quoted(column)} = ${kept(column)} + ${given(column)}`),
  ];
  if (actions.length === 0) return 'ON CONFLICT DO NOTHING';
  const where = newer === undefined || sums.length > 0 ? '' : ` WHERE ${newer}`;
  return `ON CONFLICT (${listed(key)}) DO UPDATE SET ${actions.join(', ')}${where}`;
}

/** `INSERT` of so many rows, with a placeholder for each value. */
export function insertValues(table: string, spec: TableSpec, set: readonly string[], rows: number): string {
  const columns = Object.keys(spec.columns);
  const one = `(${columns.map(() => '?').join(', ')})`;
  const values = Array.from({ length: rows }, () => one).join(', ');
  return `INSERT INTO ${quoted(table)} (${listed(columns)}) VALUES ${values} ${onConflict(table, spec, set)}`;
}

/** `INSERT` of any number of rows, one array for each column. */
export function insertArrays(table: string, spec: TableSpec, set: readonly string[]): string {
  const columns = Object.entries(spec.columns);
  const arrays = columns.map(([, type], index) => `$${index + 1}::${arrayTypes[baseType(type)]}`);
  const names = listed(columns.map(([name]) => name));
  return `INSERT INTO ${quoted(table)} (${names}) SELECT * FROM unnest(${arrays.join(', ')}) ${onConflict(table, spec, set)}`;
}

export function deleteOne(table: string, { key }: TableSpec): string {
  return `DELETE FROM ${quoted(table)} WHERE ${key.map((name) => `${quoted(name)} = ?`).join(' AND ')}`;
}

export function deleteArrays(table: string, { key, columns }: TableSpec): string {
  const arrays = key.map((name, index) => `$${index + 1}::${arrayTypes[baseType(columns[name] ?? 'text')]}`);
  return `DELETE FROM ${quoted(table)} WHERE (${listed(key)}) IN (SELECT * FROM unnest(${arrays.join(', ')}))`;
}
