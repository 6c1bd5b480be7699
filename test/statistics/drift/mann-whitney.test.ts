import { describe, expect, test } from 'vitest';
import type { Alternative } from '../../../statistics/drift/ks.ts';
import { mannWhitney } from '../../../statistics/drift/mann-whitney.ts';
import { expectGolden, goldenCases, nums } from '../golden.ts';

describe('Mann–Whitney U', () => {
  test.each(goldenCases('mann-whitney'))('%s', (_, golden) => {
    const x = nums(golden.inputs['x']);
    const y = nums(golden.inputs['y']);
    const got: Record<string, unknown> = { common_language_effect: mannWhitney(x, y).effectSize };
    const alternatives: Alternative[] = ['two-sided', 'less', 'greater'];
    for (const alternative of alternatives) {
      const { statistic, pValue } = mannWhitney(x, y, { alternative, method: 'asymptotic' });
      got[alternative] = {
        U1: statistic,
        pvalue_asymptotic: pValue,
        pvalue_asymptotic_no_continuity: mannWhitney(x, y, { alternative, method: 'asymptotic', continuity: false })
          .pValue,
        pvalue_exact: x.length * y.length > 1000 ? null : mannWhitney(x, y, { alternative, method: 'exact' }).pValue,
      };
    }
    expectGolden(golden, got);
  });

  test('chooses the exact law by itself for small samples without ties', () => {
    expect(mannWhitney([1, 2], [3, 4, 5]).method).toBe('exact');
    expect(mannWhitney([1, 2], [2, 4, 5]).method).toBe('asymptotic');
    expect(() => mannWhitney([1, Number.NaN], [2])).toThrow('x[1] must be a number, got NaN');
  });
});
