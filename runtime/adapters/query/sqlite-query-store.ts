/** QueryStore on SQLite (libsql), for one process: a file with its own connection for writing, so that reads never see half a write. */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, SqliteDialect } from 'kysely';
import Database from 'libsql';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import type {
  QueryBatch,
  QuerySchema,
  QueryStore,
  RowsOf,
  SourceMove,
  SourcePosition,
  TableSpec,
  TableSpecs,
} from '../../ports/query-store.ts';
import { mergeChanges, type TableChanges, type Value } from './merge-changes.ts';
import { closedStore, movedSource, newerStore } from './store-errors.ts';
import {
  checkSchema,
  createStatements,
  deleteOne,
  insertValues,
  positionsTable,
  schemaDigest,
  storeTable,
} from './table-sql.ts';

export interface SqliteQueryStoreOptions<Tables extends TableSpecs> {
  /** Database file; made with its directory. A file that is none of SQLite's, or damaged, is made anew: the content is derived. */
  readonly file: string;
  readonly schema: QuerySchema<Tables>;
}

/** Rows of one statement: more do not make it faster. */
const rowsPerStatement = 64;
/** How long another writer may take. */
const busyMs = 5_000;
/** Rows between two turns of the event loop. */
const rowsPerTurn = 512;
/** After so long without a write the log of writes is folded into the file and cut, so that a burst leaves nothing behind, milliseconds. */
const idleMs = 1_000;

export async function openSqliteQueryStore<Tables extends TableSpecs>(
  options: SqliteQueryStoreOptions<Tables>,
): Promise<QueryStore<Tables>> {
  checkSchema(options.schema);
  mkdirSync(dirname(options.file), { recursive: true });
  try {
    return await opened(options);
  } catch (error) {
    if (!isDamage(error)) throw error;
    for (const suffix of ['', '-wal', '-shm']) rmSync(options.file + suffix, { force: true });
    return await opened(options);
  }
}

