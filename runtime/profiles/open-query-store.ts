import { join } from 'node:path';
import type { Configuration } from '../config/settings.ts';
import type { QuerySchema, QueryStore, TableSpecs } from '../ports/query-store.ts';

export type OpenQueryStore = <Tables extends TableSpecs>(schema: QuerySchema<Tables>) => Promise<QueryStore<Tables>>;

/**
 * Query stores as the configuration says: PostgreSQL, shared by all instances, or files of SQLite for this process alone. `folder` keeps
 * the files of two roles apart that may run as two processes on one directory.
 */
export function queryStores(configuration: Configuration, folder: string): OpenQueryStore {
  const url = configuration['query.url'];
  return async (schema) => {
    if (url === '') {
      const { openSqliteQueryStore } = await import('../adapters/query/sqlite-query-store.ts');
      return await openSqliteQueryStore({ file: join(configuration.directory, folder, `${schema.name}.db`), schema });
    }
    const { openPostgresQueryStore } = await import('../adapters/query/postgres-query-store.ts');
    return await openPostgresQueryStore({ url, schema, prefix: configuration['kafka.prefix'] });
  };
}
