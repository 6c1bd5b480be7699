/**
 * Changes in their order to what a database is told: for each table the keys to remove first, then rows to insert, at most one for each
 * key, since PostgreSQL overwrites a row once in a statement. Rows are sorted by key: neighbours lie on one page, and two writers lock
 * in one order.
 */
import { MillraceError } from '../../ports/errors.ts';
import type { ColumnType, RowChange, TableSpec, TableSpecs } from '../../ports/query-store.ts';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

export interface TableChanges {
  readonly table: string;
  /** Keys, one value for each key column. */
  readonly removals: readonly (readonly Value[])[];
  readonly upserts: readonly Upsert[];
}

/** Rows that overwrite the same columns. */
export interface Upsert {
  readonly set: readonly string[];
  /** In the order of the columns of the table. */
  readonly rows: readonly (readonly Value[])[];
}

/** Columns of a table by their place in a row. */
interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly optional: boolean;
}

interface Merged {
  /** The row that was there before all this goes first. */
  readonly removed: boolean;
  /** In the order of the columns, changed in place; undefined: nothing comes after the removal. */
  readonly row: Value[] | undefined;
  set: readonly string[];
}

const nothing: readonly string[] = [];

/** INVALID_ARGUMENT for the first change that does not fit its table. */
export function mergeChanges(tables: TableSpecs, changes: readonly RowChange[]): readonly TableChanges[] {
  const mergers = new Map<string, TableMerger>();
  for (const change of changes) {
    let merger = mergers.get(change.table);
    if (merger === undefined) {
      const spec = tables[change.table];
      if (spec === undefined) throw new MillraceError('INVALID_ARGUMENT', `there is no table ${change.table}`);
      merger = new TableMerger(change.table, spec);
      mergers.set(change.table, merger);
    }
    if ('row' in change) merger.put(change.row, change.set);
    else merger.remove(change.remove as Row);
  }
  return [...mergers.values()].map((merger) => merger.result());
}

/** Each row is read once, when it comes: hundreds of thousands of them wait for one write. */
class TableMerger {
  readonly #table: string;
  readonly #columns: readonly Column[];
  /** Places of the key, of `sums` and of `newestBy`. */
  readonly #key: readonly number[];
  readonly #sums: readonly number[];
  readonly #newestBy: readonly number[] | undefined;
  readonly #places: ReadonlyMap<string, number>;
  /** What `set: 'all'` means. */
  readonly #all: readonly string[];
  readonly #merged = new Map<string, Merged>();
  /** Rows of a table that is all key: the database keeps one of equal ones by itself. Until something is removed. */
  #plain: Value[][] | undefined;
  /** Given last, where saying it again changes nothing. */
  #again: Row | undefined;

  constructor(table: string, spec: TableSpec) {
    this.#table = table;
    const columns = Object.entries(spec.columns);
    this.#columns = columns.map(([name, type]) => ({ name, type: baseType(type), optional: type.endsWith('?') }));
    this.#places = new Map(columns.map(([name], place) => [name, place]));
    const place = (name: string): number => this.#places.get(name) ?? -1;
    this.#key = spec.key.map(place);
    this.#sums = (spec.sums ?? nothing).map(place);
    this.#newestBy = spec.newestBy?.map(place);
    this.#all = overwritable(spec);
    this.#plain = columns.length === spec.key.length ? [] : undefined;
  }

  put(given: Row, set: 'all' | readonly string[] = nothing): void {
    // What many events have in common is one object, and mostly comes in a row.
    if (given === this.#again && set === nothing) return;
    this.#again = set === nothing && this.#sums.length === 0 ? given : undefined;
    const row = this.#valuesOf(given);
    if (this.#plain === undefined) this.#merge(row, set === 'all' ? this.#all : set);
    else this.#plain.push(row);
  }

  remove(given: Row): void {
    this.#again = undefined;
    const key = this.#key.map((place) => {
      const { name } = this.#columns[place] as Column;
      const value = given[name];
      if (value === undefined || value === null)
        throw new MillraceError('INVALID_ARGUMENT', `a removal from ${this.#table} needs its key column ${name}`);
      return wellFormed(value);
    });
    const plain = this.#plain ?? [];
    this.#plain = undefined;
    for (const row of plain) this.#merge(row, nothing);
    this.#merged.set(key.join('\0'), { removed: true, row: undefined, set: nothing });
  }

