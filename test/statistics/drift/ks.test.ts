import { describe, expect, test } from 'vitest';
import { type Alternative, ksOneSample, ksTwoSample } from '../../../statistics/drift/ks.ts';
import { normalCdf } from '../../../statistics/special/normal.ts';
import { expectGolden, goldenCase, goldenCases, nums } from '../golden.ts';

const SPECIAL_CASES = ['empty-sample', 'nan-omitted', 'one-sample-norm', 'one-sample-uniform', 'with-infinities'];

describe('two-sample Kolmogorov–Smirnov', () => {
  test.each(goldenCases('ks').filter(([name]) => !SPECIAL_CASES.includes(name)))('%s', (_, golden) => {
    const x = nums(golden.inputs['x']);
    const y = nums(golden.inputs['y']);
    const got: Record<string, unknown> = {
      pvalue_limit_two_sided: ksTwoSample(x, y, { method: 'limit' }).pValue,
    };
    const alternatives: Alternative[] = ['two-sided', 'less', 'greater'];
    for (const alternative of alternatives) {
      const asymptotic = ksTwoSample(x, y, { alternative, method: 'asymptotic' });
      const exact = ksTwoSample(x, y, { alternative, method: 'exact' });
      const { statistic, sign } = asymptotic;
      got[alternative] = { statistic, sign, pvalue_asymp: asymptotic.pValue, pvalue_exact: exact.pValue };
      expect(distanceAt(x, y, asymptotic.location, sign)).toBeCloseTo(statistic, 12);
    }
    expectGolden(
      golden,
      got,
      alternatives.map((alternative) => `${alternative}.location`),
    );
  });

  test('orders infinities as values', () => {
    const golden = goldenCase('ks', 'with-infinities');
    const { statistic, pValue } = ksTwoSample(nums(golden.inputs['x']), nums(golden.inputs['y']));
    expectGolden(golden, { statistic, pvalue_exact: pValue });
  });

  test('omits NaN when asked, and refuses it otherwise', () => {
    const golden = goldenCase('ks', 'nan-omitted');
    const x = nums(golden.inputs['x']);
    const y = nums(golden.inputs['y']);
    const { statistic, pValue, counts } = ksTwoSample(x, y, { missing: 'omit' });
    expectGolden(golden, { statistic, pvalue_exact: pValue, n_used: counts }, ['if_not_omitted']);
    expect(() => ksTwoSample(x, y)).toThrow(/\[\d+\] must be a number, got NaN/);
  });

  test('refuses an empty sample', () => {
    const golden = goldenCase('ks', 'empty-sample');
    expect(() => ksTwoSample(nums(golden.inputs['x']), nums(golden.inputs['y']))).toThrow(/x must hold at least 1/);
  });
});

describe('one-sample Kolmogorov–Smirnov', () => {
  test.each([
    ['one-sample-norm', normalCdf],
    ['one-sample-uniform', (x: number) => Math.min(1, Math.max(0, x))],
  ])('%s', (name, cdf) => {
    const golden = goldenCase('ks', name);
    const x = nums(golden.inputs['x']);
    const { statistic, pValue } = ksOneSample(x, cdf);
    expectGolden(golden, {
      statistic,
      pvalue_exact: pValue,
      pvalue_asymp: ksOneSample(x, cdf, 'limit').pValue,
    });
  });
});

function distanceAt(x: number[], y: number[], at: number, sign: number): number {
  const share = (values: number[]) => values.filter((value) => value <= at).length / values.length;
  return Math.max(0, sign * (share(x) - share(y)));
}
