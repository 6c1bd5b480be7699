import { describe, expect, test } from 'vitest';
import { fisherExact, type Table2x2 } from '../../../statistics/drift/fisher.ts';
import { expectGolden, goldenCases, rows } from '../golden.ts';

describe('Fisher exact test', () => {
  test.each(goldenCases('fisher'))('%s', (_, golden) => {
    const result = fisherExact(rows(golden.inputs['table']) as unknown as Table2x2);
    expectGolden(golden, {
      'two-sided': result.pValue,
      less: result.pValueLess,
      greater: result.pValueGreater,
      sample_odds_ratio: result.statistic,
      conditional_mle_odds_ratio: result.conditionalOddsRatio,
    });
  });

  test('refuses fractions and negative counts', () => {
    expect(() =>
      fisherExact([
        [1.5, 2],
        [3, 4],
      ]),
    ).toThrow('table[0][0] must be an integer of at least 0, got 1.5');
    expect(() =>
      fisherExact([
        [1, 2],
        [3, -4],
      ]),
    ).toThrow('table[1][1] must be an integer of at least 0, got -4');
  });
});
