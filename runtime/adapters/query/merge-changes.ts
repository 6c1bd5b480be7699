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

interface Merged {
  removed: boolean;
  /** Whether `row` is a copy. */
  own: boolean;
  row: Row | undefined;
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

class TableMerger {
  readonly #table: string;
  readonly #spec: TableSpec;
  readonly #columns: readonly (readonly [name: string, type: ColumnType, optional: boolean])[];
  readonly #names: readonly string[];
  /** What `set: 'all'` means. */
  readonly #all: readonly string[];
  readonly #merged = new Map<string, Merged>();

  constructor(table: string, spec: TableSpec) {
    this.#table = table;
    this.#spec = spec;
    this.#names = Object.keys(spec.columns);
    this.#columns = Object.entries(spec.columns).map(([name, type]) => [name, baseType(type), type.endsWith('?')]);
    this.#all = overwritable(spec);
  }

  put(given: Row, set: 'all' | readonly string[] = nothing): void {
    const row = this.#checked(given);
    const key = this.#keyOf(row);
    const overwrites = set === 'all' ? this.#all : set;
    const known = this.#merged.get(key);
    if (known === undefined) this.#merged.set(key, { removed: false, own: false, row, set: overwrites });
    else if (known.row === undefined) Object.assign(known, { own: false, row, set: overwrites });
    else {
      // The caller's row is copied once, then ours is changed in place.
      if (!known.own) known.row = { ...known.row };
      known.own = true;
      this.#combine(known.row, row, overwrites);
      known.set = union(known.set, overwrites);
    }
  }

  remove(key: Row): void {
    for (const name of this.#spec.key) {
      if (key[name] === undefined || key[name] === null) {
        throw new MillraceError('INVALID_ARGUMENT', `a removal from ${this.#table} needs its key column ${name}`);
      }
    }
    this.#merged.set(this.#keyOf(key), { removed: true, own: false, row: undefined, set: nothing });
  }

  result(): TableChanges {
    const removals: Value[][] = [];
    const groups = new Map<string, { set: readonly string[]; rows: Value[][] }>();
    for (const key of [...this.#merged.keys()].sort()) {
      const { removed, row, set } = this.#merged.get(key) as Merged;
      if (removed) removals.push(this.#keyValues(row, key));
      if (row === undefined) continue;
      // The order of the columns is that of the table, so one list of columns is one group.
      const signature = set === this.#all ? '*' : set.join();
      let group = groups.get(signature);
      if (group === undefined) {
        group = { set, rows: [] };
        groups.set(signature, group);
      }
      group.rows.push(this.#names.map((name) => row[name] as Value));
    }
    return { table: this.#table, removals, upserts: [...groups.values()] };
  }

  /** Numbers of the key come back from its text. */
  #keyValues(row: Row | undefined, key: string): Value[] {
    const parts = key.split('\0');
    return this.#spec.key.map((name, index) => {
      if (row !== undefined) return row[name] as Value;
      const part = parts[index] ?? '';
      return baseType(this.#spec.columns[name] ?? 'text') === 'text' ? part : Number(part);
    });
  }

  #keyOf(row: Row): string {
    const { key } = this.#spec;
    if (key.length === 1) return String(wellFormed(row[key[0] as string] as Value));
    return key.map((name) => wellFormed(row[name] as Value)).join('\0');
  }

  #combine(kept: Record<string, Value>, row: Row, set: readonly string[]): void {
    const { sums = nothing, newestBy } = this.#spec;
    for (const name of sums) kept[name] = (kept[name] as number) + (row[name] as number);
    if (newestBy !== undefined && isOlder(row, kept, newestBy)) return;
    for (const name of set) kept[name] = row[name] as Value;
  }

  #checked(row: Row): Row {
    let clean: Record<string, Value> | undefined;
    for (const [name, type, optional] of this.#columns) {
      const value = row[name];
      if (value === null && optional) continue;
      if (type === 'text' && typeof value === 'string') {
        const text = wellFormed(value);
        if (text !== value) clean = { ...(clean ?? row), [name]: text };
      } else if (type === 'integer' ? !Number.isSafeInteger(value) : typeof value !== 'number' || Number.isNaN(value)) {
        const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
        throw new MillraceError(
          'INVALID_ARGUMENT',
          `${this.#table}.${name} takes ${optional ? `${type} or null` : type}, not ${shown}`,
        );
      }
    }
    return clean ?? row;
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

function isOlder(row: Row, than: Row, by: readonly string[]): boolean {
  for (const name of by) {
    const difference = (row[name] as number) - (than[name] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

const malformed = /[\0\ud800-\udfff]/;

function wellFormed<T extends Value>(value: T): T {
  if (typeof value !== 'string' || !malformed.test(value)) return value;
  return Buffer.from(value, 'utf8').toString('utf8').replaceAll('\0', '\ufffd') as T;
}
