import { describe, expect, test } from 'vitest';
import { lsdd, lsddTest } from '../../statistics/lsdd.ts';
import { medianHeuristic } from '../../statistics/mmd.ts';
import { seededRandom } from '../../statistics/random.ts';
import { expectGolden, goldenCases, num, rows } from './golden.ts';

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
    const direct = lsdd(x, y, { centres: [...x, ...y], sigma: 1, lambda: 0.05 });
    expect(tested.statistic).toBeCloseTo(direct.statistic, 10);
  });

  test('its permutation test sees a shift, and none where there is none', () => {
    const random = seededRandom(8);
    const sample = (shift: number) => Array.from({ length: 60 }, () => [random.normal() + shift, random.normal()]);
    expect(lsddTest(sample(0), sample(1.5), random, { centres: 20 }).pValue).toBeLessThan(0.02);
    expect(lsddTest(sample(0), sample(0), random, { centres: 20 }).pValue).toBeGreaterThan(0.05);
    expect(lsddTest([[1], [1]], [[1], [1]], random)).toMatchObject({ pValue: 1, sigma: 0 });
  });
});
