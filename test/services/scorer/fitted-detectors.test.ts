/** Detectors that were fitted in a flow, and models in ONNX, by their files: in the worker threads of the scorer, on a whole runtime. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { DeploymentDocument, ReferenceSample } from '../../../schemas/deployment-document.ts';
import { deploymentProblems } from '../../../schemas/deployment-problems.ts';
import type { DetectorSettings } from '../../../schemas/detectors.ts';
import type { Column, DriftNotAssessed, OutliersAssessed, WindowClosed } from '../../../schemas/events.ts';
import { parseOutlierDetector } from '../../../schemas/outlier-detector.ts';
import { fitOutlierDetector, onnxOutlierDetector } from '../../../sdk/index.ts';
import { isOpen, scoreByFitted } from '../../../services/scorer/fitted-detectors.ts';
import { createScorer, type Scorer } from '../../../services/scorer/scorer.ts';
import { fitMahalanobis, scoreMahalanobis } from '../../../statistics/outliers/mahalanobis.ts';
import { seededRandom } from '../../../statistics/random.ts';

const models = new URL('../../models/', import.meta.url);
const onnx = readFileSync(new URL('iris-autoencoder-linear.onnx', models));
/** Computed by onnxruntime in Python from factors that numpy found. */
const [golden] = (JSON.parse(readFileSync(new URL('iris-autoencoder-linear.json', models), 'utf8')) as Golden).cases;
interface Golden {
  readonly cases: readonly {
    readonly inputs: readonly { readonly data: readonly number[] }[];
    readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
  }[];
}
const flowers = golden?.inputs[0]?.data ?? [];
const given = (name: string): readonly number[] => golden?.outputs.find((one) => one.name === name)?.data ?? [];

const columnNames = ['sepal length', 'sepal width', 'petal length', 'petal width'];
const columnsOf = (flat: readonly number[], names = columnNames): Column[] =>
  names.map((name, at) => ({ name, values: flat.filter((_, place) => place % names.length === at) }));
const flowerRows = flowers.length / columnNames.length;

let test: TestRuntime;
let scorer: Scorer;
const outliers: OutliersAssessed[] = [];
const reasons: DriftNotAssessed[] = [];

beforeAll(async () => {
  test = await createTestRuntime();
  const { runtime } = test;
  scorer = await createScorer({ runtime });
  await runtime.runService(scorer.service);
  await runtime.follow('outliers', { from: 'earliest', onEvent: ({ data }) => void outliers.push(data) });
  await runtime.follow('drift', {
    from: 'earliest',
    onEvent: ({ type, data }) => void (type === 'drift-not-assessed' && reasons.push(data)),
  });
});
afterAll(async () => {
  await scorer.close();
  await test.close();
});

const put = async (file: object): Promise<string> =>
  (await test.runtime.parts.blobs.put(Buffer.from(JSON.stringify(file)))).hash;

let deployments = 0;

/** A deployment with that detector, and one window of its predictions. */
async function judge(detector: Omit<DetectorSettings, 'name'>, columns: readonly Column[]): Promise<string> {
  deployments += 1;
  const name = `iris-${deployments}`;
  const document: DeploymentDocument = {
    name,
    routes: [],
    features: columns.map((column) => ({ name: column.name, kind: 'numeric' })),
    feedback: { windowMs: 60_000, reward: 'equal' },
    monitors: {
      window: { rows: 100, minRows: 1, maxAgeMs: 60_000 },
      detectors: [{ name: 'strange', ...detector }],
    },
  };
  const row = { deployment: name, version: 1, document: JSON.stringify(document), actor: 'tester', appliedAt: 0 };
  const rows = columns[0]?.values.length ?? 0;
  const window: WindowClosed = {
    deployment: name,
    deploymentVersion: 1,
    windowId: `w-${name}`,
    ...{ rows, columns, outputs: [], sources: [], routes: [], openedAt: 0, closedAt: 1, closedBy: 'rows' },
    predictionIds: Array.from({ length: rows }, (_, at) => `p${at}`),
    ...{ stream: 'predictions', window: '', role: 'window', rowsSeen: rows, lateRows: 0, startMs: 0, endMs: 0 },
  };
  await test.runtime.publish([
    { topic: 'deployments', type: 'deployment-row', key: name, id: `row-${name}`, data: row },
    { topic: 'observations', type: 'window-closed', key: name, id: `window-${name}`, data: window },
  ]);
  return name;
}

const found = (name: string) =>
  eventually(`a verdict on ${name}`, () => outliers.find(({ deployment }) => deployment === name));
const refused = async (name: string): Promise<string> =>
  (await eventually(`a reason about ${name}`, () => reasons.find(({ deployment }) => deployment === name))).reason;

const random = seededRandom('fitted-detectors');
const sample: ReferenceSample = {
  columns: ['a', 'b', 'c'].map((name) => ({ name, values: Array.from({ length: 400 }, () => random.normal()) })),
};
/** 300 usual rows, and one whose `b` is far out. */
const window: readonly Column[] = ['c', 'a', 'b'].map((name) => ({
  name,
  values: [...Array.from({ length: 300 }, () => random.normal()), name === 'b' ? 12 : 2.5],
}));

