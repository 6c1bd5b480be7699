/** A deployment's detectors of several kinds, from predictions and feedback to findings that can be computed again, on a whole runtime. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FollowedEvent } from '../../../runtime/engine/runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { type DetectorMethodName, methodOf } from '../../../schemas/detector-methods.ts';
import type { DeploymentDocument, ReferenceSample } from '../../../schemas/deployment-document.ts';
import { predictionId } from '../../../schemas/derived-ids.ts';
import type { DetectorSettings } from '../../../schemas/detectors.ts';
import type { AlertRaised, DriftAssessed, DriftNotAssessed } from '../../../schemas/events.ts';
import { monitoringTerms } from '../../../schemas/monitoring-terms.ts';
import { createReplays, type FindingReplays } from '../../../services/scorer/replay.ts';
import { createScorer, type Scorer } from '../../../services/scorer/scorer.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { topologies } from '../../../topologies/index.ts';
import { completed, feedback, tensor } from '../../topologies/prediction-events.ts';

const partitions = 3;
const predictions = 600;
const random = seededRandom('detector-chain');
const normals = (rows: number): number[] => Array.from({ length: rows }, () => random.normal());

const detectors: readonly DetectorSettings[] = [
  { name: 'joint', method: 'classifier' },
  { name: 'by-hour', method: 'psi', window: { lengthMs: 2_000, everyMs: 1_000, latenessMs: 2_000 } },
  { name: 'against-last', method: 'kolmogorov-smirnov', reference: { kind: 'window', back: 1 }, alpha: 0.001 },
  { name: 'answers', method: 'mann-whitney', target: 'outputs', reference: { kind: 'first', rows: 100 }, alpha: 0.001 },
  {
    name: 'wrong',
    method: 'online-fisher',
    target: 'errors',
    reference: { kind: 'first', rows: 100 },
    options: { expectedRunTime: 400 },
  },
  { name: 'level', method: 'cusum', options: { limit: 12 } },
  { name: 'broken', method: 'fisher', columns: ['a'] },
];

interface Found {
  readonly data: DriftAssessed;
  readonly partition: number;
  readonly offset: number;
}

let test: TestRuntime;
let scorer: Scorer;
let replays: FindingReplays;
const findings: Found[] = [];
const reasons: DriftNotAssessed[] = [];
const alerts: AlertRaised[] = [];

beforeAll(async () => {
  test = await createTestRuntime({ partitions: { predictions: partitions } });
  const { runtime } = test;
  const sample: ReferenceSample = {
    columns: [
      { name: 'a', values: normals(500) },
      { name: 'b', values: normals(500) },
    ],
  };
  const { hash: referenceHash } = await runtime.parts.blobs.put(Buffer.from(JSON.stringify(sample)));
  const document: DeploymentDocument = {
    name: 'iris',
    routes: [],
    features: [
      { name: 'a', kind: 'numeric' },
      { name: 'b', kind: 'numeric' },
    ],
    feedback: { windowMs: 60_000, reward: 'equal' },
    monitors: { referenceHash, window: { rows: 100, minRows: 50, maxAgeMs: 60_000 }, detectors },
  };
  const row = { deployment: 'iris', version: 1, document: JSON.stringify(document), actor: 'tester', appliedAt: 0 };
  await runtime.publish([{ topic: 'deployments', type: 'deployment-row', key: 'iris', id: 'row', data: row }]);
  scorer = await createScorer({ runtime });
  replays = await createReplays(runtime);
  await runtime.runService(scorer.service);
  for (const topology of topologies) await runtime.runTopology(topology);
  await runtime.follow('drift', {
    from: 'earliest',
    onEvent: (event: FollowedEvent<'drift'>) => {
      if (event.type === 'drift-not-assessed') reasons.push(event.data);
      if (event.type === 'drift-assessed')
        findings.push({ data: event.data, partition: event.partition, offset: event.offset });
    },
  });
  await runtime.follow('alerts', {
    from: 'earliest',
    onEvent: ({ type, data }) => void (type === 'alert-raised' && alerts.push(data)),
  });
  for (let n = 0; n < predictions; n++) {
    // A partition that lags would mix old rows into new windows.
    if (n === predictions / 2) await eventually('the first half is in windows', () => rowsWindowed() >= 2 * n);
    const id = predictionId(n % partitions, 'chain', n);
    const shifted = n >= predictions / 2;
    const truth = random.integer(3);
    const answer = random.uniform() < (shifted ? 0.5 : 0.9) ? truth : (truth + 1) % 3;
    const place = { topic: 'predictions', key: `entity-${n}`, partition: n % partitions } as const;
    const said = completed(n, {
      predictionId: id,
      deployment: 'iris',
      receivedAt: Date.now(),
      inputs: [tensor('input', [1, 2], [random.normal() + (shifted ? 2 : 0), random.normal()])],
      outputs: [tensor('y', [1], [answer + (shifted ? 3 : 0)])],
      terms: monitoringTerms(document),
    });
    const given = feedback(n, `f${n}`, { predictionId: id, truth: truth + (shifted ? 3 : 0) });
    await runtime.publish([
      { ...place, type: 'prediction-completed', id: `p${n}`, data: said },
      { ...place, type: 'feedback-received', id: `f${n}`, data: given },
    ]);
  }
});
afterAll(async () => {
  await replays.close();
  await test.close();
  await scorer.close();
});

/** Of both streams. */
function rowsWindowed(): number {
  return test.runtime
    .stats()
    .filter(({ task }) => task.startsWith('observation-windows/'))
    .reduce((sum, { counters }) => sum + (counters['rowsWindowed'] ?? 0), 0);
}

