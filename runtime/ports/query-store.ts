/**
 * QueryStore: tables in SQL that one projection fills and queries read.
 *
 * Contract
 * - **Derived.** Everything in it follows from the log: it may be emptied at any time and is filled again. So it holds the positions
 *   up to which it was filled, one for each source (a partition), and with each a text of the projection's own (`marks`).
 * - **Atomic.** `write` changes rows, positions and marks in ONE transaction, by compare-and-set: unless every source is at the
 *   position that the caller expects, it rejects with FENCED and has changed nothing. So two instances at once on one store cannot
 *   count a record twice, and who was fenced reads `positions` and goes on from there.
 * - **Order.** Changes of one key act in their order. Changes of different keys do not see each other.
 * - **Values.** A row has a value for every column. `text` is Unicode, and a NUL or half a surrogate pair becomes U+FFFD; it sorts by
 *   its UTF-8 bytes, and LIKE minds case. `integer` is any safe integer; `real` any number but NaN. A row that does not fit its table
 *   rejects with INVALID_ARGUMENT, which names table and column; nothing of the batch was written.
 * - **Visible.** Resolved writes are seen by every read of every store object on the same data; a read sees all of a write or nothing.
 * - **Durable.** Resolved writes survive kill -9 of every process of the platform. After a power loss a tail may be gone, together
 *   with its positions.
 * - **Versions.** Opening empties a store of an older version, or of other tables. NEWER_FORMAT when a newer program has filled it:
 *   at opening, and from `write` when that happens meanwhile.
 * - UNAVAILABLE: not reached, or busy; nothing was written. UNKNOWN_OUTCOME: read `positions`. DISK_FULL: nothing was written.
 * - `close` is idempotent, and waits for the write that is under way; every later call rejects with CLOSED.
 */
import type { Kysely } from 'kysely';

export interface QueryStore<Tables extends TableSpecs = TableSpecs> {
  readonly dialect: 'sqlite' | 'postgres';
  /** Whether other instances fill and read the same tables. */
  readonly shared: boolean;
  /** For reads only. Table names need no qualification. */
  readonly database: Kysely<RowsOf<Tables>>;
  /** One for each source that was ever moved. */
  positions(): Promise<readonly SourcePosition[]>;
  write(batch: QueryBatch<Tables>): Promise<void>;
  /**
   * What there was to fill in when the store was opened, or reset, is in. Until then an adapter may do without its indexes, which cost more
   * row by row than made at once: queries answer the same, and take longer.
   */
  filled(): Promise<void>;
  /** Removes all rows and positions. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** What a store is opened for. */
export interface QuerySchema<Tables extends TableSpecs = TableSpecs> {
  /** Lower case letters, digits and `-`. */
  readonly name: string;
  /** Raised when the same events mean other rows. */
  readonly version: number;
  readonly tables: Tables;
}

export type ColumnType = 'text' | 'integer' | 'real';

export interface TableSpec {
  /** `?` behind the type: may be null. */
  readonly columns: Readonly<Record<string, ColumnType | `${ColumnType}?`>>;
  /** Columns that tell rows apart; never null. */
  readonly key: readonly string[];
  /** Each a list of columns; `-` before the last one keeps it descending. */
  readonly indexes?: readonly (readonly string[])[];
  /** Numeric columns to which a change adds. They are never overwritten. */
  readonly sums?: readonly string[];
  /** Numeric columns: a change overwrites a row only when it is not less in these, the first being most significant. */
  readonly newestBy?: readonly string[];
}

export type TableSpecs = Readonly<Record<string, TableSpec>>;

/** The TypeScript type of a table's rows. */
export type RowOf<Spec extends TableSpec> = { [C in keyof Spec['columns']]: ValueOf<Spec['columns'][C]> };

export type RowsOf<Tables extends TableSpecs> = { [T in keyof Tables]: RowOf<Tables[T]> };

type ValueOf<Type> = Type extends `${infer Base}?`
  ? ValueOf<Base> | null
  : Type extends 'text'
    ? string
    : Type extends 'integer' | 'real'
      ? number
      : never;

/**
 * A change of one row. With `row`: insert it; when its key is there, overwrite the columns of `set` (`all` of them; absent: the first
 * row stays) and add to those of `sums`. With `remove`: forget the row of that key.
 */
export type RowChange<Tables extends TableSpecs = TableSpecs> = {
  [T in keyof Tables & string]:
    | {
        readonly table: T;
        readonly row: RowOf<Tables[T]>;
        readonly set?: 'all' | readonly (keyof Tables[T]['columns'] & string)[];
      }
    | { readonly table: T; readonly remove: Partial<RowOf<Tables[T]>> };
}[keyof Tables & string];

export interface QueryBatch<Tables extends TableSpecs = TableSpecs> {
  /** One for each source at most. */
  readonly moves: readonly SourceMove[];
  readonly changes: readonly RowChange<Tables>[];
}

export interface SourcePosition {
  readonly source: string;
  /** Offset of the next record. */
  readonly position: number;
  readonly marks: string;
}

export interface SourceMove extends SourcePosition {
  /** undefined: the source was never moved. */
  readonly expected: number | undefined;
}