describe.each(['mahalanobis', 'isolation-forest', 'knn'] as const)('a detector fitted by %s', (method) => {
  it('is a file by which the scorer finds the row, at about the stated rate, and names the file', async () => {
    const file = fitOutlierDetector(sample, { method, falsePositiveRate: 0.02 });
    const fittedHash = await put(file);
    const {
      outliers: rows,
      threshold,
      detectorHash,
      referenceHash,
      ...verdict
    } = await found(await judge({ method, fittedHash }, window));
    expect({ threshold, detectorHash, referenceHash }).toEqual({
      threshold: file.threshold,
      detectorHash: fittedHash,
      referenceHash: '',
    });
    expect(verdict).toMatchObject({ detector: 'strange', method, scoredRows: 301 });
    expect(rows.find(({ predictionId }) => predictionId === 'p300')?.features[0]).toBe('b');
    expect(rows.length).toBeLessThan(25);
    expect(fitOutlierDetector(sample, { method, falsePositiveRate: 0.02 }), 'the same sample and seed').toEqual(file);
  });

  it('takes a threshold that is given, there or in the deployment', async () => {
    const file = fitOutlierDetector(sample, { method, threshold: 1e9 });
    expect(file).toMatchObject({ threshold: 1e9, falsePositiveRate: null });
    const fittedHash = await put(file);
    expect(await found(await judge({ method, fittedHash }, window))).toMatchObject({ outliers: [], threshold: 1e9 });
    const all = await found(await judge({ method, fittedHash, threshold: -1 }, window));
    expect(all.outliers).toHaveLength(301);
  });
});

it('scores a row of a file as the statistic does', async () => {
  const fittedHash = await put(fitOutlierDetector(sample, { method: 'mahalanobis' }));
  const { outliers: rows } = await found(await judge({ method: 'mahalanobis', fittedHash, threshold: -1 }, window));
  const [c, a, b] = window;
  const table = Array.from({ length: 400 }, (_, row) => sample.columns.map(({ values }) => values[row] ?? 0));
  const model = fitMahalanobis(table, { scale: 'standard' });
  for (const row of [0, 17, 300]) {
    const cells = [a, b, c].map((column) => column?.values[row] ?? 0);
    const { score } = rows.find(({ predictionId }) => predictionId === `p${row}`) ?? { score: Number.NaN };
    expect(score).toBeCloseTo(scoreMahalanobis(model, cells).squaredDistance, 10);
  }
});