  result(): TableChanges {
    const table = this.#table;
    if (this.#plain !== undefined) {
      const rows = this.#plain.sort((a, b) => this.#order(a, b));
      return { table, removals: [], upserts: rows.length === 0 ? [] : [{ set: nothing, rows }] };
    }
    const removals: Value[][] = [];
    const groups = new Map<string, { set: readonly string[]; rows: Value[][] }>();
    for (const key of [...this.#merged.keys()].sort()) {
      const { removed, row, set } = this.#merged.get(key) as Merged;
      if (removed) removals.push(row === undefined ? this.#keyValues(key) : this.#key.map((at) => row[at] as Value));
      if (row === undefined) continue;
      // The order of the columns is that of the table, so one list of columns is one group.
      const signature = set === this.#all ? '*' : set.join();
      let group = groups.get(signature);
      if (group === undefined) {
        group = { set, rows: [] };
        groups.set(signature, group);
      }
      group.rows.push(row);
    }
    return { table, removals, upserts: [...groups.values()] };
  }

  #merge(row: Value[], set: readonly string[]): void {
    const key = this.#keyOf(row);
    const known = this.#merged.get(key);
    if (known === undefined) this.#merged.set(key, { removed: false, row, set });
    else if (known.row === undefined) this.#merged.set(key, { removed: known.removed, row, set });
    else {
      this.#combine(known.row, row, set);
      known.set = union(known.set, set);
    }
  }

  /** By the key. */
  #order(a: readonly Value[], b: readonly Value[]): number {
    for (const place of this.#key) {
      const [one, other] = [a[place] as string | number, b[place] as string | number];
      if (one !== other) return one < other ? -1 : 1;
    }
    return 0;
  }

  /** Numbers of the key come back from its text. */
  #keyValues(key: string): Value[] {
    const parts = key.split('\0');
    return this.#key.map((place, index) => {
      const part = parts[index] ?? '';
      return this.#columns[place]?.type === 'text' ? part : Number(part);
    });
  }

  #keyOf(row: readonly Value[]): string {
    const [first, ...rest] = this.#key;
    let key = String(row[first as number]);
    for (const place of rest) key += `\0${row[place]}`;
    return key;
  }

  #combine(kept: Value[], row: readonly Value[], set: readonly string[]): void {
    for (const place of this.#sums) kept[place] = (kept[place] as number) + (row[place] as number);
    if (this.#newestBy !== undefined && isOlder(row, kept, this.#newestBy)) return;
    for (const name of set) {
      const place = this.#places.get(name) as number;
      kept[place] = row[place] as Value;
    }
  }

  #valuesOf(row: Row): Value[] {
    const values: Value[] = [];
    for (const { name, type, optional } of this.#columns) {
      const value = row[name];
      if (type === 'text' && typeof value === 'string') values.push(wellFormed(value));
      else if (value === null && optional) values.push(null);
      else if (type === 'integer' ? Number.isSafeInteger(value) : type === 'real' && isNumber(value))
        values.push(value as number);
      else {
        const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
        throw new MillraceError(
          'INVALID_ARGUMENT',
          `${this.#table}.${name} takes ${optional ? `${type} or null` : type}, not ${shown}`,
        );
      }
    }
    return values;
  }
}

/** Every column that a change may overwrite. */
export function overwritable({ columns, key, sums = nothing }: TableSpec): readonly string[] {
  return Object.keys(columns).filter((name) => !key.includes(name) && !sums.includes(name));
}

export function baseType(type: string): ColumnType {
  return (type.endsWith('?') ? type.slice(0, -1) : type) as ColumnType;
}

function union(first: readonly string[], second: readonly string[]): readonly string[] {
  if (first === second || second.length === 0) return first;
  if (first.length === 0 || first.every((name) => second.includes(name))) return second;
  return [...new Set([...first, ...second])];
}

function isOlder(row: readonly Value[], than: readonly Value[], by: readonly number[]): boolean {
  for (const place of by) {
    const difference = (row[place] as number) - (than[place] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' && !Number.isNaN(value);
}

const malformed = /[\0\ud800-\udfff]/;

function wellFormed<T extends Value>(value: T): T {
  if (typeof value !== 'string' || !malformed.test(value)) return value;
  return Buffer.from(value, 'utf8').toString('utf8').replaceAll('\0', '\ufffd') as T;
}
