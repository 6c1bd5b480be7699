/**
 * How fast the tables of `provenance` are filled from the log: predictions of one row and operations, read, decoded and written to SQLite.
 * Run: `npx tsx bench/projection.ts [events]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'node:crypto';
import { openEmbeddedLog } from '../runtime/adapters/embedded-log/embedded-log.ts';
import { openSqliteQueryStore } from '../runtime/adapters/query/sqlite-query-store.ts';
import { tableDigest } from '../runtime/testing/table-digest.ts';
import { createTestRuntime } from '../runtime/testing/test-runtime.ts';
import { provenance } from '../services/provenance/projection.ts';
import { completed } from '../test/topologies/prediction-events.ts';
import { costLine, costOf, positionals, sayFigures } from './figures.ts';

const events = Number(positionals[0] ?? 200_000);
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const log = await openEmbeddedLog({
  directory: join(directory, 'log'),
  durability: 'process',
  onProblem: (error) => console.error(error),
});
const test = await createTestRuntime({ parts: { log } });
const { runtime } = test;
for (let from = 0; from < events; from += 5_000) {
  await runtime.publish(
    Array.from({ length: Math.min(5_000, events - from) }, (_, index) => {
      const id = hash('sha256', String(from + index), 'hex').slice(0, 32);
      return {
        topic: 'predictions',
        type: 'prediction-completed',
        data: completed(from + index, { predictionId: id }),
        key: `e${(from + index) % 10_000}`,
        id,
      } as const;
    }),
  );
}

// The loop sleeps between reads without holding the process.
const awake = setInterval(() => undefined, 1_000);
const digests: string[] = [];
const rates: number[] = [];
for (const round of [1, 2]) {
  const store = await openSqliteQueryStore({ file: join(directory, `round-${round}.db`), schema: provenance });
  const cost = await costOf(async () => {
    const running = await runtime.runProjection(provenance, store);
    await running.ready();
    await running.close();
  });
  console.log(costLine(`rebuild ${round} of ${events} events`, events, cost));
  rates.push(events / cost.seconds);
  digests.push(await tableDigest(store as never, provenance.tables));
  await store.close();
}
console.log(`digests ${digests[0] === digests[1] ? 'agree' : 'DIFFER'}: ${digests[0]?.slice(0, 16)}`);
if (digests[0] !== digests[1]) process.exitCode = 1;
clearInterval(awake);
await test.close();
await log.close().catch(() => undefined);
await rm(directory, { recursive: true, force: true });
sayFigures([{ name: 'projection rebuilt', value: Math.max(...rates), unit: 'events/s' }]);
