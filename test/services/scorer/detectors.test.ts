/** Every method of windows on rows that moved and rows that did not, and what each says. */
import { describe, expect, it } from 'vitest';
import { detectorMethods, type DetectorMethodName, methodOf } from '../../../schemas/detector-methods.ts';
import { type Detector, type DetectorSettings, detectorsOf } from '../../../schemas/detectors.ts';
import { parseReference, referenceBytes } from '../../../services/scorer/reference-sample.ts';
import { scoreWindow } from '../../../services/scorer/score-window.ts';
import type { WindowToScore } from '../../../services/scorer/window-score.ts';
import { classifierTest } from '../../../statistics/drift/classifier-test.ts';
import { seededRandom } from '../../../statistics/random.ts';

const random = seededRandom('detectors');
const rows = (count: number, of: () => number): number[] => Array.from({ length: count }, of);
const normal = (): number => random.normal();
const coin = (): number => (random.uniform() < 0.3 ? 1 : 0);
const kind = (): number => random.integer(3);

const table = (count: number, shift = 0) => [
  { name: 'a', values: rows(count, () => normal() + shift) },
  { name: 'b', values: rows(count, normal) },
  { name: 'flag', values: rows(count, () => (random.uniform() < shift / 3 ? 1 : coin())) },
  { name: 'kind', values: rows(count, () => (shift > 0 && random.uniform() < 0.5 ? 0 : kind())) },
];
const answers = (count: number) => [
  { name: 'p[0]', values: rows(count, () => random.uniform()) },
  { name: 'p[1]', values: rows(count, () => random.uniform()) },
  { name: 'y', values: rows(count, normal) },
];
const reference = parseReference(referenceBytes(table(600), answers(600)));
const features = ['a', 'b', 'flag', 'kind'].map((name) => ({
  name,
  kind: name === 'kind' ? ('categorical' as const) : ('numeric' as const),
}));

function windowOf(count: number, shift = 0, overrule: Partial<WindowToScore> = {}): WindowToScore {
  const predictionIds = Array.from({ length: count }, (_, row) => `p${row}`);
  return {
    windowId: `w${count}`,
    rows: count,
    columns: table(count, shift),
    outputs: answers(count),
    predictionIds,
    features,
    ...overrule,
  };
}

function detector(method: DetectorMethodName, settings: Partial<DetectorSettings> = {}): Detector {
  const [found] = detectorsOf({
    monitors: {
      window: { rows: 400, minRows: 20, maxAgeMs: 1_000 },
      referenceHash: 'a'.repeat(64),
      detectors: [
        {
          name: method,
          method,
          alpha: 'permutations' in detectorMethods[method].options ? 0.01 : 0.001,
          // Each relabelling solves equations: fewer of them, at the level that they allow.
          ...(methodOf(method).needsContext === true
            ? { context: ['kind'], alpha: 0.03, options: { permutations: 39 } }
            : {}),
          ...settings,
        },
      ],
    },
  });
  return found as Detector;
}

const methods = (Object.keys(detectorMethods) as DetectorMethodName[]).filter(
  (name) => methodOf(name).runs === 'window',
);

const quality: readonly DetectorMethodName[] = ['missing-values', 'unseen-values', 'cardinality'];

describe.each(methods.filter((name) => methodOf(name).finds === 'drift' && !quality.includes(name)))('%s', (method) => {
  // What goes by pairs of rows needs fewer of them.
  const size = methodOf(method).over === 'rows' && method !== 'classifier' ? 120 : 400;
  it('finds rows that moved, and lets the others pass; the same window gives the same numbers', () => {
    const moved = windowOf(size, 1.5);
    const found = scoreWindow(detector(method), moved, reference);
    expect(found).toMatchObject({ finds: 'drift', drifted: true });
    expect(scoreWindow(detector(method), moved, reference)).toEqual(found);
    expect(scoreWindow(detector(method), windowOf(size), reference)).toMatchObject({ drifted: false });
  });

  it('needs its effect size too, and names what that is', () => {
    const found = scoreWindow(detector(method, { minEffectSize: 1e6 }), windowOf(size, 1.5), reference);
    if (found.finds !== 'drift') throw new Error(found.finds);
    expect(found.drifted).toBe(false);
    for (const feature of found.features)
      expect(feature).toMatchObject({ effect: methodOf(method).effect, minEffectSize: 1e6 });
    expect(found.features.every(({ pValue }) => Number.isNaN(pValue))).toBe(!methodOf(method).pValue);
  });

  it('survives constant columns, holes and infinities', () => {
    const columns = table(60).map(({ name, values }) => ({
      name,
      values: values.map((value, row) =>
        name === 'b' ? 7 : name === 'a' && row < 5 ? [Number.NaN, Infinity][row % 2]! : value,
      ),
    }));
    expect(scoreWindow(detector(method), windowOf(60, 0, { columns }), reference).finds).toBe('drift');
  });
});

