import { describe, expect, test } from 'vitest';
import { lsdd, lsddTest } from '../../../statistics/drift/lsdd.ts';
import { medianHeuristic } from '../../../statistics/drift/mmd.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { expectGolden, goldenCases, num, rows } from '../golden.ts';

describe('least-squares density difference', () => {
  test.each(goldenCases('lsdd'))('%s', (_, golden) => {
    const x = rows(golden.inputs['x']);
    const y = rows(golden.inputs['y']);
    const result = lsdd(x, y, {
      centres: rows(golden.inputs['centres']),
      sigma: num(golden.inputs['sigma']),
      lambda: num(golden.inputs['lambda']),
    });
    expectGolden(golden, {
      h: result.h,
      theta: result.theta,
      lsdd: result.statistic,
      sigma_median_heuristic: medianHeuristic([...x, ...y]),
    });
  });

  test('its permutation test uses the same statistic, for samples of different sizes too', () => {
    const random = seededRandom(9);
    const x = Array.from({ length: 12 }, () => [random.normal()]);
    const y = Array.from({ length: 7 }, () => [1 + random.normal()]);
    const tested = lsddTest(x, y, random, { sigma: 1, permutations: 5 });
    // the factor of one column and a width of 1
    const factor = Math.sqrt(Math.PI);
    const direct = lsdd(x, y, { centres: [...x, ...y], sigma: 1, lambda: 0.05 * factor });
    expect(tested.statistic).toBeCloseTo(direct.statistic * factor, 10);
  });

  test.each([
    ['many columns', 300, (value: number) => value],
    ['columns of another unit', 4, (value: number) => 1e-6 * value],
    ['repeated rows', 8, Math.round],
  ])('its permutation test sees a shift of %s', (_, columns, of) => {
    const random = seededRandom(10);
    const sample = (shift: number) =>
      Array.from({ length: 30 }, () => Array.from({ length: columns }, () => of(random.normal() + shift)));
    const tested = lsddTest(sample(0), sample(1.5), random, { permutations: 99 });
    expect(tested.statistic).toBeGreaterThan(0.01);
    expect(tested.statistic).toBeLessThan(10);
    expect(tested.pValue).toBe(0.01);
  });

  test('its permutation test sees a shift, and none where there is none', () => {
    const random = seededRandom(8);
    const sample = (shift: number) => Array.from({ length: 60 }, () => [random.normal() + shift, random.normal()]);
    expect(lsddTest(sample(0), sample(1.5), random, { centres: 20 }).pValue).toBeLessThan(0.02);
    expect(lsddTest(sample(0), sample(0), random, { centres: 20 }).pValue).toBeGreaterThan(0.05);
    expect(lsddTest([[1], [1]], [[1], [1]], random)).toMatchObject({ pValue: 1, sigma: 0 });
  });
});
