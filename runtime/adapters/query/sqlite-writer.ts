/** The one connection that writes a store of SQLite: in the process, or in a thread of its own while there is very much to write. */
import Database from 'libsql';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import type { QuerySchema, SourceMove, SourcePosition, TableSpec } from '../../ports/query-store.ts';
import type { TableChanges, Value } from './merge-changes.ts';
import { movedSource, newerStore } from './store-errors.ts';
import {
  deleteOne,
  indexStatements,
  insertValues,
  positionsTable,
  schemaDigest,
  storeTable,
  tableStatements,
} from './table-sql.ts';

/** Changes of a table as they are bound: the same by a call and by a message to a thread. */
interface BoundChanges {
  readonly table: string;
  readonly removals: TableChanges['removals'];
  readonly upserts: readonly {
    readonly set: readonly string[];
    /** Values of `rowsPerStatement` rows each. */
    readonly full: readonly (readonly Value[])[];
    /** Rows that are too few for one more. */
    readonly rest: readonly (readonly Value[])[];
  }[];
}

export type WriterJob =
  | { readonly kind: 'write'; readonly moves: readonly SourceMove[]; readonly tables: readonly BoundChanges[] }
  | { readonly kind: 'index' };

/** Rows of one statement: more do not make it faster. */
const rowsPerStatement = 64;
/** How long another writer may take. */
const busyMs = 5_000;
/** Rows between two turns of the event loop. */
const rowsPerTurn = 512;

export class SqliteWriter {
  readonly #schema: QuerySchema;
  readonly #digest: string;
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(file: string, schema: QuerySchema) {
    this.#schema = schema;
    this.#digest = schemaDigest(schema);
    this.#database = connect(file, 32);
  }

  positions(): readonly SourcePosition[] {
    return this.#statement(
      `SELECT source, position, marks FROM ${positionsTable} ORDER BY source`,
    ).all() as SourcePosition[];
  }

  async run(job: WriterJob): Promise<void> {
    await this.#transaction(async () => {
      this.#checkVersion();
      if (job.kind === 'write') await this.#write(job.moves, job.tables);
      else for (const { create } of this.#missing()) this.#database.exec(create);
    });
  }

  /** Whether indexes are still to be made, and over how many pages of 4 KiB. */
  unindexed(): number | undefined {
    if (this.#missing().length === 0) return undefined;
    return (this.#database.prepare('SELECT page_count AS pages FROM pragma_page_count').get([]) as { pages: number })
      .pages;
  }

  async reset(): Promise<void> {
    await this.#transaction(async () => {
      this.#checkVersion();
      for (const { name } of indexStatements(this.#schema)) this.#database.exec(`DROP INDEX IF EXISTS "${name}"`);
      for (const table of [positionsTable, ...Object.keys(this.#schema.tables)])
        this.#database.exec(`DELETE FROM "${table}"`);
    });
  }

  /** Makes the tables unless they are there. */
  async migrate(): Promise<void> {
    const { name, version } = this.#schema;
    await this.#transaction(async () => {
      const stored = this.#stored();
      if (stored !== undefined && stored.version > version) throw newerStore(name, stored.version, version);
      if (stored?.version === version && stored.digest === this.#digest) return;
      for (const table of this.#namesOf('table')) this.#database.exec(`DROP TABLE "${table}"`);
      for (const statement of tableStatements(this.#schema, 'sqlite')) this.#database.exec(statement);
      this.#database.prepare(`INSERT INTO ${storeTable} VALUES (1, ?, ?)`).run([version, this.#digest]);
    });
  }

  /** Folds the log of writes into the file. */
  cut(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  close(): void {
    this.#database.close();
  }

  async #write(moves: readonly SourceMove[], tables: readonly BoundChanges[]): Promise<void> {
    for (const move of moves) this.#move(move);
    let rows = 0;
    for (const table of tables) {
      for (const statement of this.#statementsOf(table)) {
        rows += statement();
        if (rows < rowsPerTurn) continue;
        rows = 0;
        await new Promise(setImmediate);
      }
    }
  }

  async #transaction(work: () => Promise<void>): Promise<void> {
    try {
      await this.#begin();
      await work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      throw translated(error);
    }
  }

  #move({ source, expected, position, marks }: SourceMove): void {
    const { changes } =
      expected === undefined
        ? this.#statement(`INSERT INTO ${positionsTable} VALUES (?, ?, ?) ON CONFLICT DO NOTHING`).run([
            source,
            position,
            marks,
          ])
        : this.#statement(`UPDATE ${positionsTable} SET position = ?, marks = ? WHERE source = ? AND position = ?`).run(
            [position, marks, source, expected],
          );
    if (changes !== 1) throw movedSource(source);
  }

  *#statementsOf({ table, removals, upserts }: BoundChanges): Iterable<() => number> {
    const spec = this.#schema.tables[table] as TableSpec;
    for (const key of removals) {
      yield () => {
        this.#statement(deleteOne(table, spec)).run(key);
        return 1;
      };
    }
    for (const { set, full, rest } of upserts) {
      const insert = (count: number): Database.Statement =>
        this.#named(`${table} ${set.join()} ${count}`, () => insertValues(table, spec, set, count));
      for (const values of full) {
        yield () => {
          insert(rowsPerStatement).run(values);
          return rowsPerStatement;
        };
      }
      for (const row of rest) {
        yield () => {
          insert(1).run(row);
          return 1;
        };
      }
    }
  }

  #missing(): readonly { readonly name: string; readonly create: string }[] {
    const there = new Set(this.#namesOf('index'));
    return indexStatements(this.#schema).filter(({ name }) => !there.has(name));
  }

  #namesOf(type: 'table' | 'index'): readonly string[] {
    const rows = this.#database
      .prepare("SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%'")
      .all([type]) as { name: string }[];
    return rows.map(({ name }) => name);
  }

  #statement(sql: string): Database.Statement {
    return this.#named(sql, () => sql);
  }

  #named(name: string, sql: () => string): Database.Statement {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#database.prepare(sql());
      this.#statements.set(name, statement);
    }
    return statement;
  }

  /** Waits without blocking: the other writer may be in this process. */
  async #begin(): Promise<void> {
    for (const until = Date.now() + busyMs; ; ) {
      try {
        this.#database.exec('BEGIN IMMEDIATE');
        return;
      } catch (error) {
        if (!isBusy(error) || Date.now() > until) throw error;
        await new Promise<void>((resolve) => setTimeout(resolve, 2));
      }
    }
  }

  #stored(): { version: number; digest: string } | undefined {
    const known = this.#database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get([storeTable]);
    if (known === undefined) return undefined;
    return this.#database.prepare(`SELECT version, digest FROM ${storeTable}`).get([]) as {
      version: number;
      digest: string;
    };
  }

  #checkVersion(): void {
    const stored = this.#stored();
    if (stored?.version === this.#schema.version && stored.digest === this.#digest) return;
    throw newerStore(this.#schema.name, stored?.version ?? 0, this.#schema.version);
  }
}

