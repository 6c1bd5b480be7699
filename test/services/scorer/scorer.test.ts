/** The scorer on a whole runtime: windows in, verdicts out, each once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceRecord, ServiceTask } from '../../../runtime/engine/service.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { DeploymentDocument, ReferenceSample } from '../../../schemas/deployment-document.ts';
import type { DriftAssessed, DriftNotAssessed, OutliersAssessed, WindowClosed } from '../../../schemas/events.ts';
import { recommendedMonitors } from '../../../schemas/recommended-monitors.ts';
import { createScorer, type Scorer } from '../../../services/scorer/scorer.ts';
import { seededRandom } from '../../../statistics/random.ts';

const random = seededRandom(9);
const normals = (rows: number, mean = 0): number[] => Array.from({ length: rows }, () => mean + random.normal());

let test: TestRuntime;
let scorer: Scorer;
let hash: string;
const verdicts = new Map<string, { type: string; data: DriftAssessed | DriftNotAssessed }>();
const outliers = new Map<string, OutliersAssessed>();
let said = 0;
/** The next so many reads of a blob fail. */
let blobsAway = 0;

beforeAll(async () => {
  test = await createTestRuntime({ partitions: { observations: 2 } });
  const { runtime } = test;
  const { blobs } = runtime.parts;
  const get = blobs.get.bind(blobs);
  blobs.get = async (wanted) => {
    if (blobsAway > 0) {
      blobsAway -= 1;
      throw new MillraceError('UNAVAILABLE', 'the blob store does not answer');
    }
    return await get(wanted);
  };
  const sample: ReferenceSample = {
    columns: [
      { name: 'a', values: normals(1_000) },
      { name: 'b', values: normals(1_000) },
    ],
  };
  hash = (await blobs.put(Buffer.from(JSON.stringify(sample)))).hash;
  scorer = await createScorer({ runtime });
  await runtime.runService(scorer.service);
  await runtime.follow('drift', {
    from: 'earliest',
    onEvent: ({ type, data }) => {
      if (type === 'detectors-configured') return;
      verdicts.set(data.windowId, { type, data });
      said += 1;
    },
  });
  await runtime.follow('outliers', { from: 'earliest', onEvent: ({ data }) => void outliers.set(data.windowId, data) });
});
afterAll(async () => {
  await test.close();
  await scorer.close();
});

function documentOf(name: string, overrule: Partial<DeploymentDocument['monitors']> = {}): DeploymentDocument {
  return {
    name,
    routes: [{ name: 'r', model: 'm', modelVersion: 1, artifactHash: 'a'.repeat(64), weight: 1 }],
    features: [
      { name: 'a', kind: 'numeric' },
      { name: 'b', kind: 'numeric' },
    ],
    feedback: { windowMs: 1_000, reward: 'negative-squared-error' },
    monitors: { ...recommendedMonitors, referenceHash: hash, ...overrule },
  };
}

let serial = 0;
/** Says on the log that a version was applied, and (unless it is an old one) puts it into the table. */
async function deploy(document: DeploymentDocument, version = 1, inTable = true): Promise<void> {
  serial += 1;
  const { name: deployment } = document;
  const text = JSON.stringify(document);
  const applied = { deployment, version, requestId: `q${serial}`, document: text, actor: 'tester' };
  await test.runtime.publish([
    { topic: 'deployment-events', type: 'deployment-applied', key: deployment, id: `a${serial}`, data: applied },
    ...(inTable
      ? [
          {
            topic: 'deployments',
            type: 'deployment-row',
            key: deployment,
            id: `d${serial}`,
            data: { deployment, version, document: text, actor: 'tester', appliedAt: 0 },
          } as const,
        ]
      : []),
  ]);
}

async function close(deployment: string, overrule: Partial<WindowClosed> = {}): Promise<string> {
  serial += 1;
  const a = normals(250);
  const data: WindowClosed = {
    deployment,
    deploymentVersion: 1,
    windowId: `window-${serial}`,
    rows: 250,
    openedAt: 1,
    closedAt: 2,
    closedBy: 'rows',
    sources: [{ partition: 0, firstOffset: 0, lastOffset: 249, offsets: [], rows: [] }],
    stream: 'predictions',
    window: '',
    role: 'window',
    rowsSeen: 250,
    lateRows: 0,
    startMs: 0,
    endMs: 0,
    columns: [
      { name: 'x[0]', values: a },
      { name: 'x[1]', values: normals(250) },
    ],
    outputs: [],
    predictionIds: a.map((_, row) => `p${row}`),
    routes: a.map(() => 'r'),
    ...overrule,
  };
  await test.runtime.publish([
    { topic: 'observations', type: 'window-closed', key: deployment, id: `w${serial}`, data },
  ]);
  return data.windowId;
}

const verdict = async (windowId: string) => await eventually(`a verdict on ${windowId}`, () => verdicts.get(windowId));