describe('permutations', () => {
  const ofPsi = (correction: 'bonferroni' | 'benjamini-hochberg', permutations: number) =>
    scoreWindow(detector('psi', { alpha: 0.01, correction, options: { permutations } }), windowOf(60, 1.5), reference);
  it('that can reach no significance in so many columns give no verdict, with the number that could', () => {
    expect(() => ofPsi('bonferroni', 100)).toThrow(
      '100 permutations cannot tell drift at alpha 0.01 (bonferroni, 4 columns): options.permutations must be at least 399',
    );
    expect(ofPsi('bonferroni', 399)).toMatchObject({ finds: 'drift', drifted: true });
    expect(ofPsi('benjamini-hochberg', 100).finds).toBe('drift');
  });

  it.each(['mmd', 'lsdd'] as const)('that are none leave %s to its effect size', (method) => {
    const asked = detector(method, { options: { permutations: 0 } });
    const found = scoreWindow(asked, windowOf(60, 1.5), reference);
    expect(found).toMatchObject({ finds: 'drift', drifted: true, features: [{ pValue: Number.NaN }] });
  });
});

describe.each(['mahalanobis', 'isolation-forest', 'knn', 'spectral-residual'] as const)('%s', (method) => {
  it('finds the row that lies apart, with the feature that takes it there, at about the stated rate', () => {
    const columns = table(400).map(({ name, values }) => ({
      name,
      values: values.map((value, row) => (name === 'a' && row === 17 ? 15 : value)),
    }));
    const asked = detector(method, { falsePositiveRate: 0.02, columns: ['a', 'b', 'flag'] });
    const found = scoreWindow(asked, windowOf(400, 0, { columns }), reference);
    if (found.finds !== 'outliers') throw new Error(found.finds);
    const row = found.outliers.find(({ predictionId }) => predictionId === 'p17');
    expect(row?.features[0]).toBe('a');
    expect(row?.shares[0]).toBeGreaterThan(0.5);
    expect(found.outliers.length).toBeLessThan(400 * 0.06);
  });

  it('takes a threshold that is given', () => {
    const found = scoreWindow(detector(method, { threshold: 1e9 }), windowOf(100), reference);
    expect(found).toMatchObject({ threshold: 1e9, outliers: [], scoredRows: 100 });
  });
});

describe('context-mmd', () => {
  const draws = seededRandom('context of a window');
  /** At night another share of requests, each answered as before; `shift`: answered otherwise. */
  const hours = (count: number, night: number, shift = 0) => {
    const hour = rows(count, () => (draws.uniform() < night ? 22 + draws.integer(2) : 9 + draws.integer(8)));
    return [
      { name: 'hour', values: hour },
      { name: 'amount', values: hour.map((at) => (at > 20 ? 5 : 1) + draws.normal() + shift) },
    ];
  };
  const by = parseReference(referenceBytes(hours(150, 0.3), []));
  const spec = ['hour', 'amount'].map((name) => ({ name, kind: 'numeric' as const }));
  const asked = detector('context-mmd', { context: ['hour'], alpha: 0.03, options: { permutations: 39 } });
  const judged = (night: number, shift: number, method = asked) => {
    const found = scoreWindow(method, windowOf(80, 0, { columns: hours(80, night, shift), features: spec }), by);
    return found.finds === 'drift' && found.drifted;
  };

  it('passes over a change of the context alone, which other methods call drift, and finds what changed given it', () => {
    expect(judged(0.9, 0, detector('mmd', { columns: ['amount'], alpha: 0.03 }))).toBe(true);
    expect(judged(0.9, 0)).toBe(false);
    expect(judged(0.9, 1.5)).toBe(true);
    expect(judged(0.3, 0)).toBe(false);
  });

  it('says that a context is missing', () => {
    const window = windowOf(120, 0, { columns: hours(120, 0.3).slice(1), features: spec.slice(1) });
    expect(() => scoreWindow(asked, window, by)).toThrow("the inputs have no column 'hour'; they have amount");
  });
});

describe('spectral-residual', () => {
  const draws = seededRandom('series');
  const day = (count: number) =>
    rows(count, (): number => 0).map((_, t) => 10 * Math.sin(t / 4) + draws.normal() * 0.3);
  const spec = [{ name: 'load', kind: 'numeric' as const }];
  const by = parseReference(referenceBytes([{ name: 'load', values: day(800) }], []));

  it('finds the point that breaks the rhythm, though its value is an ordinary one', () => {
    const values = day(200).map((value, t) => (t === 119 ? -value : t === 40 ? Number.NaN : value));
    const window = windowOf(200, 0, { columns: [{ name: 'load', values }], features: spec });
    const found = scoreWindow(detector('spectral-residual', { falsePositiveRate: 0.005 }), window, by);
    if (found.finds !== 'outliers') throw new Error(found.finds);
    expect(found.outliers.map(({ predictionId }) => predictionId)).toContain('p119');
    expect(found.scoredRows).toBe(199);
    const far = scoreWindow(detector('mahalanobis', { falsePositiveRate: 0.005 }), window, by);
    expect(far.finds === 'outliers' && far.outliers.map(({ predictionId }) => predictionId)).not.toContain('p119');
  });
});