export function bound(changes: readonly TableChanges[]): readonly BoundChanges[] {
  return changes.map(({ table, removals, upserts }) => ({
    table,
    removals,
    upserts: upserts.map(({ set, rows }) => {
      const full: Value[][] = [];
      let from = 0;
      for (; from + rowsPerStatement <= rows.length; from += rowsPerStatement) {
        const values: Value[] = [];
        for (let at = from; at < from + rowsPerStatement; at++) values.push(...(rows[at] as readonly Value[]));
        full.push(values);
      }
      return { set, full, rest: rows.slice(from) };
    }),
  }));
}

export function connect(file: string, cacheMebibytes: number): Database.Database {
  const database = new Database(file);
  // The log is truncated at checkpoints with a sync; a lost tail is filled again from the positions that were lost with it.
  for (const pragma of [
    'journal_mode = WAL',
    'synchronous = NORMAL',
    'busy_timeout = 0',
    `cache_size = -${cacheMebibytes * 1_024}`,
    'case_sensitive_like = ON',
    // 64 MiB: a page that many writes touch is copied into the file once for all of them.
    'wal_autocheckpoint = 16384',
  ]) {
    database.exec(`PRAGMA ${pragma}`);
  }
  return database;
}

function translated(error: unknown): unknown {
  if (error instanceof MillraceError) return error;
  const text = `${codeOf(error)} ${messageOf(error)}`;
  const code = /SQLITE_FULL|disk is full/.test(text) ? 'DISK_FULL' : isBusy(error) ? 'UNAVAILABLE' : undefined;
  return code === undefined ? error : new MillraceError(code, `the query store: ${messageOf(error)}`, { cause: error });
}

function isBusy(error: unknown): boolean {
  return /SQLITE_(BUSY|LOCKED)|is locked/.test(`${codeOf(error)} ${messageOf(error)}`);
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