describe('a model in ONNX', () => {
  const twice: ReferenceSample = { columns: columnsOf([...flowers, ...flowers]) };
  const reconstruction = () =>
    onnxOutlierDetector(twice, { onnx, gives: 'reconstruction', output: 'reconstruction', falsePositiveRate: 0.25 });

  it('that gives rows again scores them by their squared errors, with the share of each column', async () => {
    const fittedHash = await put(reconstruction());
    const asked = { method: 'onnx-reconstruction', fittedHash, threshold: -1 } as const;
    const { outliers: rows } = await found(await judge(asked, columnsOf(flowers)));
    expect(rows).toHaveLength(flowerRows);
    const again = given('reconstruction');
    for (const [row, { score, features, shares }] of rows.entries()) {
      const errors = columnNames.map((_, at) => ((flowers[row * 4 + at] ?? 0) - (again[row * 4 + at] ?? 0)) ** 2);
      const sum = errors.reduce((a, b) => a + b, 0);
      expect(score).toBeCloseTo(sum / 4, 5);
      expect(features[0]).toBe(columnNames[errors.indexOf(Math.max(...errors))]);
      expect(shares[0]).toBeCloseTo(Math.max(...errors) / sum, 3);
    }
  });

  it('that gives a score is taken by its word', async () => {
    const file = onnxOutlierDetector(twice, { onnx, gives: 'score', output: 'score', threshold: -1 });
    const { outliers: rows } = await found(
      await judge({ method: 'onnx-score', fittedHash: await put(file) }, columnsOf(flowers)),
    );
    for (const [row, { score, shares }] of rows.entries()) {
      expect(score).toBeCloseTo(given('score')[row] ?? Number.NaN, 5);
      expect(shares.reduce((a, b) => a + b, 0)).toBeLessThan(1 + 1e-9);
    }
    expect(rows).toHaveLength(flowerRows);
  });

  it('gets its threshold from the rate, among the rows of its sample', async () => {
    const fittedHash = await put(reconstruction());
    const asked = { method: 'onnx-reconstruction', fittedHash } as const;
    const { outliers: rows, threshold } = await found(await judge(asked, columnsOf(flowers)));
    expect(rows.length / flowerRows).toBeCloseTo(0.25, 1);
    expect(Math.min(...rows.map(({ score }) => score))).toBeGreaterThan(threshold);
  });

  it.each([
    [
      'another output',
      () => ({ ...reconstruction(), output: 'code' }),
      /4 number\(s\) a row as 'code', got 48 for 24 rows/,
    ],
    [
      'no such output',
      () => ({ ...reconstruction(), output: 'gone' }),
      /'gone', got none .*it has reconstruction, score, code/,
    ],
    ['no ONNX file', () => ({ ...reconstruction(), onnx: 'AAAA' }), /refuse|ONNX|model/i],
    [
      'another method',
      () => ({ ...reconstruction(), method: 'onnx-score', output: 'score' }),
      /is of method 'onnx-score'/,
    ],
    ['no detector at all', () => ({ columns: [] }), /this is no fitted detector: .*type/],
    [
      'columns that are not there',
      () => ({ ...reconstruction(), columns: ['petal', ...columnNames.slice(1)] }),
      /no column 'petal', which the fitted detector needs/,
    ],
  ])('with %s gives no verdict, with the reason', async (_, file, reason) => {
    const asked = { method: 'onnx-reconstruction', fittedHash: await put(file()) } as const;
    expect(await refused(await judge(asked, columnsOf(flowers)))).toMatch(reason);
  });

  it('that answers no number for a row finds it, farther out than any', async () => {
    const beyond = columnsOf([...flowers, ...columnNames.map(() => 1e39)]);
    const score = onnxOutlierDetector(twice, { onnx, gives: 'score', output: 'score', threshold: 1e6 });
    for (const file of [reconstruction(), score]) {
      const { outliers: rows } = await found(await judge({ method: file.method, fittedHash: await put(file) }, beyond));
      const last = rows.find(({ predictionId }) => predictionId === `p${flowerRows}`);
      expect(last?.score).toBe(Infinity);
      expect(last?.shares.every((share) => share > 0 && share <= 1)).toBe(true);
    }
  });

  it('that is refused is not opened again', async () => {
    const bad = new TextEncoder().encode(JSON.stringify({ ...reconstruction(), output: 'gone' }));
    const detector = { method: 'onnx-reconstruction', window: { minRows: 1 } } as never;
    const score = (bytes: Uint8Array) => scoreByFitted(detector, 'refused', bytes, { rows: 1 } as never);
    expect(isOpen('refused')).toBe(false);
    await expect(score(bad)).rejects.toThrow(/'gone', got none/);
    expect(isOpen('refused')).toBe(true);
    await expect(score(new Uint8Array())).rejects.toThrow(/'gone', got none/);
  });

  it('whose file is not there gives no verdict', async () => {
    const asked = { method: 'onnx-score', fittedHash: 'e'.repeat(64) } as const;
    expect(await refused(await judge(asked, columnsOf(flowers)))).toMatch(/no blob e{64}, the fitted detector/);
  });
});

describe('fitted detectors in a deployment', () => {
  const problems = (detector: object): string =>
    deploymentProblems({
      name: 'iris',
      routes: [{ name: 'main', weight: 1, model: 'iris', modelVersion: 1, artifactHash: 'a'.repeat(64) }],
      features: [],
      feedback: { windowMs: 60_000, reward: 'equal' },
      monitors: { window: { rows: 100, minRows: 1, maxAgeMs: 60_000 }, detectors: [{ name: 'x', ...detector }] },
    }).join('\n');

  it('need no reference sample, and what was settled by the fit is not said again', () => {
    const fitted = 'models:/iris@champion#strange';
    expect(problems({ method: 'knn', fitted })).toBe('');
    expect(problems({ method: 'onnx-score' })).toMatch(/\.fitted must name a detector that was fitted before/);
    expect(problems({ method: 'psi', fitted })).toMatch(/'psi' finds drift/);
    expect(problems({ method: 'knn', fitted, options: { neighbours: 3 } })).toMatch(/\.options was settled/);
    expect(problems({ method: 'knn', fitted: 'strange' })).toMatch(/fitted must match pattern/);
  });
});

it('refuses a forest whose nodes lead back, in which a walk would not end', () => {
  const file = fitOutlierDetector(sample, { method: 'isolation-forest', threshold: 1 });
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  expect(parseOutlierDetector(bytes(JSON.stringify(file)))).toEqual(file);
  const endless = JSON.stringify(file).replace(/"left":\[\d+/, '"left":[0');
  expect(() => parseOutlierDetector(bytes(endless))).toThrow(/a child of node 0 of model\.model\.trees\.0/);
});

it('refuses to fit what cannot be fitted, with the reason', () => {
  const [first] = sample.columns;
  expect(() => fitOutlierDetector({ columns: [] }, { method: 'knn' })).toThrow('the sample has no columns');
  const short = { columns: [{ name: 'a', values: [1, 2, 3] }] };
  expect(() => fitOutlierDetector(short, { method: 'knn' })).toThrow(/3 rows without missing values, at least 20/);
  const ragged = { columns: [...(first === undefined ? [] : [first]), { name: 'z', values: [1] }] };
  expect(() => fitOutlierDetector(ragged, { method: 'knn' })).toThrow(
    /column 'z' of the sample has 1 values, 'a' has 400/,
  );
  expect(() => fitOutlierDetector(sample, { method: 'knn', falsePositiveRate: 2 })).toThrow(
    /above 0 and below 1, got 2/,
  );
});
