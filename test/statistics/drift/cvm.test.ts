import { describe, expect, test } from 'vitest';
import { cvmTwoSample } from '../../../statistics/drift/cvm.ts';
import { expectGolden, goldenCases, nums } from '../golden.ts';

describe('Cramér–von Mises', () => {
  test.each(goldenCases('cvm'))('%s', (_, golden) => {
    const x = nums(golden.inputs['x']);
    const y = nums(golden.inputs['y']);
    const { statistic, pValue } = cvmTwoSample(x, y, 'asymptotic');
    const got: Record<string, unknown> = { statistic, pvalue_asymptotic: pValue };
    if ('pvalue_exact' in golden.expected) got['pvalue_exact'] = cvmTwoSample(x, y, 'exact').pValue;
    expectGolden(golden, got);
  });

  test('its exact law agrees with the asymptotic one at moderate sizes', () => {
    const x = [0.1, 0.4, 0.35, 0.8, 1.2, 2.2, -0.5, -1, 0.9, 0.7];
    const y = [1.1, 1.4, 1.35, 1.8, 2.21, 3.2, 0.5, 0.05, 1.9, 1.7];
    const exact = cvmTwoSample(x, y);
    expect(exact.method).toBe('exact');
    expect(Math.abs(exact.pValue - cvmTwoSample(x, y, 'asymptotic').pValue)).toBeLessThan(0.01);
  });

  test('refuses an empty sample and NaN', () => {
    expect(() => cvmTwoSample([], [1])).toThrow('x must hold at least 1');
    expect(() => cvmTwoSample([1], [1, Number.NaN])).toThrow('y[1] must be a number, got NaN');
  });
});
