import { describe, expect, it } from 'vitest';
import type { MonitorSettings, ReferenceSample } from '../../../schemas/deployment-document.ts';
import { recommendedMonitors } from '../../../schemas/recommended-monitors.ts';
import { type Detector, detectorsOf } from '../../../schemas/detectors.ts';
import { parseReference, type Reference } from '../../../services/scorer/reference-sample.ts';
import { scoreWindow as scoreBy } from '../../../services/scorer/score-window.ts';
import type { DriftScore, OutlierScore, WindowToScore } from '../../../services/scorer/window-score.ts';
import { empiricalThreshold, fitMahalanobis, scoreMahalanobis } from '../../../statistics/outliers/mahalanobis.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { tabularDrift } from '../../../statistics/drift/tabular-drift.ts';

const random = seededRandom(5);
const normals = (rows: number, mean = 0): number[] => Array.from({ length: rows }, () => mean + random.normal());
const codes = (rows: number, categories = 3): number[] =>
  Array.from({ length: rows }, () => random.integer(categories));

const sample = (columns: Record<string, readonly (number | null)[]>): Uint8Array =>
  Buffer.from(JSON.stringify({ columns: Object.entries(columns).map(([name, values]) => ({ name, values })) }));

const referenceColumns = {
  a: normals(1_000),
  b: normals(1_000),
  kind: codes(1_000),
  fixed: Array.from({ length: 1_000 }, () => 7),
};
const reference = parseReference(sample(referenceColumns));

const monitors: MonitorSettings = { ...recommendedMonitors, referenceHash: 'a'.repeat(64) };
const features: WindowToScore['features'] = [
  { name: 'a', kind: 'numeric' },
  { name: 'b', kind: 'numeric' },
  { name: 'kind', kind: 'categorical', categories: ['x', 'y', 'z'] },
  { name: 'fixed', kind: 'numeric' },
];

type Window = WindowToScore & { readonly monitors: MonitorSettings };

/** The window by both detectors in short. */
function scoreWindow(
  { monitors: asked, ...window }: Window,
  against: Reference,
): { readonly drift: DriftScore | undefined; readonly outliers: OutlierScore | undefined } {
  const scores = detectorsOf({ monitors: asked }).map((detector) => scoreBy(detector, window, against));
  return {
    drift: scores.find((score) => score.finds === 'drift'),
    outliers: scores.find((score) => score.finds === 'outliers'),
  };
}

function windowOf(columns: Record<string, readonly number[]>, overrule: Partial<Window> = {}): Window {
  const rows = Object.values(columns)[0]?.length ?? 0;
  return {
    rows,
    columns: Object.entries(columns).map(([name, values]) => ({ name, values })),
    outputs: [],
    windowId: 'w',
    predictionIds: Array.from({ length: rows }, (_, row) => `p${row}`),
    features,
    monitors,
    ...overrule,
  };
}

const same = { a: normals(250), b: normals(250), kind: codes(250), fixed: Array.from({ length: 250 }, () => 7) };

