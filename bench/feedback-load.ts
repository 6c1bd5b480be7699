/**
 * The load of the fold benchmarks: predictions with distinct ids (keys of the fold's state), then one feedback for each, Avro encoded,
 * about 200 bytes a record; and what the fold must have said in the end.
 */
import { createHash } from 'node:crypto';
import { eventually } from '../runtime/testing/index.ts';
import type { Runtime } from '../runtime/engine/runtime.ts';
import { predictionId } from '../schemas/derived-ids.ts';

const perCall = 1_000;

/** Publishes `total` events: half of them predictions, half the feedback on them. */
export async function publishFeedbackLoad(runtime: Runtime, total: number): Promise<void> {
  const partitions = runtime.partitions('predictions');
  const half = total / 2;
  for (let from = 0; from < half; from += perCall)
    await runtime.publish(Array.from({ length: perCall }, (_, index) => prediction(from + index, partitions)));
  for (let from = 0; from < half; from += perCall)
    await runtime.publish(Array.from({ length: perCall }, (_, index) => feedback(from + index, partitions)));
}

/** Reads the rewards back until there is one for each prediction, and compares their digest with the one expected. */
export async function checkRewards(runtime: Runtime, total: number): Promise<void> {
  const partitions = runtime.partitions('predictions');
  const half = total / 2;
  const rewards = new Map<string, number | null>();
  const follower = await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'reward-recorded') rewards.set(data.predictionId, data.reward);
    },
  });
  await eventually('every reward read back', () => rewards.size === half, 300_000);
  await follower.close();
  const expected = createHash('sha256');
  const found = createHash('sha256');
  for (let n = 0; n < half; n++) {
    const id = predictionId(n % partitions, 'bench', n);
    // The truth is 1 beside the answer: its squared error is 1.
    expected.update(`${id} -1\n`);
    found.update(`${id} ${rewards.get(id)}\n`);
  }
  if (found.digest('hex') !== expected.digest('hex'))
    throw new Error('the rewards read back are not those that were expected');
}

function prediction(n: number, partitions: number) {
  return {
    topic: 'predictions' as const,
    type: 'prediction-completed' as const,
    key: `entity-${n}`,
    partition: n % partitions,
    id: `p${n}`,
    data: {
      predictionId: predictionId(n % partitions, 'bench', n),
      entity: `entity-${n}`,
      deployment: 'bench',
      deploymentVersion: 1,
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
      steps: [],
      routedBy: 'prediction-id',
      weightsVersion: 0,
      cached: false,
      withheld: false,
      leftOut: [],
      eventTime: null,
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
}

function feedback(n: number, partitions: number) {
  const id = predictionId(n % partitions, 'bench', n);
  return {
    topic: 'predictions' as const,
    type: 'feedback-received' as const,
    key: id,
    partition: n % partitions,
    id: `f${n}`,
    data: {
      feedbackId: `f${n}`,
      predictionId: id,
      truth: n + 1,
      label: null,
      reward: null,
      source: null,
      actor: 'bench',
      waitMs: 1000,
      row: null,
      rows: 0,
    },
  };
}
