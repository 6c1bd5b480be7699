import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { openSqliteQueryStore } from '../../runtime/adapters/query/sqlite-query-store.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { PositionReports } from './position-reports.ts';
import { Projection, type ProvenanceStore } from './projection.ts';
import { ProvenanceQueries } from './queries.ts';
import { type ProvenanceTables, schema, version } from './tables.ts';

export interface Provenance {
  readonly queries: ProvenanceQueries;
  readonly projection: Projection;
  close(): Promise<void>;
}

/** Opens the query store below `directory` and keeps it in step with the log. */
export async function startProvenance(runtime: Runtime, directory: string): Promise<Provenance> {
  const store: ProvenanceStore = openSqliteQueryStore<ProvenanceTables>({
    file: join(directory, 'provenance.db'),
    schema,
    version,
  });
  const reports = new PositionReports(runtime, `provenance@${hostname()}:${resolve(directory)}`, () =>
    Projection.positions(runtime, store),
  );
  await reports.start();
  const projection = await Projection.start(runtime, store);
  return {
    queries: new ProvenanceQueries(runtime, store),
    projection,
    close: async () => {
      await reports.close();
      await projection.close();
      await store.close();
    },
  };
}

export type { CausalChain, Link } from './causal-chain.ts';
export { ProvenanceQueries } from './queries.ts';
