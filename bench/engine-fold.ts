/**
 * Events per second through the stateful fold `feedback-rewards`: predictions with 100,000 distinct keys and feedback for each, Avro
 * decoded, outputs appended; then read back and their digest checked. Publishing, folding and reading back are measured apart.
 * Run: `npx tsx bench/engine-fold.ts [events] [process|disk] [--json]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../runtime/adapters/embedded-log/embedded-log.ts';
import { openLmdbStateStore } from '../runtime/adapters/state/lmdb-state-store.ts';
import { createTestRuntime, eventually } from '../runtime/testing/index.ts';
import { feedbackRewards } from '../topologies/feedback-rewards.ts';
import { checkRewards, publishFeedbackLoad } from './feedback-load.ts';
import { costLine, costOf, positionals, sayFigures } from './figures.ts';

const total = Number(positionals[0] ?? 200_000);
const durability = positionals[1] === 'disk' ? 'disk' : 'process';
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const state = await openLmdbStateStore({ directory: join(directory, 'state'), durability });
const log = await openEmbeddedLog({
  directory: join(directory, 'log'),
  durability,
  onProblem: (error) => console.error(error),
});
const tested = await createTestRuntime({ parts: { state, log } });
const { runtime } = tested;
await publishFeedbackLoad(runtime, total);
console.log(`published ${total} events, durability ${durability}`);

/** Everything is folded and its outputs are on the log: a task that closes waits for what it sends. */
const fold = await costOf(async () => {
  const running = await runtime.runTopology(feedbackRewards);
  await eventually('every event folded', () => sumOfCounter('in') === total || failure(), 300_000);
  await running.close();
});
const readBack = await costOf(() => checkRewards(runtime, total));
if (tested.complaints.length > 0) throw new Error(`complaints: ${JSON.stringify(tested.complaints.slice(0, 3))}`);

console.log(costLine('fold, outputs appended', total, fold));
console.log(costLine('read back and checked (rewards)', total / 2, readBack));
const perSecondFree = Math.round((1e6 * total) / fold.cpuUs);
console.log(`one free core would fold at least ${perSecondFree.toLocaleString('en')}/s`);
sayFigures([
  { name: `fold feedback-rewards, ${durability}`, value: Math.round(total / fold.seconds), unit: 'events/s' },
  { name: `fold feedback-rewards, ${durability}, CPU`, value: fold.cpuUs / total, unit: 'µs/event' },
]);
await tested.close();
await rm(directory, { recursive: true, force: true });

function sumOfCounter(counter: string): number {
  return runtime.stats().reduce((sum, { counters }) => sum + (counters[counter] ?? 0), 0);
}

function failure(): false {
  if (runtime.stats().some(({ status }) => status === 'failed')) throw new Error('a task failed');
  return false;
}
