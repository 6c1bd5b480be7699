import { afterAll, describe } from 'vitest';
import pg from 'pg';
import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import { serviceAddress } from '../service-address.ts';
import { requestLogCases } from './request-log-cases.ts';

const { address, missing } = serviceAddress('MILLRACE_TEST_POSTGRES_URL', 'postgres-up.sh');
const prefix = `requests${process.pid}.`;

describe.skipIf(missing)('in a database', () => {
  requestLogCases('PostgreSQL', ({ directory }) =>
    queryStores({ directory, 'query.url': address, 'kafka.prefix': prefix } as never, 'query'),
  );

  afterAll(async () => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    await client.query(`DROP SCHEMA IF EXISTS ${prefix.replace('.', '_')}millrace_provenance CASCADE`);
    await client.end();
  });
});
