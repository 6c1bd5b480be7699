import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../statistics/random.ts';
import { type Column, type Table, tabularDrift } from '../../../statistics/drift/tabular-drift.ts';
import { expectGolden, goldenCases, num } from '../golden.ts';

describe('drift of a mixed table', () => {
  test.each(goldenCases('tabular-drift'))('%s', (_, golden) => {
    const reference = table(golden.inputs['reference']);
    const current = table(golden.inputs['current']);
    const options = { categorical: golden.inputs['categorical'] as string[], alpha: num(golden.inputs['alpha']) };
    const result = tabularDrift(reference, current, options);
    const discovery = tabularDrift(reference, current, { ...options, correction: 'benjamini-hochberg' });
    const byName = (key: 'pValue' | 'statistic') =>
      Object.fromEntries(result.features.map((feature) => [feature.feature, feature[key]]));
    expectGolden(golden, {
      pvalues: byName('pValue'),
      statistics: byName('statistic'),
      bonferroni_threshold: result.threshold,
      drift_bonferroni: result.drift,
      drift_bh: discovery.drift,
    });
  });

  test('gives effect sizes beside p-values, so that a big sample alone is no drift', () => {
    const random = seededRandom(7);
    const sample = (shift: number) => Float64Array.from({ length: 20_000 }, () => random.normal() + shift);
    const reference = { x: sample(0) };
    const current = { x: sample(0.05) };
    const strict = tabularDrift(reference, current);
    expect(strict.drift).toBe(true);
    const [feature] = strict.features;
    expect(feature?.effectSize).toBeGreaterThan(0.01);
    expect(feature?.effectSize).toBeLessThan(0.05);
    expect(feature?.psi).toBeLessThan(0.01);
    expect(tabularDrift(reference, current, { minimumEffect: 0.1 }).drift).toBe(false);
  });

  test('says so when a feature cannot be tested, and does not count it', () => {
    const result = tabularDrift({ a: [1, 2, 3], b: ['x', 'y', 'x'] }, { a: [Number.NaN], b: ['x'] });
    expect(result.features[0]).toMatchObject({
      feature: 'a',
      test: 'none',
      pValue: null,
      drift: false,
      counts: [3, 0],
    });
    expect(result.threshold).toBe(0.05);
  });

  test('refuses tables with different columns', () => {
    expect(() => tabularDrift({ a: [1] }, { b: [1] })).toThrow('reference has no column "b"');
    expect(() => tabularDrift({ a: [1], b: [2] }, { a: [1] })).toThrow('current has no column "b"');
    expect(() => tabularDrift({ constructor: [1] }, {})).toThrow('no column "constructor"');
  });
});

function table(input: unknown): Table {
  const columns = Object.entries(input as Record<string, unknown[]>);
  return Object.fromEntries(
    columns.map(([name, values]) => [name, values.map((value) => (value === 'NaN' ? Number.NaN : value)) as Column]),
  );
}
