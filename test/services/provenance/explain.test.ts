import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainSvg } from '../../../cli/ui/chain-svg.ts';
import { drawChain } from '../../../cli/ui/chain-tree.ts';
import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { inputDigest } from '../../../schemas/input-digest.ts';
import { type CausalChain, type Provenance, startProvenance } from '../../../services/provenance/index.ts';
import { auditTrailOf } from './audit-of.ts';
import { completed, tensor } from '../../topologies/prediction-events.ts';

const runId = 'a'.repeat(32);
const predictionId = '0000'.padEnd(32, '7');
const feedbackId = 'f'.repeat(32);
let test: TestRuntime;
let provenance: Provenance;
let hashes: { model: string; bundle: string; rows: string };
let triggerPlace: string;

beforeAll(async () => {
  test = await createTestRuntime();
  const { runtime } = test;
  const put = async (text: string) => (await runtime.parts.blobs.put(Buffer.from(text))).hash;
  hashes = { model: await put('the model'), bundle: await put('the code'), rows: await put('the rows') };
  const raw = {
    topic: runtime.topic('triggers'),
    partition: 0,
    key: 'k',
    value: Buffer.from('{"name":"arrived"}'),
    headers: {},
  };
  const [offset = 0] = await runtime.parts.log.append([raw]);
  triggerPlace = `triggers/0@${offset}`;
  await runtime.publish(facts({ topic: 'triggers', partition: 0, offset }) as never);
  provenance = await startProvenance(
    runtime,
    queryStores({ directory: test.directory, 'query.url': '', 'kafka.prefix': '' } as never, 'query'),
    test.directory,
  );
}, 60_000);
afterAll(async () => {
  await provenance.close();
  await test.close();
});

const explain = async (id: string): Promise<CausalChain> => await provenance.queries.explain(id);
const kinds = (links: CausalChain['causes']): string[] => links.map(({ kind, id }) => `${kind} ${id}`);

