/**
 * Events per second through the stateful fold `feedback-rewards`: predictions with 100,000 distinct keys and feedback for each, Avro
 * decoded, outputs appended; then read back and their digest checked. Publishing, folding and reading back are measured apart.
 * Run: `npx tsx bench/engine-fold.ts [events] [process|disk] [--json]`.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../runtime/adapters/embedded-log/embedded-log.ts';
import { openLmdbStateStore } from '../runtime/adapters/state/lmdb-state-store.ts';
import { createTestRuntime, eventually } from '../runtime/testing/index.ts';
import { predictionId } from '../schemas/derived-ids.ts';
import { feedbackRewards } from '../topologies/feedback-rewards.ts';
import { costLine, costOf, positionals, sayFigures } from './figures.ts';

const total = Number(positionals[0] ?? 200_000);
const durability = positionals[1] === 'disk' ? 'disk' : 'process';
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const state = await openLmdbStateStore({ directory: join(directory, 'state'), durability });
const log = await openEmbeddedLog({ directory: join(directory, 'log'), durability });
const tested = await createTestRuntime({ parts: { state, log } });
const { runtime } = tested;
const partitions = runtime.partitions('predictions');
const half = total / 2;
const deployment = { deployment: 'bench', deploymentVersion: 1 };
for (let from = 0; from < half; from += 1000) {
  const outputs = Array.from({ length: 1000 }, (_, index) => {
    const n = from + index;
    const id = predictionId(n % partitions, 'bench', n);
    return {
      topic: 'predictions' as const,
      type: 'prediction-completed' as const,
      key: `entity-${n}`,
      partition: n % partitions,
      id: `p${n}`,
      data: {
        predictionId: id,
        entity: `entity-${n}`,
        ...deployment,
        route: 'a',
        model: 'm',
        modelVersion: 1,
        artifactHash: 'h'.repeat(64),
        clientId: null,
        source: null,
        inputDigest: 'd',
        inputs: [],
        rows: 1,
        receivedAt: 0,
        queueMs: 0,
        runMs: 0,
        outputs: [{ name: 'y', datatype: 'FP64', shape: [1, 1], data: { 'millrace.common.Doubles': { values: [n] } } }],
        terms: {
          feedbackWindowMs: 3_600_000,
          reward: 'negative-squared-error',
          output: 'y',
          assessEvery: 1000,
          alpha: 0.05,
          windowRows: 0,
          windowMinRows: 0,
          windowMaxAgeMs: 0,
        } as never,
      },
    };
  });
  await runtime.publish(outputs);
}
for (let from = 0; from < half; from += 1000) {
  await runtime.publish(
    Array.from({ length: 1000 }, (_, index) => {
      const n = from + index;
      const data = {
        feedbackId: `f${n}`,
        predictionId: predictionId(n % partitions, 'bench', n),
        truth: n + 1,
        label: null,
        reward: null,
        source: null,
        actor: 'bench',
        waitMs: 1000,
      };
      return {
        topic: 'predictions' as const,
        type: 'feedback-received' as const,
        key: data.predictionId,
        partition: n % partitions,
        id: `f${n}`,
        data,
      };
    }),
  );
}
console.log(`published ${total} events, durability ${durability}`);

/** Everything is folded and its outputs are on the log: a task that closes waits for what it sends. */
const fold = await costOf(async () => {
  const running = await runtime.runTopology(feedbackRewards);
  await eventually('every event folded', () => sumOfCounter('in') === total || failure(), 300_000);
  await running.close();
});

const digests = new Map<string, number | null>();
const readBack = await costOf(async () => {
  const follower = await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'reward-recorded') digests.set(data.predictionId, data.reward);
    },
  });
  await eventually('every reward read back', () => digests.size === half, 300_000);
  await follower.close();
});
const expected = createHash('sha256');
const found = createHash('sha256');
for (let n = 0; n < half; n++) {
  const id = predictionId(n % partitions, 'bench', n);
  // The truth is 1 beside the answer: its squared error is 1.
  expected.update(`${id} -1\n`);
  found.update(`${id} ${digests.get(id)}\n`);
}
if (found.digest('hex') !== expected.digest('hex')) throw new Error('the rewards read back are not those expected');
if (tested.complaints.length > 0) throw new Error(`complaints: ${JSON.stringify(tested.complaints.slice(0, 3))}`);

console.log(costLine('fold, outputs appended', total, fold));
console.log(costLine('read back and checked (rewards)', half, readBack));
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
