/** What is asked about and around predictions: explanations, and answers that are asked for later. CLI and HTTP before a whole platform. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import type { ReferenceSample } from '../../schemas/deployment-document.ts';
import { isExplained } from '../../schemas/explainers.ts';
import { type Client, type ComputedAttribution, connect } from '../../sdk/client/index.ts';
import { deployment } from '../../sdk/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { seededRandom } from '../../statistics/random.ts';
import { millrace } from './cli-driver.ts';

const models = new URL('../models/', import.meta.url);
let directory: string;
let platform: Platform;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-attributions-'));
  platform = await startPlatform({
    configuration: resolveConfiguration({ flags: { directory, 'http.port': '0' }, environment: {} }),
    only: ['deployments', 'registry', 'attribution-sampling', 'provenance', 'model-server', 'scorer', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada' });
  for (const name of ['wine-a', 'diabetes-forest-regressor', 'iris-random-forest', 'iris-logreg', 'iris-xgboost']) {
    const file = await readFile(new URL(`${name}.onnx`, models));
    const { hash, sizeBytes } = await platform.runtime.parts.blobs.put(file);
    const unknown = { runId: null, taskId: null, flow: null, metrics: {}, tags: {}, alias: null, description: '' };
    const artifact = { name, hash, sizeBytes, codec: 'onnx' };
    const data = { model: name, requestId: name, artifact, ...unknown, actor: 'ada' };
    await platform.runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: name, id: name }]);
  }
  await eventually('all models', async () => (await client.models.list()).length === 5);
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

/** Cases of the models were computed by onnxruntime in Python. */
async function rowsOf(name: string): Promise<{ names: readonly string[]; rows: number[][] }> {
  const said = JSON.parse(await readFile(new URL(`${name}.json`, models), 'utf8')) as {
    readonly columns?: readonly string[];
    readonly inputs?: number[][];
    readonly cases?: readonly { readonly inputs: readonly { readonly shape: number[]; readonly data: number[] }[] }[];
  };
  const input = said.cases?.[0]?.inputs[0];
  const [count, width] = input?.shape ?? [];
  const lines = Array.from({ length: count ?? 0 }, (_, row) => input!.data.slice(row * width!, (row + 1) * width!));
  const rows = said.inputs ?? lines;
  return { names: said.columns ?? rows[0]!.map((_, column) => `f${column}`), rows };
}

async function reference(names: readonly string[], rows: readonly number[][]): Promise<string> {
  const sample: ReferenceSample = {
    columns: names.map((name, column) => ({ name, values: rows.map((row) => row[column]!) })),
  };
  return (await platform.runtime.parts.blobs.put(Buffer.from(JSON.stringify(sample)))).hash;
}

/** Rows about the given ones, because a reference needs more than the cases have. */
function around(rows: readonly number[][], count: number): number[][] {
  const random = seededRandom('around');
  return Array.from({ length: count }, (_, n) =>
    rows[n % rows.length]!.map((value) => value * (1 + 0.2 * random.normal())),
  );
}

async function deploy(model: string, rows?: readonly number[][]): Promise<readonly number[][]> {
  const known = await rowsOf(model);
  const referenceHash = await reference(known.names, rows ?? around(known.rows, 120));
  await client.deploy(
    deployment(model).route('main', `models:/${model}/1`).features(known.names).monitors({ referenceHash }),
  );
  return known.rows;
}

const predict = async (name: string, row: readonly number[]): Promise<string> =>
  (await client.predict(name, { rows: [row] })).predictionId;

async function attribute(id: string, ...words: readonly string[]): Promise<ComputedAttribution> {
  const { out, err, code } = await millrace([
    'predictions',
    'attribute',
    id,
    ...words,
    '--url',
    platform.url!,
    '--json',
  ]);
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as ComputedAttribution;
}

const sum = (of: ComputedAttribution): number => of.features.reduce((total, { attribution }) => total + attribution, 0);

