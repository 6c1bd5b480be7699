/** QueryStore on SQLite (libsql), for one process: a file with its own connection for writing, so that reads never see half a write. */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, SqliteDialect } from 'kysely';
import { messageOf } from '../../ports/errors.ts';
import type {
  QueryBatch,
  QuerySchema,
  QueryStore,
  RowsOf,
  SourcePosition,
  TableSpecs,
} from '../../ports/query-store.ts';
import { mergeChanges, type TableChanges } from './merge-changes.ts';
import { closedStore } from './store-errors.ts';
import { bound, codeOf, connect, SqliteWriter, type WriterJob } from './sqlite-writer.ts';
import { SqliteWriterHandle } from './sqlite-writer-handle.ts';
import { checkSchema } from './table-sql.ts';

export interface SqliteQueryStoreOptions<Tables extends TableSpecs> {
  /** Database file; made with its directory. A file that is none of SQLite's, or damaged, is made anew: the content is derived. */
  readonly file: string;
  readonly schema: QuerySchema<Tables>;
}

/** From so many rows on a write is a thread's, for which this process has its turns free. */
const threadRows = 2_000;
/** Making indexes over more than this, 4 MiB, is a thread's. */
const threadPages = 1_024;
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
  readonly #file: string;
  readonly #schema: QuerySchema<Tables>;
  readonly #reading: Kysely<RowsOf<Tables>>;
  readonly #writer: SqliteWriter;
  /** While there is much to write. */
  #thread: SqliteWriterHandle | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor({ file, schema }: SqliteQueryStoreOptions<Tables>) {
    this.#file = file;
    this.#schema = schema;
    this.#writer = new SqliteWriter(file, schema);
    this.#reading = new Kysely({
      dialect: new SqliteDialect({ database: async () => await Promise.resolve(connect(file, 16)) }),
    });
  }

  get database(): Kysely<RowsOf<Tables>> {
    if (this.#closing !== undefined) throw closedStore();
    return this.#reading;
  }

  async positions(): Promise<readonly SourcePosition[]> {
    return await this.#inTurn(async () => await Promise.resolve(this.#writer.positions()));
  }

  async write({ moves, changes }: QueryBatch<Tables>): Promise<void> {
    const merged = mergeChanges(this.#schema.tables, changes);
    const job: WriterJob = { kind: 'write', moves, tables: bound(merged) };
    await this.#inTurn(() => this.#run(job, rowsOf(merged) >= threadRows));
    this.#cutSoon();
  }

  async filled(): Promise<void> {
    await this.#inTurn(async () => {
      const pages = this.#writer.unindexed();
      if (pages !== undefined) await this.#run({ kind: 'index' }, pages > threadPages);
    });
    this.#cutSoon();
  }

  async reset(): Promise<void> {
    await this.#inTurn(() => this.#writer.reset());
  }

  /** Makes the tables unless they are there. */
  async migrate(): Promise<void> {
    await this.#writer.migrate();
  }

  async close(): Promise<void> {
    this.#closing ??= (async () => {
      clearTimeout(this.#idle);
      await this.#last;
      await this.#thread?.close();
      await this.#reading.destroy();
      this.#writer.close();
    })();
    await this.#closing;
  }

  async #run(job: WriterJob, long: boolean): Promise<void> {
    if (!long) return await this.#writer.run(job);
    if (this.#thread?.alive !== true) this.#thread = new SqliteWriterHandle(this.#file, this.#schema);
    await this.#thread.run(job);
  }

  /** A reader in the middle keeps it from being cut: then it is when nothing was written again for a while. */
  #cutSoon(): void {
    clearTimeout(this.#idle);
    if (this.#closing !== undefined) return;
    this.#idle = setTimeout(() => {
      void this.#inTurn(async () => {
        await this.#thread?.close();
        this.#thread = undefined;
        this.#writer.cut();
      }).catch(() => undefined);
    }, idleMs).unref();
  }

  /** One after the other, since the file has one writer. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedStore();
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return await done;
  }
}

function rowsOf(changes: readonly TableChanges[]): number {
  return changes.reduce(
    (sum, { removals, upserts }) => upserts.reduce((rows, upsert) => rows + upsert.rows.length, sum + removals.length),
    0,
  );
}

function isDamage(error: unknown): boolean {
  return /SQLITE_(NOTADB|CORRUPT)|malformed|not a database/.test(`${codeOf(error)} ${messageOf(error)}`);
}
