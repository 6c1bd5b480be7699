import { describe, expect, test } from 'vitest';
import { medianHeuristic, mmdTest } from '../../../statistics/drift/mmd.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { expectGolden, goldenCase, goldenCases, num, rows } from '../golden.ts';

const SEED = 20;

describe('maximum mean discrepancy', () => {
  const drawn = goldenCases('mmd').filter(([, golden]) => 'permutations' in golden.expected);
  test.each(drawn)('%s', (_, golden) => {
    const options = { permutations: 1000, ...('sigma' in golden.inputs ? { sigma: num(golden.inputs['sigma']) } : {}) };
    const result = mmdTest(rows(golden.inputs['x']), rows(golden.inputs['y']), seededRandom(SEED), options);
    expectGolden(
      golden,
      {
        sigma: result.sigma,
        mmd2: result.statistic,
        mmd2_biased: result.biased,
        pvalue_permutation: result.pValue,
        null_quantile_95: result.nullQuantile95,
      },
      ['permutations'],
    );
  });

  test.each(goldenCases('mmd', 'tiny'))('%s', (_, golden) => {
    const x = rows(golden.inputs['x']);
    const y = rows(golden.inputs['y']);
    const all = mmdTest(x, y, seededRandom(SEED), { permutations: num(golden.expected['relabelings']) });
    expectGolden(golden, {
      sigma: all.sigma,
      mmd2: all.statistic,
      mmd2_biased: all.biased,
      pvalue_all_relabelings: all.pValue,
      relabelings: all.permutations,
    });
    const p = num(golden.expected['pvalue_all_relabelings']);
    const drawnP = mmdTest(x, y, seededRandom(SEED), { permutations: 400 }).pValue;
    expect(Math.abs(drawnP - p)).toBeLessThanOrEqual(4 * Math.sqrt((p * (1 - p)) / 400) + 1 / 400);
  });

  test('finds no drift where all rows are equal', () => {
    const golden = goldenCase('mmd', 'all-points-equal');
    const result = mmdTest(rows(golden.inputs['x']), rows(golden.inputs['y']), seededRandom(SEED));
    expectGolden({ ...golden, tolerance: {} }, { sigma: result.sigma, drift: result.pValue < 0.05 });
  });

  test('gives the same p-value for the same seed', () => {
    const [, golden] = goldenCases('mmd', 'no-shift')[0]!;
    const run = (seed: number) => mmdTest(rows(golden.inputs['x']), rows(golden.inputs['y']), seededRandom(seed));
    expect(run(1)).toEqual(run(1));
  });

  test('refuses ragged rows, NaN and a single row', () => {
    const random = seededRandom(SEED);
    expect(() => mmdTest([[1], [1, 2]], [[1], [2]], random)).toThrow('x[1] must have 1 columns like row 0, got 2');
    expect(() => mmdTest([[1], [Number.NaN]], [[1], [2]], random)).toThrow('x[1][0] must be a finite number');
    expect(() => mmdTest([[1], [2]], [[1]], random)).toThrow('y must hold at least 2');
    expect(
      medianHeuristic([
        [0, 0],
        [3, 4],
      ]),
    ).toBe(5);
  });
});
