import { afterAll, describe } from 'vitest';
import pg from 'pg';
import { openPostgresQueryStore } from '../../../runtime/adapters/query/postgres-query-store.ts';
import { serviceAddress } from '../../services/service-address.ts';
import { queryStoreConformance } from './index.ts';
import { killWhileWriting } from './kill-child.ts';
import { suiteSchema } from './query-store-builders.ts';
import type { OpenStore, QueryStoreHarness } from './query-store-harness.ts';
import { compiledFile } from '../../compiled.ts';

const { address, missing } = serviceAddress('MILLRACE_TEST_POSTGRES_URL', 'postgres-up.sh');
const module = compiledFile(new URL('../../../runtime/adapters/query/postgres-query-store.ts', import.meta.url));
let harnesses = 0;

describe.skipIf(missing)('PostgreSQL', () => {
  const prefixes: string[] = [];
  queryStoreConformance('PostgreSQL', async (): Promise<QueryStoreHarness> => {
    const prefix = `case${process.pid}_${++harnesses}.`;
    prefixes.push(prefix);
    const opened: { close(): Promise<void> }[] = [];
    const openStore = (async (schema = suiteSchema as never) => {
      const store = await openPostgresQueryStore({ url: address, schema, prefix, connectionsMax: 3 });
      opened.push(store);
      return store;
    }) as OpenStore;
    return {
      openStore,
      killWhileWriting: (writesMin) =>
        killWhileWriting({ module, open: 'openPostgresQueryStore', options: { url: address, prefix } }, writesMin),
      close: async () => void (await Promise.all(opened.map((store) => store.close()))),
    };
  });

  afterAll(async () => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    for (const prefix of prefixes)
      await client.query(`DROP SCHEMA IF EXISTS ${prefix.replace('.', '_')}millrace_suite CASCADE`);
    await client.end();
  });
});