describe('explain', () => {
  it('walks a prediction back to its trigger, and forth to its reward, each link verified', async () => {
    const chain = await explain(predictionId);
    expect(chain.causes.filter(({ verified }) => !verified)).toEqual([]);
    expect([chain.kind, chain.verified]).toEqual(['prediction', true]);
    expect(kinds(chain.causes)).toEqual([
      `prediction ${predictionId}`,
      'deployment price v1',
      'operation op-deploy',
      'route a',
      'model-version price v1',
      `artifact ${hashes.model}`,
      'task train',
      `run ${runId}`,
      `bundle ${hashes.bundle}`,
      'flow pricing v1',
      'trigger t-1',
      `artifact ${hashes.rows}`,
    ]);
    expect(kinds(chain.effects)).toEqual([`feedback ${feedbackId}`, `reward ${feedbackId}`, 'outliers outliers-1']);
    expect(chain.effects[0]?.text, 'another content under the id').toBe('truth 3 by app');
  });

  it.each([
    ['a run', runId, 'run', 'trigger t-1', 'prediction '],
    ['a task', `${runId}/train`, 'task', 'trigger t-1', undefined],
    ['an artifact', () => hashes.model, 'artifact', 'trigger t-1', 'model-version price v1'],
    [
      'an artifact as the tree calls it',
      () => `sha256:${hashes.model.slice(0, 12)}`,
      'artifact',
      'trigger t-1',
      'model-version price v1',
    ],
    ['a model version', 'price/1', 'model-version', 'trigger t-1', 'deployment price v1'],
    ['a model version by its URI', 'models:/price/1', 'model-version', 'trigger t-1', 'prediction '],
    [
      'a model version by an alias',
      'models:/price@champion',
      'model-version',
      'trigger t-1',
      'alias models:/price@champion',
    ],
    ['the newest version of a deployment', 'price', 'deployment', 'trigger t-1', 'prediction '],
    ['a trigger', 't-1', 'trigger', 'record arrived', `run ${runId}`],
    ['feedback', feedbackId, 'feedback', `prediction ${predictionId}`, undefined],
    ['drift', 'window-1', 'drift', 'window predictions/0@0–0', 'alert drift-window-1-raised'],
    ['outliers', 'outliers-1', 'outliers', `row ${predictionId}`, undefined],
    ['an alert', 'alarm-1', 'alert', 'drift window-1', undefined],
    ['quality', 'quality-1', 'quality', 'deployment price v1', 'alert quality-quality-1-right-raised'],
    ['an alert on quality', 'alarm-2', 'alert', 'quality quality-1', undefined],
    ['an operation', 'op-deploy', 'operation', 'operation op-deploy', undefined],
    ['a record of a prediction', 'predictions/0@0', 'prediction', 'trigger t-1', `reward ${feedbackId}`],
  ])('explains %s', async (_, id, kind, cause, effect) => {
    const chain = await explain(typeof id === 'string' ? id : id());
    expect([chain.kind, chain.causes.concat(chain.effects).filter(({ verified }) => !verified)]).toEqual([kind, []]);
    expect(kinds(chain.causes)).toContainEqual(expect.stringContaining(cause));
    if (effect !== undefined) expect(kinds(chain.effects)).toContainEqual(expect.stringContaining(effect));
  });

  it('leads from an outlier to its row, the detector with its threshold, the reference and the run that made that', async () => {
    const { causes, verified } = await explain('outliers-1');
    expect(verified).toBe(true);
    expect(kinds(causes).slice(0, 11)).toEqual([
      'outliers outliers-1',
      `row ${predictionId}`,
      'detector strange',
      `reference ${hashes.rows}`,
      'written train.rows',
      'task train',
      `run ${runId}`,
      `bundle ${hashes.bundle}`,
      'flow pricing v1',
      'trigger t-1',
      'window predictions/0@0–0',
    ]);
    const [, row, detector] = causes;
    expect(row).toMatchObject({
      text: 'row 2 of this prediction scores 5.000: carat 90 %, table 10 %',
      at: 'predictions/0@0',
      check: 'digest of the recorded inputs',
    });
    expect(detector?.text).toBe(
      'knn version 1 of the inputs, outliers score above 1.250, as 1 % of the reference does',
    );
  });

  it.each([
    ['another threshold than the document gives', 'outliers-2', 'the document says threshold 7, the finding 1.25'],
    ['a detector that the document does not have', 'outliers-3', "the document of the deployment has no detector 'no'"],
    ['another method', 'outliers-4', 'the document says method knn, the finding isolation-forest'],
    ['another reference', 'outliers-5', `the document names the reference ${'HASH'}, the finding ${'e'.repeat(64)}`],
  ])('names the link of a finding that claims %s', async (_, id, problem) => {
    const broken = (await explain(id)).causes.find(({ verified }) => !verified);
    expect([broken?.kind, broken?.problem]).toEqual(['detector', problem.replace('HASH', hashes.rows)]);
  });

  it('computes the digest of an audit entry again, and sees a wrong one', async () => {
    const [right, wrong] = await auditTrailOf(test.runtime, 'predictions', 0);
    expect(await explain(right)).toMatchObject({ kind: 'audit-entry', verified: true });
    const broken = await explain(wrong);
    expect(broken.verified).toBe(false);
    expect(broken.causes[0]?.problem).toContain('do not give the digest');
  });

  it.each([
    'nothing',
    'f00'.padEnd(64, '0'),
    'price/9',
    'models:/price@nobody',
    'predictions/0@999',
    'predictions/99@0',
    "'; --",
    '../../etc',
  ])('says what was searched for %s', async (id) => {
    await expect(explain(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('draws a tree and a picture in which nothing of an outsider is markup', async () => {
    const chain = await explain(predictionId);
    const tree = drawChain(chain);
    expect(tree).toContain(`run ${runId} flow pricing v1`);
    expect(tree.split('\n').filter((line) => /[├└]─/.test(line))).toHaveLength(
      chain.causes.length + chain.effects.length,
    );
    const hostile = { ...chain, causes: chain.causes.map((link) => ({ ...link, text: '<script>"&\u0000' })) };
    const svg = chainSvg(hostile);
    expect(svg).not.toContain('<script>');
    expect(svg).toContain('&lt;script&gt;&quot;&amp;\ufffd');
    expect(svg.match(/<rect /g)).toHaveLength(1 + 2 * (chain.causes.length + chain.effects.length));
  });

  it('names the link whose bytes were altered', async () => {
    const files = await readdir(join(test.directory, 'blobs'), { recursive: true, withFileTypes: true });
    const file = files.find((entry) => entry.isFile() && hashes.model.endsWith(entry.name.slice(-60)));
    if (file === undefined) throw new Error(`no file of ${hashes.model}`);
    const path = join(file.parentPath, file.name);
    const bytes = await readFile(path);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const chain = await explain(predictionId);
    expect(chain.verified).toBe(false);
    expect(kinds(chain.causes.filter(({ verified }) => !verified))).toEqual([`artifact ${hashes.model}`]);
    expect(drawChain(chain)).toContain('1 link(s) broken: artifact');
    expect(triggerPlace).toContain('@');
  });
});

/** What a flow, a registration, a deployment, a prediction and its monitoring say, in short. */
function facts(source: { topic: string; partition: number; offset: number }): readonly object[] {
  const token = { attempt: 1, dispatch: 1, incarnation: 'i' };
  const artifact = (name: string, hash: string) => ({ name, hash, sizeBytes: 9, codec: 'bytes' });
  const inputs = [tensor('x', [1, 2], [1, 2])];
  const document = {
    name: 'price',
    routes: [{ name: 'a', model: 'price', modelVersion: 1, artifactHash: hashes.model, weight: 1 }],
    features: [],
    feedback: { windowMs: 1, reward: 'equal' },
    monitors: {
      window: { rows: 1, minRows: 1, maxAgeMs: 1 },
      referenceHash: hashes.rows,
      detectors: [
        { name: 'ks', method: 'kolmogorov-smirnov' },
        { name: 'strange', method: 'knn' },
        { name: 'given', method: 'knn', threshold: 7 },
      ],
    },
  };
  const outliers = (findingId: string, detector: string, more: object = {}) =>
    say(
      'outliers',
      'outliers-assessed',
      'price',
      {
        ...{ deployment: 'price', deploymentVersion: 1, windowId: 'window-1', findingId, detector, method: 'knn' },
        ...{ referenceHash: hashes.rows, rows: 1, threshold: 1.25, falsePositiveRate: 0.01, scoredRows: 1 },
        outliers: [{ predictionId, score: 5, features: ['carat', 'table'], shares: [0.9, 0.1], row: 2 }],
        sources: [{ partition: 0, firstOffset: 0, lastOffset: 0 }],
        ...more,
      },
      { id: findingId },
    );
  const say = (topic: string, type: string, key: string, data: object, more: object = {}) => ({
    topic,
    type,
    key,
    data,
    id: `${type}-${key}`,
    ...more,
  });
  return [
    say('operations', 'trigger-handled', 'arrived', {
      triggerId: 't-1',
      name: 'arrived',
      source,
      flows: ['pricing'],
      outcome: 'started',
    }),
    say('operations', 'operation-recorded', 'price', {
      operationId: 'op-deploy',
      action: 'deployment.deploy',
      object: 'price',
      actor: 'ann',
      outcome: 'requested',
      detail: '{"requestId":"r-1"}',
    }),
    say('starts', 'flow-deployed', 'pricing', {
      flow: 'pricing',
      version: 1,
      requestId: 'r-0',
      bundleHash: hashes.bundle,
      actor: 'ann',
    }),
    say('runs', 'run-requested', runId, {
      runId,
      flow: 'pricing',
      version: 1,
      bundleHash: hashes.bundle,
      graph: '{}',
      parameters: '{}',
      tags: [],
      cause: { kind: 'trigger', id: 't-1', position: source },
      actor: 'trigger-matcher',
    }),
    say('runs', 'task-started', runId, { runId, taskId: 'train', token, worker: 'w' }),
    say('runs', 'task-completed', runId, {
      runId,
      taskId: 'train',
      token,
      worker: 'w',
      artifacts: [],
      requests: [],
      userMs: 1,
      logs: null,
    }),
    say('runs', 'run-completed', runId, { runId, flow: 'pricing', tasks: 1, startedAt: 1, artifacts: [] }),
    say(
      'artifacts',
      'artifact-written',
      runId,
      { runId, taskId: 'train', step: 'train', flow: 'pricing', attempt: 1, artifact: artifact('rows', hashes.rows) },
      { id: 'aw-1' },
    ),
    say(
      'artifacts',
      'artifact-written',
      runId,
      { runId, taskId: 'train', step: 'train', flow: 'pricing', attempt: 1, artifact: artifact('model', hashes.model) },
      { id: 'aw-2' },
    ),
    say('registry', 'version-registered', 'price', {
      model: 'price',
      version: 1,
      requestId: 'r-2',
      runId,
      taskId: 'train',
      flow: 'pricing',
      artifact: artifact('model', hashes.model),
      metrics: {},
      tags: {},
      description: '',
      actor: 'pricing',
    }),
    say('registry', 'alias-set', 'price', {
      model: 'price',
      alias: 'champion',
      version: 1,
      previous: null,
      requestId: 'r-3',
      actor: 'ann',
    }),
    say('deployment-events', 'deployment-applied', 'price', {
      deployment: 'price',
      version: 1,
      requestId: 'r-1',
      document: JSON.stringify(document),
      actor: 'ann',
    }),
    say(
      'predictions',
      'prediction-completed',
      'e',
      completed(7, {
        predictionId,
        deployment: 'price',
        route: 'a',
        model: 'price',
        artifactHash: hashes.model,
        inputs,
        inputDigest: inputDigest(inputs),
      }),
      { partition: 0 },
    ),
    say(
      'predictions',
      'feedback-received',
      'e',
      { feedbackId, predictionId, truth: 3, label: null, reward: null, source: null, actor: 'app', waitMs: 1 },
      { partition: 0 },
    ),
    say(
      'predictions',
      'feedback-received',
      'e',
      { feedbackId, predictionId, truth: 9, label: null, reward: null, source: null, actor: 'app', waitMs: 1 },
      { partition: 0, id: 'another content' },
    ),
    say('rewards', 'reward-recorded', 'price', {
      deployment: 'price',
      deploymentVersion: 1,
      predictionId,
      feedbackId,
      route: 'a',
      model: 'price',
      modelVersion: 1,
      prediction: 1,
      truth: 3,
      error: 2,
      reward: -4,
      rule: 'negative-squared-error',
      assessEvery: 1,
      alpha: 0.05,
    }),
    say('drift', 'drift-assessed', 'price', {
      deployment: 'price',
      deploymentVersion: 1,
      windowId: 'window-1',
      detector: 'ks',
      method: 'kolmogorov-smirnov',
      referenceHash: hashes.rows,
      rows: 1,
      correction: 'bonferroni',
      alpha: 0.05,
      features: [],
      drifted: true,
      sources: [{ partition: 0, firstOffset: 0, lastOffset: 0 }],
      minEffectSize: 0,
      raiseAfter: 1,
      clearAfter: 1,
    }),
    outliers('outliers-1', 'strange'),
    outliers('outliers-2', 'given', { outliers: [] }),
    outliers('outliers-3', 'no', { outliers: [] }),
    outliers('outliers-4', 'strange', { method: 'isolation-forest', outliers: [] }),
    outliers('outliers-5', 'strange', { referenceHash: 'e'.repeat(64), outliers: [] }),
    say('quality', 'quality-assessed', 'price', {
      ...{ deployment: 'price', deploymentVersion: 1, route: '', model: '', modelVersion: 0, segment: '' },
      ...{ window: 1, fromMs: 0, toMs: 1, rows: 50, task: 'classification', calibration: [], reward: null },
      metrics: [{ name: 'accuracy', value: 0.5, low: 0.4, high: 0.6 }],
      windowId: 'quality-1',
      bounds: [
        {
          ...{ name: 'right', metric: 'accuracy', least: 0.8, most: null, route: '', segment: '', surely: false },
          ...{ minRows: 1, raiseAfter: 1, clearAfter: 1 },
        },
      ],
    }),
    say(
      'alerts',
      'alert-raised',
      'price',
      {
        ...{ deployment: 'price', deploymentVersion: 1, kind: 'quality', subject: 'right' },
        ...{ message: 'accuracy is 0.5, below 0.8', evidenceId: 'quality-1', alertId: 'alarm-2' },
      },
      { id: 'quality-alert' },
    ),
    say('alerts', 'alert-raised', 'price', {
      deployment: 'price',
      deploymentVersion: 1,
      kind: 'drift',
      subject: 'ks',
      message: 'moved',
      evidenceId: 'window-1',
      alertId: 'alarm-1',
    }),
  ];
}