describe('drift', () => {
  it('is what the statistics say, per feature, with the settings of the deployment', () => {
    const window = { ...same, b: same.b.map((value) => value + 1) };
    const { drift } = scoreWindow(windowOf(window), reference);
    const expected = tabularDrift(referenceColumns, window, {
      categorical: ['kind'],
      alpha: 0.001,
      correction: 'bonferroni',
      minimumEffect: 0.15,
      ksMethod: 'auto',
    });
    expect(drift?.drifted).toBe(true);
    expect(drift?.features.map(({ name, test, drifted }) => [name, test, drifted])).toEqual([
      ['a', 'kolmogorov-smirnov', false],
      ['b', 'kolmogorov-smirnov', true],
      ['kind', 'chi-squared', false],
      ['fixed', 'kolmogorov-smirnov', false],
    ]);
    expect(drift?.features.map(({ pValue, effectSize, psi }) => [pValue, effectSize, psi])).toEqual(
      expected.features.map(({ pValue, effectSize, psi }) => [pValue, effectSize, psi]),
    );
    expect(drift?.features[0]?.threshold).toBe(expected.threshold);
  });

  it('needs both a small p-value and an effect', () => {
    const slight = windowOf({ ...same, b: same.b.map((value) => value + 0.5) });
    expect(scoreWindow(slight, reference).drift?.drifted).toBe(true);
    const demanding = { ...recommendedMonitors.drift, minEffectSize: 0.9 };
    const { drift } = scoreWindow({ ...slight, monitors: { ...monitors, drift: demanding } }, reference);
    expect(drift?.drifted).toBe(false);
    const strict = { ...recommendedMonitors.drift, alpha: 1e-30 };
    expect(scoreWindow({ ...slight, monitors: { ...monitors, drift: strict } }, reference).drift?.drifted).toBe(false);
  });

  it('of a category that the training data never had, and of a column that was constant', () => {
    const { drift } = scoreWindow(
      windowOf({ ...same, kind: same.kind.map(() => 9), fixed: same.fixed.map(() => 8) }),
      reference,
    );
    expect(drift?.features.map(({ drifted }) => drifted)).toEqual([false, false, true, true]);
  });

  it('leaves missing values out, and a column without any value untested', () => {
    const missing = Number.NaN;
    const { drift } = scoreWindow(
      windowOf({
        ...same,
        a: same.a.map((value, row) => (row % 2 === 0 ? missing : value)),
        b: same.b.map(() => missing),
      }),
      reference,
    );
    expect(drift?.features[0]?.drifted).toBe(false);
    expect(drift?.features[1]).toMatchObject({ test: 'none', pValue: missing, drifted: false });
  });

  it('takes infinite values as the ordinary extremes that they are', () => {
    const { drift } = scoreWindow(windowOf({ ...same, a: same.a.map(() => Number.POSITIVE_INFINITY) }), reference);
    expect(drift?.features[0]).toMatchObject({ drifted: true, effectSize: 1 });
  });

  it('reads columns by position when their names are not those of the features', () => {
    const byPosition = windowOf(same);
    const columns = byPosition.columns.map(({ values }, index) => ({ name: `input[${index}]`, values }));
    expect(scoreWindow({ ...byPosition, columns }, reference)).toEqual(scoreWindow(byPosition, reference));
    const reordered = { ...byPosition, columns: [...byPosition.columns].reverse() };
    expect(scoreWindow(reordered, reference)).toEqual(scoreWindow(byPosition, reference));
  });

  it('is not looked for when the deployment does not ask', () => {
    const { drift: _, ...without } = monitors;
    expect(scoreWindow(windowOf(same, { monitors: without }), reference).drift).toBeUndefined();
  });
});

describe('outliers', () => {
  it('are the rows beyond the threshold, which the stated share of the reference itself exceeds', () => {
    const model = fitMahalanobis(
      referenceColumns.a.map((a, row) => [a, referenceColumns.b[row] ?? 0, 7]),
      { scale: 'standard' },
    );
    const distances = referenceColumns.a.map(
      (a, row) => scoreMahalanobis(model, [a, referenceColumns.b[row] ?? 0, 7]).squaredDistance,
    );
    const threshold = empiricalThreshold(distances, 0.005);
    const beyond = referenceColumns.a.filter(
      (a, row) => scoreMahalanobis(model, [a, referenceColumns.b[row] ?? 0, 7]).squaredDistance > threshold,
    );
    expect(beyond).toHaveLength(5);
    const a = same.a.map((value, row) => (row === 17 ? 12 : value));
    const { outliers } = scoreWindow(windowOf({ ...same, a }), reference);
    expect(outliers?.threshold).toBe(threshold);
    expect(outliers?.scoredRows).toBe(250);
    const found = outliers?.outliers.find(({ predictionId }) => predictionId === 'p17');
    expect(found?.score).toBeCloseTo(scoreMahalanobis(model, [12, same.b[17] ?? 0, 7]).squaredDistance, 8);
    expect(found?.features[0]).toBe('a');
    expect(outliers?.outliers.length).toBeLessThan(10);
  });

  it('hold the stated rate on rows of the same kind', () => {
    const big = {
      a: normals(20_000),
      b: normals(20_000),
      kind: codes(20_000),
      fixed: Array.from({ length: 20_000 }, () => 7),
    };
    const asked = { ...monitors, outliers: { falsePositiveRate: 0.02 } };
    const { outliers } = scoreWindow(windowOf(big, { monitors: asked }), reference);
    const rate = (outliers?.outliers.length ?? 0) / 20_000;
    // 20 of 1,000 reference rows fix the threshold: within ± 4 standard errors of that.
    expect(rate).toBeGreaterThan(0.005);
    expect(rate).toBeLessThan(0.04);
  });

  it('count rows with missing or infinite values as not scored', () => {
    const a = same.a.map((value, row) => (row === 0 ? Number.NaN : row === 1 ? Number.NEGATIVE_INFINITY : value));
    expect(scoreWindow(windowOf({ ...same, a }), reference).outliers?.scoredRows).toBe(248);
  });

  it('are farther than any when a value leaves a column that was constant', () => {
    const fixed = same.fixed.map((value, row) => (row === 3 ? 7.5 : value));
    const { outliers } = scoreWindow(windowOf({ ...same, fixed }), reference);
    const row = outliers?.outliers.find(({ predictionId }) => predictionId === 'p3');
    expect(row).toMatchObject({ score: Number.POSITIVE_INFINITY });
    expect(row?.features[0]).toBe('fixed');
  });

  it('are none without numeric features', () => {
    const only = windowOf({ kind: same.kind }, { features: [{ name: 'kind', kind: 'categorical' }] });
    expect(scoreWindow(only, reference).outliers).toEqual({
      finds: 'outliers',
      threshold: Number.NaN,
      outliers: [],
      scoredRows: 0,
    });
  });
});

