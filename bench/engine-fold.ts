/**
 * Events per second through the stateful fold `feedback-rewards`: predictions with 100,000 distinct keys and feedback for each, Avro
 * decoded, outputs appended and read back, digest checked. Run: `npx tsx bench/engine-fold.ts [events]`.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbStateStore } from '../runtime/adapters/state/lmdb-state-store.ts';
import { createTestRuntime, eventually } from '../runtime/testing/index.ts';
import { predictionId } from '../schemas/derived-ids.ts';
import { feedbackRewards } from '../topologies/feedback-rewards.ts';

const total = Number(process.argv[2] ?? 200_000);
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const state = await openLmdbStateStore({ directory, durability: 'process' });
const tested = await createTestRuntime({ parts: { state } });
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
console.log('published', total);
const began = performance.now();
const running = await runtime.runTopology(feedbackRewards);
const digests = new Set<string>();
const hash = createHash('sha256');
const follower = await runtime.follow('rewards', {
  from: 'earliest',
  onEvent: (event) => {
    if (event.type !== 'reward-recorded') return;
    digests.add(event.data.predictionId);
    hash.update(event.data.predictionId);
  },
});
await eventually(
  'all rewards',
  () => digests.size === half || (runtime.stats().some(({ status }) => status === 'failed') && new Error('failed')),
  300_000,
);
const seconds = (performance.now() - began) / 1000;
console.log(
  JSON.stringify({
    events: total,
    seconds,
    perSecond: Math.round(total / seconds),
    rewards: digests.size,
    complaints: tested.complaints.slice(0, 3),
  }),
);
console.log(runtime.stats()[0]);
await follower.close();
await running.close();
await tested.close();
await rm(directory, { recursive: true, force: true });
