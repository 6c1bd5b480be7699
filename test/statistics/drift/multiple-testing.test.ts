import { describe, expect, test } from 'vitest';
import { type Correction, correctPValues } from '../../../statistics/drift/multiple-testing.ts';
import { expectGolden, goldenCase, goldenCases, num, nums } from '../golden.ts';

const METHODS: [string, Correction][] = [
  ['bonferroni', 'bonferroni'],
  ['holm', 'holm'],
  ['benjamini_hochberg', 'benjamini-hochberg'],
  ['benjamini_yekutieli', 'benjamini-yekutieli'],
];

describe('corrections for many tests', () => {
  test.each(goldenCases('multiple-testing').filter(([name]) => name !== 'with-nan'))('%s', (name, golden) => {
    const alpha = num(golden.inputs['alpha']);
    const got: Record<string, unknown> = { alpha };
    for (const [key, correction] of METHODS) {
      const { reject, adjusted } = correctPValues(nums(golden.inputs['pvalues']), correction, alpha);
      got[key] = { reject, adjusted };
      if (correction === 'bonferroni') got['any_drift_bonferroni'] = reject.includes(true);
      if (correction === 'benjamini-hochberg') got['any_drift_bh'] = reject.includes(true);
    }
    // On exact ties with the threshold, rounding decides: the reference calls `reject` informative there.
    const informative = name === 'boundary-equal' ? METHODS.map(([key]) => `${key}.reject`) : [];
    expectGolden(golden, got, informative);
  });

  test('leaves a missing p-value out and does not count it', () => {
    const golden = goldenCase('multiple-testing', 'with-nan');
    const input = golden.inputs['pvalues'] as (number | null)[];
    const { tested, adjusted, reject } = correctPValues(input, 'benjamini-hochberg', 0.05);
    expectGolden(golden, { m_used: tested, benjamini_hochberg_adjusted: adjusted });
    expect(reject).toEqual([true, null, true, false]);
    expect(correctPValues(nums(input), 'benjamini-hochberg').adjusted).toEqual(adjusted);
  });

  test('names the threshold below which a raw p-value is rejected', () => {
    expect(correctPValues([0.001, 0.2, 0.3, 0.4], 'bonferroni').threshold).toBe(0.0125);
    expect(correctPValues([0.01, 0.02, 0.9, 0.8], 'benjamini-hochberg').threshold).toBe(0.025);
    expect(correctPValues([], 'bonferroni')).toMatchObject({ tested: 0, reject: [], adjusted: [] });
  });

  test('rejects a p-value equal to its threshold', () => {
    for (const [, correction] of METHODS) expect(correctPValues([0.05], correction, 0.05).reject).toEqual([true]);
    expect(correctPValues([0.025, 0.05], 'benjamini-hochberg', 0.05).reject).toEqual([true, true]);
  });

  test('refuses what is not a probability', () => {
    expect(() => correctPValues([0.5, 1.2], 'holm')).toThrow('pValues[1] must lie within [0, 1], got 1.2');
    expect(() => correctPValues([0.5], 'holm', 1)).toThrow('alpha must lie strictly between 0 and 1');
  });
});