describe('what cannot be judged says why', () => {
  const sliced = Object.fromEntries(Object.entries(same).map(([name, values]) => [name, values.slice(0, 49)]));

  it.each<[string, () => unknown, RegExp]>([
    [
      'too few rows',
      () => scoreWindow(windowOf(sliced), reference),
      /has 49 rows, the deployment asks for at least 50/,
    ],
    ['no features', () => scoreWindow(windowOf(same, { features: [] }), reference), /names no features/],
    ['other columns', () => scoreWindow(windowOf({ a: same.a }), reference), /1 input columns, the deployment names 4/],
    [
      'a feature that the reference lacks',
      () => scoreWindow(windowOf({ other: same.a }, { features: [{ name: 'other', kind: 'numeric' }] }), reference),
      /no column 'other'/,
    ],
    [
      'nothing but missing values',
      () =>
        scoreWindow(
          windowOf({ a: same.a.map(() => Number.NaN) }, { features: [{ name: 'a', kind: 'numeric' }] }),
          reference,
        ),
      /no feature has values/,
    ],
    ['a reference that is no JSON', () => parseReference(Buffer.from('{')), /no JSON/],
    ['a reference of another shape', () => parseReference(Buffer.from('{"columns":[{"name":"a"}]}')), /must be/],
    [
      'a reference with text in it',
      () => parseReference(Buffer.from('{"columns":[{"name":"a","values":["1"]}]}')),
      /must be/,
    ],
    [
      'columns of unequal length',
      () => parseReference(sample({ a: normals(30), b: normals(29) })),
      /'b' has 29 values/,
    ],
    ['a small reference', () => parseReference(sample({ a: normals(19) })), /19 rows, at least 20/],
    [
      'a reference full of holes',
      () =>
        scoreBy(
          detectorsOf({ monitors })[1] as Detector,
          windowOf({ a: same.a }, { features: [{ name: 'a', kind: 'numeric' }] }),
          parseReference(sample({ a: Array.from({ length: 30 }, (_, i) => (i < 15 ? null : i)) })),
        ),
      /15 rows without missing values/,
    ],
  ])('%s', (_, judge, reason) => {
    expect(judge).toThrow(
      expect.objectContaining({ name: 'NotAssessable', message: expect.stringMatching(reason) as string }) as Error,
    );
  });

  it('reads null in a reference as a missing value', () => {
    const withHoles: ReferenceSample['columns'][number]['values'] = [
      ...(parseReference(sample({ a: [null, ...normals(30)] })).columns.get('a') ?? []),
    ];
    expect(withHoles[0]).toBeNaN();
  });
});