const of = (name: string): Found[] => findings.filter(({ data }) => data.detector === name);
/** In the column that was changed: a window by time may be so short on a busy machine that another column looks changed by chance. */
const drifted = async (name: string): Promise<Found> =>
  await eventually(`${name} finds drift`, () => of(name).find(({ data }) => data.features[0]?.drifted), 60_000);

describe('the detectors of a deployment', { timeout: 70_000 }, () => {
  it.each([
    ['joint', { method: 'classifier', referenceKind: 'artifact', features: [{ name: '*' }] }],
    ['by-hour', { method: 'psi', closedBy: 'time', features: [{ name: 'a', drifted: true }, { name: 'b' }] }],
    ['against-last', { referenceKind: 'window', features: [{ name: 'a', drifted: true }, { drifted: false }] }],
    ['answers', { target: 'outputs', referenceKind: 'first', referenceRows: 100, features: [{ name: 'y' }] }],
    ['wrong', { stream: 'feedback', target: 'errors', closedBy: 'alarm', features: [{ name: 'wrong' }] }],
    [
      'level',
      {
        method: 'cusum',
        features: [
          { name: 'a', drifted: true },
          { name: 'b', drifted: false },
        ],
      },
    ],
  ])(
    '%s finds the change, and the same numbers come from the rows at the positions that it names',
    async (name, says) => {
      const found = await drifted(name);
      expect(found.data).toMatchObject({
        ...says,
        methodVersion: methodOf(found.data.method as DetectorMethodName).version,
        drifted: true,
      });
      const again = await replays.replay(found);
      expect(again).toMatchObject({ detector: name, same: true, rows: found.data.rows });
      expect(again.replayed).toEqual(again.recorded);
    },
  );

  it('say why one of them cannot judge, and the others go on', async () => {
    const said = await eventually('a reason', () => reasons.find(({ detector }) => detector === 'broken'));
    expect(said.reason).toMatch(/column 'a' is not binary: 'fisher' cannot take it/);
    const first = reasons.find(({ detector }) => detector === 'against-last');
    expect(first?.reason).toMatch(/0 of the 1 windows before it are there/);
  });

  it('raise an alert each, of its own', async () => {
    await eventually('alerts', () => new Set(alerts.map(({ subject }) => subject)).size >= 6);
    const alert = alerts.find(({ subject }) => subject === 'wrong');
    expect(findings.map(({ data }) => data.findingId)).toContain(alert?.evidenceId);
  });

  it('show reference and window beside each other', async () => {
    const { distributions, problem } = await replays.show(await drifted('answers'));
    expect(problem).toBeNull();
    const [y] = distributions;
    expect(y?.reference.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    expect(y?.window.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
  });

  it('give another number when a row is not what it was', async () => {
    const found = await drifted('against-last');
    // The finding names rows of the first half, as if somebody had changed it.
    const sources = found.data.sources.map((source) => ({ ...source, firstOffset: 0 }));
    const data = { ...found.data, sources, findingId: 'forged' };
    const id = 'forged';
    await test.runtime.publish([{ topic: 'drift', type: 'drift-assessed', key: 'iris', id, data }]);
    const forged = await eventually('the forged one', () => findings.find((one) => one.data.findingId === 'forged'));
    expect(await replays.replay(forged)).toMatchObject({ same: false });
  });

  it('leave nobody complaining', () => {
    expect(test.complaints).toEqual([]);
  });
});
