import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { RunningProjection } from '../../runtime/engine/projection.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { OpenQueryStore } from '../../runtime/profiles/open-query-store.ts';
import { partitionName } from '../../runtime/ports/log.ts';
import type { QueryStore } from '../../runtime/ports/query-store.ts';
import { PositionReports, type ReadPosition } from './position-reports.ts';
import { provenance } from './projection.ts';
import { ProvenanceQueries } from './queries.ts';
import type { ProvenanceTables } from './tables.ts';

export type ProvenanceStore = QueryStore<ProvenanceTables>;

export interface Provenance {
  readonly queries: ProvenanceQueries;
  readonly projection: RunningProjection;
  close(): Promise<void>;
}

/** Opens the query store and keeps it in step with the log. `where` tells this store from those of other processes. */
export async function startProvenance(runtime: Runtime, open: OpenQueryStore, where: string): Promise<Provenance> {
  const store = await open(provenance);
  const reader = store.shared ? 'provenance@shared' : `provenance@${hostname()}:${resolve(where)}`;
  const reports = new PositionReports(runtime, reader, () => readPositions(runtime, store));
  try {
    await reports.start();
    const projection = await runtime.runProjection(provenance, store);
    return {
      queries: new ProvenanceQueries(runtime, store, projection),
      projection,
      close: async () => {
        await reports.close();
        await projection.close();
        await store.close();
      },
    };
  } catch (error) {
    await reports.close();
    await store.close();
    throw error;
  }
}

/** The next offset of every partition that is not in the store yet. */
async function readPositions(runtime: Runtime, store: ProvenanceStore): Promise<readonly ReadPosition[]> {
  const stored = new Map((await store.positions()).map(({ source, position }) => [source, position]));
  return provenance.inputs.flatMap((topic) =>
    Array.from({ length: runtime.partitions(topic) }, (_, partition) => {
      const source = partitionName({ topic: runtime.topic(topic), partition });
      return { topic, partition, position: stored.get(source) ?? 0 };
    }),
  );
}

export type { CausalChain, Link } from './explain/link.ts';
export { ProvenanceQueries } from './queries.ts';