describe('an explanation on demand', () => {
  it('by Kernel SHAP gives a linear model its coefficients times the distance from the mean', async () => {
    const { names, rows } = await rowsOf('wine-a');
    const sample = rows.slice(0, 100);
    await deploy('wine-a', sample);
    const explained = await attribute(await predict('wine-a', rows[150]!), '--method', 'kernel-shap');
    // Of scikit-learn's ElasticNet.
    const coefficients: Readonly<Record<string, number>> = {
      'fixed acidity': -0.0389041,
      'volatile acidity': -0.0822443,
      'residual sugar': 0.0140437,
      'free sulfur dioxide': 0.0085478,
      'total sulfur dioxide': -0.002303,
      alcohol: 0.3092902,
    };
    for (const [column, name] of names.entries()) {
      const mean = sample.reduce((total, row) => total + row[column]!, 0) / sample.length;
      const found = explained.features.find((feature) => feature.name === name);
      expect(found!.attribution, name).toBeCloseTo((coefficients[name] ?? 0) * (rows[150]![column]! - mean), 4);
    }
    expect(explained.base + sum(explained)).toBeCloseTo(explained.prediction, 9);
    expect(explained).toMatchObject({ type: 'computed', output: 'variable', backgroundRows: 100, methodVersion: 1 });
    expect(explained.artifactHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('by Tree SHAP from the trees of the ONNX file agrees with exact values of the model as a black box', async () => {
    const rows = await deploy('diabetes-forest-regressor');
    const id = await predict('diabetes-forest-regressor', rows[0]!);
    const [byTrees, asked] = [await attribute(id), await attribute(id, '--method', 'kernel-shap')];
    expect([byTrees.method, asked.method]).toEqual(['tree-shap', 'kernel-shap']);
    // 2^10 coalitions are asked one by one; the trees are asked once, to see that they are the model.
    expect(asked.rowsAsked).toBeGreaterThan(100_000);
    expect(byTrees.rowsAsked).toBeLessThan(200);
    for (const [index, { attribution }] of byTrees.features.entries())
      expect(attribution).toBeCloseTo(asked.features[index]!.attribution, 3);
    expect(byTrees.base + sum(byTrees)).toBeCloseTo(byTrees.prediction, 9);
    expect(byTrees.prediction).toBeCloseTo(asked.prediction, 3);
  }, 60_000);

  it('explains the predicted class of a forest of classifiers, or the one that is named; a draw of the terminal shows it', async () => {
    const rows = await deploy('iris-random-forest');
    const id = await predict('iris-random-forest', rows[0]!);
    const { predictionId, output, method } = await attribute(id);
    expect({ predictionId, output, method }).toEqual({
      predictionId: id,
      output: 'probabilities[0]',
      method: 'tree-shap',
    });
    expect((await attribute(id, '--output', 'probabilities[2]')).output).toBe('probabilities[2]');
    const shown = await millrace(['predictions', 'attribute', id, '--url', platform.url!]);
    expect(shown.out).toMatch(/probabilities\[0\] = .* by iris-random-forest v1 on route main[\s\S]*f2 = .*│█+/);
    const again = await millrace(['replay', id, '--url', platform.url!]);
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('the outputs are the same, byte for byte') });
  });

  it('takes Kernel SHAP where scores are no sums of leaves', async () => {
    const rows = await deploy('iris-xgboost');
    const id = await predict('iris-xgboost', rows[0]!);
    expect(await attribute(id)).toMatchObject({ method: 'kernel-shap' });
    await expect(attribute(id, '--method', 'tree-shap')).rejects.toThrow(
      /tree-shap explains models that are one tree ensemble/,
    );
  });

  it('finds an anchor, a counterfactual, and what the model goes by', async () => {
    const rows = await deploy('iris-logreg');
    const id = await predict('iris-logreg', rows[0]!);
    const anchored = await attribute(id, '--method', 'anchors');
    expect(anchored.anchor).toMatchObject({ valid: true });
    expect(anchored.anchor!.conditions.length).toBe(
      anchored.features.filter(({ attribution }) => attribution === 1).length,
    );
    const { counterfactual } = await attribute(id, '--method', 'counterfactual');
    expect(counterfactual!.foundBy).toBe('search');
    const own = await client.predict('iris-logreg', { rows: [rows[0]!] });
    const other = await client.predict('iris-logreg', { rows: [counterfactual!.values] });
    expect(other.outputs[0]!.data).not.toEqual(own.outputs[0]!.data);
    const importance = await attribute(id, '--method', 'permutation-importance');
    expect(importance).toMatchObject({ against: 'answers', base: 0 });
    // Petals tell the species apart.
    const sorted = [...importance.features].sort((a, b) => b.attribution - a.attribution);
    expect(sorted[0]!.name).toBe('f2');
    // A forest has no slope: the nearest row of the reference is another one.
    const forest = await predict('iris-random-forest', rows[0]!);
    expect((await attribute(forest, '--method', 'counterfactual')).counterfactual!.foundBy).toBe('reference');
  });

  it('is the stored one when it is asked again, and listed', async () => {
    const rows = (await rowsOf('iris-logreg')).rows;
    const id = await predict('iris-logreg', rows[1]!);
    const first = await attribute(id);
    expect(await attribute(id)).toEqual(first);
    const listed = await client.attributions.list(id);
    expect(listed).toEqual([first]);
    const lines = await millrace(['predictions', 'attributions', id, '--url', platform.url!]);
    expect(lines.out).toContain(`prediction ${id} of iris-logreg v1`);
  });

  it('explains a graph with code as a whole', async () => {
    const { rows } = await rowsOf('iris-logreg');
    const referenceHash = await reference(['a', 'b', 'c', 'd'], around(rows, 60));
    const file = join(directory, 'halved.ts');
    const sdk = new URL('../../sdk/index.ts', import.meta.url).pathname;
    await writeFile(
      file,
      `import { deployment, graph } from ${JSON.stringify(sdk)};
      const blind = ({ X }: { X: number[] }) => ({ X: [X[0]!, 0, X[2]!, X[3]!] });
      export default deployment('blinded')
        .route('main', graph().transformer('blind', blind).model('forest', 'models:/iris-logreg/1', { inputs: ['blind'] }))
        .features(['a', 'b', 'c', 'd']).monitors({ referenceHash: '${referenceHash}' });`,
    );
    const deployed = await millrace(['deploy', file, '--url', platform.url!]);
    expect(deployed.err + deployed.out).toContain('blinded');
    const tensor = { name: 'X', datatype: 'FP32', shape: [1, 4], data: rows[0]! };
    const { predictionId } = await client.predict('blinded', { inputs: [tensor] });
    const { features, method } = await attribute(predictionId);
    expect(method).toBe('kernel-shap');
    expect(features.find(({ name }) => name === 'b')!.attribution).toBeCloseTo(0, 12);
    expect(Math.abs(features.find(({ name }) => name === 'c')!.attribution)).toBeGreaterThan(0.01);
  });
});

describe('what cannot be explained', () => {
  beforeAll(async () => {
    await deploy('iris-logreg');
    await deploy('wine-a');
  });
  it('is said with the reason and the way out', async () => {
    const { rows } = await rowsOf('iris-logreg');
    await client.deploy(deployment('bare').route('main', 'models:/iris-logreg/1'));
    const id = await predict('bare', rows[0]!);
    await expect(attribute(id)).rejects.toThrow(/names no reference sample.*monitors.referenceHash/);
    const other = await predict('iris-logreg', rows[2]!);
    await expect(attribute(other, '--output', 'price')).rejects.toThrow(
      /no column 'price'; it has label, probabilities\[0\]/,
    );
    await expect(attribute(other, '--row', '3')).rejects.toThrow(/has 1 rows/);
    const wine = await predict('wine-a', (await rowsOf('wine-a')).rows[0]!);
    await expect(attribute(wine, '--method', 'anchors')).rejects.toThrow(/'variable' is a number/);
    await expect(attribute(wine, '--method', 'counterfactual')).rejects.toThrow(/say with a target/);
    await expect(attribute('0'.repeat(32))).rejects.toThrow(/there is no prediction/);
    const failed = await client.predict('iris-logreg', { rows: [[1]] }).catch((error: unknown) => error);
    const { predictionId } = (failed as { details: { predictionId: string } }).details;
    await expect(attribute(predictionId)).rejects.toThrow(/failed: /);
    await client.deploy(
      deployment('discreet')
        .route('main', 'models:/iris-logreg/1')
        .payloads({ redact: ['X'] }),
    );
    await expect(attribute(await predict('discreet', rows[0]!))).rejects.toThrow(/inputs of .* were not recorded/);
    const astray = deployment('astray').route('main', 'models:/iris-logreg/1').features(['a', 'b', 'c', 'd']);
    await expect(client.deploy(astray.monitors({ referenceHash: '0'.repeat(64) }))).rejects.toThrow(
      /monitors.referenceHash: no artifact and no blob has the hash 0000/,
    );
    // Refusals are facts too.
    expect(await client.attributions.list(id)).toMatchObject([{ type: 'refused', code: 'INVALID_ARGUMENT' }]);
  });
});

describe('a share of the traffic', () => {
  it('is explained by itself, as events', async () => {
    const { names, rows } = await rowsOf('iris-logreg');
    const referenceHash = await reference(names, around(rows, 60));
    const sampled = deployment('sampled').route('main', 'models:/iris-logreg/1').features(names);
    await client.deploy(sampled.monitors({ referenceHash }).explain('kernel-shap', { share: 0.5 }));
    const heard = new Set<string>();
    const subscription = client.subscribe(
      'attributions',
      ({ type, data }) => {
        if (type === 'attribution-computed' && data.deployment === 'sampled') heard.add(data.predictionId);
      },
      { from: 'earliest' },
    );
    const ids = await Promise.all(Array.from({ length: 40 }, (_, n) => predict('sampled', rows[n % rows.length]!)));
    const expected = ids.filter((id) => isExplained(id, 0.5));
    expect(expected.length).toBeGreaterThan(8);
    await eventually('the sampled ones', () => heard.size === expected.length, 30_000);
    expect([...heard].sort()).toEqual([...expected].sort());
    await subscription.close();
    expect(() => sampled.explain('auto', { share: 0.1 }).spec()).toThrow(/explainers need monitors.referenceHash/);
  });
});

describe('a prediction that nobody waits for', () => {
  beforeAll(async () => void (await deploy('iris-logreg')));
  it('is handed in, and its answer is there when it is asked for', async () => {
    const { rows } = await rowsOf('iris-logreg');
    const row = JSON.stringify(rows[3]!);
    const url = ['--url', platform.url!];
    const handed = await millrace(['predict', 'iris-logreg', row, '--async', '--id', 'later', '--json', ...url]);
    const { id, status } = JSON.parse(handed.out) as { id: string; status: string };
    expect(status).toBe('in_queue');
    const shown = await millrace(['predictions', 'show', id, '--wait', '--json', ...url]);
    const { result, ...about } = JSON.parse(shown.out) as Record<string, unknown>;
    expect(about).toMatchObject({ id, status: 'completed', completedAt: expect.any(Number) });
    const { queueMs, runMs, publishMs } = about['stages'] as Record<string, number>;
    for (const stage of [queueMs, runMs, publishMs]) expect(stage).toBeGreaterThanOrEqual(0);
    const own = await client.predict('iris-logreg', { rows: [rows[3]!] });
    expect(result).toMatchObject({ model_name: 'iris-logreg', id: 'later', outputs: own.outputs });
    // The same id again is the same prediction; any prediction can be shown.
    expect((await client.submit('iris-logreg', { rows: [rows[3]!] }, { id: 'later' })).predictionId).toBe(
      about['predictionId'],
    );
    expect(await client.prediction(own.predictionId)).toMatchObject({ status: 'completed' });
  });

  it('ends as a failure that says why, also one that nobody can read', async () => {
    const ended = async (id: string) =>
      await eventually('an outcome', async () => {
        const shown = await client.prediction(id);
        return shown.status === 'in_queue' ? undefined : shown;
      });
    const narrow = await client.submit('iris-logreg', { rows: [[1]] });
    expect(await ended(narrow.id)).toMatchObject({
      status: 'failed',
      error: { code: 'INVALID_ARGUMENT', message: "input 'X': shape must be [-1, 4], got [1, 1]" },
    });
    const garbled = await client.submit('iris-logreg', {
      inputs: [{ name: 'X', datatype: 'FP99', shape: [1], data: [] }],
    });
    expect(await ended(garbled.id)).toMatchObject({ status: 'failed' });
    await expect(client.submit('nothing', { inputs: [] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const unknown = `${'0'.repeat(32)}-0-999999`;
    await expect(client.prediction(unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
