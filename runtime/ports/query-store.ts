/**
 * QueryStore: rows that projections write and queries read, in SQL.
 *
 * Contract
 * - A projection's rows, positions and ordinals change in ONE transaction, by compare-and-set on the stored position: two
 *   instances at once cannot count a record twice.
 * - Everything in it is derived from the log: it may be deleted at any time and is filled again.
 * - Reads see every resolved transaction of this process.
 */
export interface QueryStore<Database> {
  /** Runs statements in one transaction; a throw rolls all back. */
  transaction<T>(work: (database: Database) => Promise<T>): Promise<T>;
  /** For reads. */
  readonly database: Database;
  close(): Promise<void>;
}
