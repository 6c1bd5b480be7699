/** From predictions and feedback to rewards, a verdict on the routes, a drift alarm and an audit, on a whole runtime. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { DeploymentDocument, ReferenceSample } from '../../../schemas/deployment-document.ts';
import { predictionId } from '../../../schemas/derived-ids.ts';
import type { AlertRaised, ExperimentAssessed, RewardRecorded } from '../../../schemas/events.ts';
import { monitoringTerms } from '../../../schemas/monitoring-terms.ts';
import { recommendedMonitors } from '../../../schemas/recommended-monitors.ts';
import { verifyAudit } from '../../../services/audit/verify.ts';
import { createScorer, type Scorer } from '../../../services/scorer/scorer.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { topologies } from '../../../topologies/index.ts';
import { completed, feedback, tensor } from '../../topologies/prediction-events.ts';

const partitions = 3;
const predictions = 600;
const seed = 4;

let test: TestRuntime;
let scorer: Scorer;
const rewards: RewardRecorded[] = [];
const assessments: ExperimentAssessed[] = [];
const alerts: AlertRaised[] = [];

beforeAll(async () => {
  test = await createTestRuntime({ partitions: { predictions: partitions } });
  const { runtime } = test;
  const random = seededRandom(seed);
  const normals = (rows: number): number[] => Array.from({ length: rows }, () => random.normal());
  const sample: ReferenceSample = {
    columns: [
      { name: 'a', values: normals(500) },
      { name: 'b', values: normals(500) },
    ],
  };
  const { hash: referenceHash } = await runtime.parts.blobs.put(Buffer.from(JSON.stringify(sample)));
  const document: DeploymentDocument = {
    name: 'diamonds',
    routes: [],
    features: [
      { name: 'a', kind: 'numeric' },
      { name: 'b', kind: 'numeric' },
    ],
    feedback: { windowMs: 3_000, reward: 'negative-squared-error' },
    monitors: {
      ...recommendedMonitors,
      referenceHash,
      window: { rows: 100, minRows: 50, maxAgeMs: 3_000 },
      experiment: { assessEvery: 250, alpha: 0.05 },
    },
  };
  const row = { deployment: 'diamonds', version: 1, document: JSON.stringify(document), actor: 'tester', appliedAt: 0 };
  await runtime.publish([{ topic: 'deployments', type: 'deployment-row', key: 'diamonds', id: 'row', data: row }]);

  scorer = await createScorer({ runtime });
  await runtime.runService(scorer.service);
  for (const topology of topologies) await runtime.runTopology(topology);
  await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'reward-recorded') rewards.push(data);
      if (type === 'experiment-assessed') assessments.push(data);
    },
  });
  await runtime.follow('alerts', {
    from: 'earliest',
    onEvent: ({ type, data }) => void (type === 'alert-raised' && alerts.push(data)),
  });

  for (let n = 0; n < predictions; n++) {
    // A partition that lags would mix old rows into new windows.
    if (n === predictions / 2) await eventually('the first half is in windows', () => rowsWindowed() === n);
    const id = predictionId(n % partitions, 'chain', n);
    const shifted = n >= predictions / 2;
    const route = random.uniform() < 0.5 ? 'rough' : 'fine';
    const truth = random.normal();
    const answer = truth + random.normal() * (route === 'rough' ? 3 : 1);
    const place = { topic: 'predictions', key: `entity-${n}`, partition: n % partitions } as const;
    const said = completed(n, {
      predictionId: id,
      route,
      inputs: [tensor('input', [1, 2], [random.normal() + (shifted ? 2 : 0), random.normal()])],
      outputs: [tensor('y', [1], [answer])],
      terms: monitoringTerms(document),
    });
    const given = feedback(n, `f${n}`, { predictionId: id, truth });
    const isEarly = n % 7 === 0;
    const records = [
      { ...place, type: 'prediction-completed', id: `p${n}`, data: said } as const,
      // Every tenth gets no feedback.
      ...(n % 10 === 0 ? [] : [{ ...place, type: 'feedback-received', id: `f${n}`, data: given } as const]),
    ];
    await runtime.publish(isEarly ? records.reverse() : records);
  }
});
afterAll(async () => {
  await test.close();
  await scorer.close();
});

function counted(topology: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { task, counters } of test.runtime.stats()) {
    if (!task.startsWith(`${topology}/`)) continue;
    for (const [name, value] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

const rowsWindowed = (): number | undefined => counted('observation-windows')['rowsWindowed'];

describe('the chain of monitors', () => {
  it('rewards each prediction that has feedback, once, and closes the others by time', async () => {
    await eventually('540 rewards', () => rewards.length >= 540);
    expect(new Set(rewards.map((reward) => reward.predictionId)).size).toBe(540);
    await eventually('all forgotten', () => counted('feedback-rewards')['predictionsForgotten'] === predictions);
    expect(rewards).toHaveLength(540);
    expect(counted('feedback-rewards')).toMatchObject({
      predictionsOpened: 600,
      predictionsClosedRewarded: 540,
      predictionsClosedUnrewarded: 60,
      feedbackReceived: 540,
      feedbackRewarded: 540,
      feedbackWaiting: 0,
    });
  });

  it('finds the better route', async () => {
    const last = await eventually('two assessments', () => assessments[1]);
    expect(last).toMatchObject({ verdict: 'better', better: 'fine', routes: [{ route: 'fine' }, { route: 'rough' }] });
  });

  it('raises one alarm, for the feature that moved', async () => {
    const alarm = await eventually('an alarm', () => alerts[0]);
    expect(alarm.message).toMatch(/^1 of 2 features .* a \(KS distance 0\.\d\d\)$/);
    await eventually('every row is in a window', () => rowsWindowed() === predictions);
    expect(alerts).toHaveLength(1);
  });

  it('is audited without a hole, and then comes to rest', async () => {
    const options = { topics: ['predictions'] } as const;
    const { log } = test.runtime.parts;
    const verified = async () => {
      const { chains, firstProblem } = await verifyAudit(log, test.runtime, options);
      expect(firstProblem).toBeUndefined();
      return chains.reduce((sum, { recordsVerified }) => sum + recordsVerified, 0);
    };
    // Only ticks may be left without a link, for good.
    await eventually('all is linked', async () => (await verified()) >= predictions + 540);
    expect(test.complaints).toEqual([]);
  });
});