async function opened<Tables extends TableSpecs>(
  options: SqliteQueryStoreOptions<Tables>,
): Promise<QueryStore<Tables>> {
  const store = new SqliteQueryStore(options);
  try {
    await store.migrate();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class SqliteQueryStore<Tables extends TableSpecs> implements QueryStore<Tables> {
  readonly dialect = 'sqlite';
  readonly shared = false;
  readonly #schema: QuerySchema<Tables>;
  readonly #digest: string;
  readonly #reading: Kysely<RowsOf<Tables>>;
  readonly #writing: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor({ file, schema }: SqliteQueryStoreOptions<Tables>) {
    this.#schema = schema;
    this.#digest = schemaDigest(schema);
    this.#writing = connect(file, 32);
    this.#reading = new Kysely({
      dialect: new SqliteDialect({ database: async () => await Promise.resolve(connect(file, 16)) }),
    });
  }

  get database(): Kysely<RowsOf<Tables>> {
    if (this.#closing !== undefined) throw closedStore();
    return this.#reading;
  }

  async positions(): Promise<readonly SourcePosition[]> {
    return await this.#inTurn(async () => {
      return this.#statement(
        `SELECT source, position, marks FROM ${positionsTable} ORDER BY source`,
      ).all() as SourcePosition[];
    });
  }

  async write({ moves, changes }: QueryBatch<Tables>): Promise<void> {
    const merged = mergeChanges(this.#schema.tables, changes);
    await this.#inTurn(() =>
      this.#transaction(async () => {
        this.#checkVersion();
        for (const move of moves) this.#move(move);
        let rows = 0;
        for (const table of merged) {
          for (const statement of this.#statementsOf(table)) {
            rows += statement();
            if (rows < rowsPerTurn) continue;
            rows = 0;
            await new Promise(setImmediate);
          }
        }
      }),
    );
    this.#cutSoon();
  }

  async reset(): Promise<void> {
    await this.#inTurn(() =>
      this.#transaction(async () => {
        this.#checkVersion();
        for (const table of [positionsTable, ...Object.keys(this.#schema.tables)])
          this.#writing.exec(`DELETE FROM "${table}"`);
      }),
    );
  }

  async close(): Promise<void> {
    this.#closing ??= (async () => {
      clearTimeout(this.#idle);
      await this.#last;
      await this.#reading.destroy();
      this.#writing.close();
    })();
    await this.#closing;
  }

  /** A reader in the middle keeps it from being cut: then it is when nothing was written again for a while. */
  #cutSoon(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      void this.#inTurn(async () => {
        await Promise.resolve(this.#writing.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
      }).catch(() => undefined);
    }, idleMs).unref();
  }

  /** One after the other, since the connection has one transaction. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedStore();
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return await done;
  }

  async #transaction(work: () => Promise<void>): Promise<void> {
    try {
      await this.#begin();
      await work();
      this.#writing.exec('COMMIT');
    } catch (error) {
      if (this.#writing.inTransaction) this.#writing.exec('ROLLBACK');
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

  *#statementsOf({ table, removals, upserts }: TableChanges): Iterable<() => number> {
    const spec = this.#schema.tables[table] as TableSpec;
    for (const key of removals) {
      yield () => {
        this.#statement(deleteOne(table, spec)).run(key);
        return 1;
      };
    }
    for (const { set, rows } of upserts) {
      const insert = (count: number): Database.Statement =>
        this.#named(`${table} ${set.join()} ${count}`, () => insertValues(table, spec, set, count));
      let from = 0;
      for (; from + rowsPerStatement <= rows.length; from += rowsPerStatement) {
        const values: Value[] = [];
        for (let at = from; at < from + rowsPerStatement; at++) values.push(...(rows[at] as readonly Value[]));
        yield () => {
          insert(rowsPerStatement).run(values);
          return rowsPerStatement;
        };
      }
      for (; from < rows.length; from++) {
        const row = rows[from] as readonly Value[];
        yield () => {
          insert(1).run(row);
          return 1;
        };
      }
    }
  }

  #statement(sql: string): Database.Statement {
    return this.#named(sql, () => sql);
  }

  #named(name: string, sql: () => string): Database.Statement {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#writing.prepare(sql());
      this.#statements.set(name, statement);
    }
    return statement;
  }

  /** Makes the tables unless they are there. */
  async migrate(): Promise<void> {
    const { name, version } = this.#schema;
    await this.#transaction(async () => {
      const stored = this.#stored();
      if (stored !== undefined && stored.version > version) throw newerStore(name, stored.version, version);
      if (stored?.version === version && stored.digest === this.#digest) return;
      const tables = this.#writing
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .all() as { name: string }[];
      for (const { name: table } of tables) this.#writing.exec(`DROP TABLE "${table}"`);
      for (const statement of createStatements(this.#schema, 'sqlite')) this.#writing.exec(statement);
      this.#writing.prepare(`INSERT INTO ${storeTable} VALUES (1, ?, ?)`).run([version, this.#digest]);
    });
  }

  /** Waits without blocking: the other writer may be in this process. */
  async #begin(): Promise<void> {
    for (const until = Date.now() + busyMs; ; ) {
      try {
        this.#writing.exec('BEGIN IMMEDIATE');
        return;
      } catch (error) {
        if (!isBusy(error) || Date.now() > until) throw error;
        await new Promise<void>((resolve) => setTimeout(resolve, 2));
      }
    }
  }

  #stored(): { version: number; digest: string } | undefined {
    const known = this.#writing.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get([storeTable]);
    if (known === undefined) return undefined;
    return this.#writing.prepare(`SELECT version, digest FROM ${storeTable}`).get([]) as {
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

function connect(file: string, cacheMebibytes: number): Database.Database {
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

function isDamage(error: unknown): boolean {
  return /SQLITE_(NOTADB|CORRUPT)|malformed|not a database/.test(`${codeOf(error)} ${messageOf(error)}`);
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

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
