import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, SqliteDialect, type Transaction } from 'kysely';
import Database from 'libsql';
import type { QueryStore } from '../../ports/query-store.ts';

/** Kysely, open or within a transaction. */
export type Sql<Tables> = Kysely<Tables> | Transaction<Tables>;

export interface SqliteQueryStoreOptions {
  /** Database file; `:memory:` keeps nothing. */
  readonly file: string;
  /** Statements that make the tables; run once per `version`. */
  readonly schema: readonly string[];
  /** When the stored version differs, everything is dropped and filled again from the log. */
  readonly version: number;
}

/** SQLite (libsql) behind Kysely. The journal is a WAL without sync: the content is derived, a lost tail is projected again. */
export function openSqliteQueryStore<Tables>(options: SqliteQueryStoreOptions): QueryStore<Sql<Tables>> {
  if (options.file !== ':memory:') mkdirSync(dirname(options.file), { recursive: true });
  const database = new Database(options.file);
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = OFF');
  migrate(database, options);
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
  let closed = false;
  return {
    database: kysely,
    transaction: (work) => kysely.transaction().execute(work),
    close: async () => {
      if (closed) return;
      closed = true;
      await kysely.destroy();
    },
  };
}

function migrate(database: Database.Database, { schema, version }: SqliteQueryStoreOptions): void {
  const current = (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (current === version) return;
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all() as { name: string }[];
  for (const { name } of tables) database.exec(`DROP TABLE "${name}"`);
  for (const statement of schema) database.exec(statement);
  database.exec(`PRAGMA user_version = ${version}`);
}