describe('the scorer', () => {
  it('judges drift and outliers of a window, with what a reader needs to judge the verdict', async () => {
    await deploy(documentOf('diamonds'));
    const clean = await close('diamonds');
    const shifted = await close('diamonds', {
      columns: [
        { name: 'a', values: normals(250, 3) },
        { name: 'b', values: normals(250) },
      ],
    });
    expect(await verdict(clean)).toMatchObject({
      type: 'drift-assessed',
      data: {
        deployment: 'diamonds',
        deploymentVersion: 1,
        detector: 'tabular-drift',
        referenceHash: hash,
        rows: 250,
        alpha: 0.001,
        correction: 'bonferroni',
        minEffectSize: 0.15,
        raiseAfter: 2,
        clearAfter: 3,
        drifted: false,
        features: [{ name: 'a' }, { name: 'b' }],
        sources: [{ partition: 0, firstOffset: 0, lastOffset: 249 }],
      },
    });
    expect(await verdict(shifted)).toMatchObject({
      data: { drifted: true, features: [{ drifted: true }, { drifted: false }] },
    });
    const rows = await eventually('outliers', () => outliers.get(shifted));
    expect(rows).toMatchObject({
      detector: 'mahalanobis',
      referenceHash: hash,
      scoredRows: 250,
      falsePositiveRate: 0.005,
    });
    expect(rows.outliers.length).toBeGreaterThan(20);
    expect(outliers.get(clean)?.outliers.length ?? 99).toBeLessThan(10);
  });

  it('judges a window by the version that made its predictions, also when another one is deployed', async () => {
    await deploy(documentOf('moved', { drift: { ...recommendedMonitors.drift, alpha: 0.01 } }), 1, false);
    await deploy(documentOf('moved', { drift: { ...recommendedMonitors.drift, alpha: 0.02 } }), 2);
    const old = await close('moved');
    const current = await close('moved', { deploymentVersion: 2 });
    expect(await verdict(old)).toMatchObject({ data: { alpha: 0.01, deploymentVersion: 1 } });
    expect(await verdict(current)).toMatchObject({ data: { alpha: 0.02, deploymentVersion: 2 } });
  });

  it('says why a window cannot be judged, and goes on', async () => {
    const { referenceHash: _, drift: _drift, outliers: _outliers, ...bare } = documentOf('bare').monitors;
    await deploy({ ...documentOf('bare'), monitors: bare });
    await deploy(documentOf('lost', { referenceHash: 'b'.repeat(64) }));
    await deploy(documentOf('garbage', { referenceHash: (await test.runtime.parts.blobs.put(Buffer.from('?'))).hash }));
    const reasons = new Map<string, RegExp>([
      [await close('nobody'), /deployment 'nobody' has no version 1/],
      [await close('diamonds', { deploymentVersion: 9 }), /no version 9/],
      [await close('bare'), /names no reference sample/],
      [await close('lost'), /no blob b{64}/],
      [await close('garbage'), /no JSON/],
      [
        await close('diamonds', {
          rows: 3,
          columns: [
            { name: 'a', values: [1, 2, 3] },
            { name: 'b', values: [1, 2, 3] },
          ],
        }),
        /3 rows/,
      ],
      [await close('diamonds', { columns: [] }), /0 input columns/],
    ]);
    for (const [windowId, reason] of reasons) {
      const { type, data } = await verdict(windowId);
      expect(type).toBe('drift-not-assessed');
      expect((data as DriftNotAssessed).reason).toMatch(reason);
    }
    expect(await verdict(await close('diamonds'))).toMatchObject({ type: 'drift-assessed' });
  });

  it('computes nothing anew for a rebuild of its values, but keeps the references again', async () => {
    await deploy(documentOf('rebuilt'));
    const first = await close('rebuilt', { role: 'reference' });
    const judged = await close('rebuilt');
    await verdict(judged);
    const batch: ServiceRecord[] = [];
    const { log } = test.runtime.parts;
    for (const partition of [0, 1]) {
      for await (const records of log.read({ topic: 'observations', partition }, { from: 0 })) {
        for (const raw of records) {
          const event = await test.runtime.decode('observations', raw);
          if (event.type !== 'window-closed' || ![first, judged].includes(event.data.windowId)) continue;
          batch.push({ raw, event, meta: event });
        }
      }
    }
    const task: ServiceTask = {
      name: 'scorer/observations/0',
      partition: { topic: 'observations', partition: 0 },
      signal: new AbortController().signal,
      again: true,
      get: () => Promise.resolve(undefined),
      entries: () => {
        throw new Error('the scorer reads its values by key');
      },
      changed: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
    };
    expect(batch).toHaveLength(2);
    const anew = await scorer.service.handle(batch, { ...task, again: false });
    expect(anew.count).toMatchObject({ windowsAssessed: 2 });
    const rebuilt = await scorer.service.handle(batch, task);
    expect(rebuilt.outputs).toEqual([]);
    expect(rebuilt.count).toMatchObject({ windowsAssessed: 0, windowsNotAssessed: 0 });
    expect(rebuilt.put).toEqual(anew.put);
    expect(rebuilt.put).toHaveLength(1);
  });

  it('waits for a blob store that is away for a while', async () => {
    const other: ReferenceSample = {
      columns: [
        { name: 'a', values: normals(500) },
        { name: 'b', values: normals(500) },
      ],
    };
    const { hash: otherHash } = await test.runtime.parts.blobs.put(Buffer.from(JSON.stringify(other)));
    await deploy(documentOf('patient', { referenceHash: otherHash }));
    blobsAway = 2;
    expect(await verdict(await close('patient'))).toMatchObject({ type: 'drift-assessed' });
    expect(blobsAway).toBe(0);
  });

  it('says each verdict once, under an id that follows from the window', async () => {
    const windowId = await close('diamonds');
    await verdict(windowId);
    const before = said;
    // The same window again, as after a crash before the commit: another record, the same verdict.
    await close('diamonds', { windowId });
    await verdict(await close('diamonds'));
    expect(said - before).toBe(1);
  });
});
