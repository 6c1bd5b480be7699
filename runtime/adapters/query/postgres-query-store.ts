/**
 * QueryStore on PostgreSQL, shared by all instances of a platform. Each schema of tables is a schema of the database, so removing it
 * (`DROP SCHEMA … CASCADE`) has it filled again.
 */
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
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
import { isUnsettled, translated } from './postgres-errors.ts';
import { closedStore, movedSource, newerStore } from './store-errors.ts';
import {
  checkSchema,
  deleteArrays,
  indexStatements,
  insertArrays,
  positionsTable,
  quoted,
  schemaDigest,
  storeTable,
  tableStatements,
} from './table-sql.ts';

export interface PostgresQueryStoreOptions<Tables extends TableSpecs> {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly schema: QuerySchema<Tables>;
  /** Keeps platforms on one database apart. @default '' */
  readonly prefix?: string;
  /** @default 8 */
  readonly connectionsMax?: number;
}

/** A write that met another one is tried again; each time at least one of them gets through. */
const attemptsMax = 10;

export async function openPostgresQueryStore<Tables extends TableSpecs>(
  options: PostgresQueryStoreOptions<Tables>,
): Promise<QueryStore<Tables>> {
  checkSchema(options.schema);
  const store = new PostgresQueryStore(options);
  try {
    await store.migrate();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class PostgresQueryStore<Tables extends TableSpecs> implements QueryStore<Tables> {
  readonly dialect = 'postgres';
  readonly shared = true;
  readonly #schema: QuerySchema<Tables>;
  readonly #digest: string;
  readonly #namespace: string;
  readonly #pool: pg.Pool;
  readonly #reading: Kysely<RowsOf<Tables>>;
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor({ url, schema, prefix = '', connectionsMax = 8 }: PostgresQueryStoreOptions<Tables>) {
    this.#schema = schema;
    this.#digest = schemaDigest(schema);
    this.#namespace = namespaceOf(prefix, schema.name);
    this.#pool = new pg.Pool({
      connectionString: url,
      options: `-c search_path=${this.#namespace}`,
      max: connectionsMax,
      connectionTimeoutMillis: 10_000,
      application_name: `millrace ${schema.name}`,
      types: { getTypeParser: parserOf },
    });
    // An idle connection that is lost is replaced by the pool; without a listener it would end the process.
    this.#pool.on('error', () => undefined);
    this.#reading = new Kysely({ dialect: new PostgresDialect({ pool: this.#pool }) });
  }

  get database(): Kysely<RowsOf<Tables>> {
    if (this.#closing !== undefined) throw closedStore();
    return this.#reading;
  }

  async positions(): Promise<readonly SourcePosition[]> {
    if (this.#closing !== undefined) throw closedStore();
    try {
      const { rows } = await this.#pool.query<SourcePosition>(
        `SELECT source, position, marks FROM ${positionsTable} ORDER BY source`,
      );
      return rows;
    } catch (error) {
      throw translated(error);
    }
  }

  async write({ moves, changes }: QueryBatch<Tables>): Promise<void> {
    const merged = mergeChanges(this.#schema.tables, changes);
    await this.#inTurn(() =>
      this.#transaction(async (client) => {
        await this.#checkVersion(client);
        await moveSources(client, moves);
        for (const table of merged) await writeTable(client, table, this.#schema.tables[table.table] as TableSpec);
      }),
    );
  }

  /** Of several instances, which fill it at once, none could say when: its indexes are there from the beginning. */
  async filled(): Promise<void> {
    if (this.#closing !== undefined) throw closedStore();
    await Promise.resolve();
  }

  async reset(): Promise<void> {
    await this.#inTurn(() =>
      this.#transaction(async (client) => {
        await this.#checkVersion(client);
        const tables = [positionsTable, ...Object.keys(this.#schema.tables)].map(quoted);
        await client.query(`TRUNCATE ${tables.join(', ')}`);
      }),
    );
  }

  async close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#last;
      // Kysely ends the pool once it has used it; ending it twice is an error.
      await this.#reading.destroy();
      if (!this.#pool.ended) await this.#pool.end();
    })();
    await this.#closing;
  }

  /** Makes the tables unless they are there; of several instances that start together one does. */
  async migrate(): Promise<void> {
    const { name, version } = this.#schema;
    await this.#transaction(async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtext($1))', [this.#namespace]);
      const stored = await this.#stored(client);
      if (stored !== undefined && stored.version > version) throw newerStore(name, stored.version, version);
      if (stored?.version === version && stored.digest === this.#digest) return;
      await client.query(`DROP SCHEMA IF EXISTS ${quoted(this.#namespace)} CASCADE`);
      await client.query(`CREATE SCHEMA ${quoted(this.#namespace)}`);
      for (const statement of tableStatements(this.#schema, 'postgres')) await client.query(statement);
      for (const { create } of indexStatements(this.#schema)) await client.query(create);
      await client.query(`INSERT INTO ${storeTable} VALUES (1, $1, $2)`, [version, this.#digest]);
    });
  }

  /** One write at a time: what a projection says next follows from this one. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedStore();
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return await done;
  }

  async #transaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#attempt(work);
        return;
      } catch (error) {
        if (attempt === attemptsMax || !isUnsettled(error)) throw translated(error);
      }
    }
  }

  async #attempt(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#pool.connect();
    // A connection that dies between two statements says so here, and again in the next statement.
    const ignore = (): void => undefined;
    client.on('error', ignore);
    let committing = false;
    try {
      await client.query('BEGIN');
      await work(client);
      committing = true;
      await client.query('COMMIT');
      client.off('error', ignore);
      client.release();
    } catch (error) {
      const alive = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      client.off('error', ignore);
      client.release(!alive);
      if (!committing || alive) throw error;
      throw new MillraceError('UNKNOWN_OUTCOME', `PostgreSQL was lost during a commit: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Held until the end of the transaction, so nobody empties the store meanwhile. */
  async #checkVersion(client: pg.PoolClient): Promise<void> {
    const stored = await this.#stored(client, 'FOR SHARE');
    if (stored?.version === this.#schema.version && stored.digest === this.#digest) return;
    throw newerStore(this.#schema.name, stored?.version ?? 0, this.#schema.version);
  }

  async #stored(client: pg.PoolClient, lock = ''): Promise<{ version: number; digest: string } | undefined> {
    const { rows: found } = await client.query('SELECT to_regclass($1) IS NOT NULL AS there', [
      `${quoted(this.#namespace)}.${storeTable}`,
    ]);
    if (!(found[0] as { there: boolean }).there) return undefined;
    const { rows } = await client.query<{ version: number; digest: string }>(
      `SELECT version, digest FROM ${storeTable} ${lock}`,
    );
    return rows[0];
  }
}

async function moveSources(client: pg.PoolClient, moves: readonly SourceMove[]): Promise<void> {
  const ordered = [...moves].sort((a, b) => (a.source < b.source ? -1 : 1));
  for (const { source, expected, position, marks } of ordered) {
    const { rowCount } = await client.query(
      expected === undefined
        ? {
            name: 'position-begin',
            text: `INSERT INTO ${positionsTable} VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
            values: [source, position, marks],
          }
        : {
            name: 'position-move',
            text: `UPDATE ${positionsTable} SET position = $2, marks = $3 WHERE source = $1 AND position = $4`,
            values: [source, position, marks, expected],
          },
    );
    if (rowCount !== 1) throw movedSource(source);
  }
}

async function writeTable(
  client: pg.PoolClient,
  { table, removals, upserts }: TableChanges,
  spec: TableSpec,
): Promise<void> {
  if (removals.length > 0) {
    await client.query({
      name: `remove ${table}`,
      text: deleteArrays(table, spec),
      values: transposed(removals, spec.key.length),
    });
  }
  const columns = Object.keys(spec.columns).length;
  for (const { set, rows } of upserts) {
    await client.query({
      // Names are cut at 63 bytes by the server, so long lists of columns are not put into them.
      name: `put ${table} ${set.length} ${[...set.join()].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) | 0, 0)}`,
      text: insertArrays(table, spec, set),
      values: transposed(rows, columns),
    });
  }
}

function transposed(rows: readonly (readonly Value[])[], columns: number): Value[][] {
  return Array.from({ length: columns }, (_, column) => rows.map((row) => row[column] as Value));
}

/** bigint and numeric (what sums of bigint are) come as numbers, like SQLite's. */
function parserOf(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC) return Number;
  return pg.types.getTypeParser(oid, format) as (text: string) => unknown;
}

/** At most 63 bytes, which is what PostgreSQL keeps of a name. */
function namespaceOf(prefix: string, name: string): string {
  return `${prefix}millrace_${name}`
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '_')
    .slice(-63);
}