describe('Kolmogorov–Smirnov', () => {
  it('is exact for small windows: the p-value is that of counting all orders', () => {
    const sample = [1, 2, 3, 4, 5, 6, 7].flatMap((value) => [value, value + 0.25, value + 0.5]);
    const small = parseReference(referenceBytes([{ name: 'x', values: sample }], []));
    const window = windowOf(2, 0, {
      columns: [{ name: 'x', values: [100, 101] }],
      features: [{ name: 'x', kind: 'numeric' }],
    });
    const asked = {
      ...detector('kolmogorov-smirnov'),
      window: { ...detector('kolmogorov-smirnov').window, minRows: 2 },
    };
    const found = scoreWindow(asked, window, small);
    // Both above all 21, or both below: 2 of the C(23, 2) orders.
    expect(found.finds === 'drift' && found.features[0]?.pValue).toBeCloseTo(2 / 253, 12);
  });
});

describe('data quality', () => {
  const changed = (name: string, value: (value: number, row: number) => number) =>
    windowOf(400, 0, {
      columns: table(400).map((column) => ({
        name: column.name,
        values: column.name === name ? column.values.map(value) : column.values,
      })),
    });
  const moved = (method: DetectorMethodName, window: WindowToScore): readonly string[] => {
    const found = scoreWindow(detector(method), window, reference);
    return found.finds === 'drift' ? found.features.filter(({ drifted }) => drifted).map(({ name }) => name) : [];
  };

  it.each<[string, DetectorMethodName, WindowToScore, string]>([
    [
      'values that are missing',
      'missing-values',
      changed('b', (value, row) => (row % 5 === 0 ? Number.NaN : value)),
      'b',
    ],
    ['a column that came without any value', 'missing-values', changed('a', () => Number.NaN), 'a'],
    ['numbers beyond the range', 'unseen-values', changed('a', (value, row) => (row < 20 ? 99 : value)), 'a'],
    [
      'a category that training never had',
      'unseen-values',
      changed('kind', (value, row) => (row < 20 ? 7 : value)),
      'kind',
    ],
    ['a column that became constant', 'cardinality', changed('b', () => 1), 'b'],
  ])('finds %s, and only that', (_, method, window, column) => {
    expect(moved(method, window)).toEqual([column]);
    expect(moved(method, windowOf(400))).toEqual([]);
  });
});

describe('a detector', () => {
  it('looks at outputs and scores by their names', () => {
    const outputs = answers(400).map(({ name, values }) => ({
      name,
      values: name === 'p[1]' ? values.map((p) => p / 3) : values,
    }));
    const window = windowOf(400, 0, { outputs });
    expect(scoreWindow(detector('kolmogorov-smirnov', { target: 'scores' }), window, reference)).toMatchObject({
      features: [
        { name: 'p[0]', drifted: false },
        { name: 'p[1]', drifted: true },
      ],
    });
    const named = detector('kolmogorov-smirnov', { target: 'outputs', columns: ['y'] });
    expect(scoreWindow(named, window, reference)).toMatchObject({ features: [{ name: 'y', drifted: false }] });
  });

  it('samples what it cannot take, and says so', () => {
    const found = scoreWindow(detector('mmd'), windowOf(2_000), reference);
    expect(found).toMatchObject({ rowsUsed: 500, referenceRows: 500 });
    expect(scoreWindow(detector('kolmogorov-smirnov'), windowOf(2_000), reference)).toMatchObject({ rowsUsed: 2_000 });
  });

  it.each<[string, Detector, RegExp]>([
    [
      'a column that is not there',
      detector('psi', { columns: ['zz'] }),
      /the inputs have no column 'zz'; they have a, b, flag, kind/,
    ],
    [
      'a column of another kind',
      detector('fisher', { columns: ['a'] }),
      /column 'a' is not binary: 'fisher' cannot take it/,
    ],
  ])('says what is wrong: %s', (_, asked, message) => {
    expect(() => scoreWindow(asked, windowOf(100), reference)).toThrow(message);
  });
});

describe('the classifier two-sample test', () => {
  it('keeps its false alarm rate, and needs no column to be scaled alike', () => {
    const draws = seededRandom('c2st');
    const sample = (shift: number) =>
      Array.from({ length: 60 }, () => [draws.normal() * 1_000, draws.normal() + shift]);
    const pValues = Array.from({ length: 200 }, () => classifierTest(sample(0), sample(0), draws).pValue);
    // At 0.05 a binomial tail is conservative: ≤ 10 expected, 4 standard errors above are 22.
    expect(pValues.filter((p) => p <= 0.05).length).toBeLessThan(23);
    const { pValue, accuracy } = classifierTest(sample(0), sample(4), draws);
    expect(pValue).toBeLessThan(1e-6);
    expect(accuracy).toBeGreaterThan(0.9);
  });
});
