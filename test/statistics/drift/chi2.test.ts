import { describe, expect, test } from 'vitest';
import { chiSquaredContingency, chiSquaredGoodnessOfFit, chiSquaredTwoSample } from '../../../statistics/drift/chi2.ts';
import { expectGolden, goldenCase, goldenCases, nums, rows } from '../golden.ts';

describe('chi-squared on contingency tables', () => {
  const tables = goldenCases('chi2').filter(([, golden]) => 'pearson' in golden.expected);
  test.each(tables)('%s', (_, golden) => {
    const table = rows(golden.inputs['table']);
    const pearson = chiSquaredContingency(table);
    const yates = chiSquaredContingency(table, { correction: 'yates' });
    const ratio = chiSquaredContingency(table, { statistic: 'likelihood-ratio' });
    expectGolden(golden, {
      pearson: { statistic: pearson.statistic, pvalue: pearson.pValue, dof: pearson.degreesOfFreedom },
      yates: { statistic: yates.statistic, pvalue: yates.pValue, dof: yates.degreesOfFreedom },
      g_test: { statistic: ratio.statistic, pvalue: ratio.pValue },
      expected_freq: pearson.expected,
      cramers_v: pearson.effectSize,
    });
  });

  test('counts a category that only one side has', () => {
    const golden = goldenCase('chi2', 'categorical-samples-with-unseen-category');
    const result = chiSquaredTwoSample(golden.inputs['reference'] as string[], golden.inputs['current'] as string[]);
    const { categories, table, statistic, pValue, degreesOfFreedom } = result;
    expectGolden(golden, { categories, table, statistic, pvalue: pValue, dof: degreesOfFreedom });
  });

  test('drops a category that neither side has', () => {
    const golden = goldenCase('chi2', 'zero-column');
    const { statistic, pValue, degreesOfFreedom } = chiSquaredContingency(rows(golden.inputs['table']));
    expectGolden(
      golden,
      { statistic_after_drop: statistic, pvalue_after_drop: pValue, dof_after_drop: degreesOfFreedom },
      ['error_or_drop'],
    );
  });

  test('finds nothing to test in a single category', () => {
    const result = chiSquaredContingency([[3], [9]]);
    expect(result).toMatchObject({ statistic: 0, pValue: 1, degreesOfFreedom: 0, effectSize: 0 });
  });

  test('refuses negative counts, ragged tables and empty samples', () => {
    expect(() =>
      chiSquaredContingency([
        [1, -1],
        [2, 2],
      ]),
    ).toThrow('table[0][1] must not be negative, got -1');
    expect(() => chiSquaredContingency([[1, 1], [2]])).toThrow('table[1] must have 2 columns, got 1');
    expect(() => chiSquaredTwoSample(['a'], [])).toThrow('current must hold at least 1');
  });
});

describe('goodness of fit', () => {
  test.each(goldenCases('chi2', 'goodness-of-fit'))('%s', (_, golden) => {
    const observed = nums(golden.inputs['observed']);
    const expected = golden.inputs['expected'] === undefined ? undefined : nums(golden.inputs['expected']);
    const { statistic, pValue, degreesOfFreedom } = chiSquaredGoodnessOfFit(observed, expected);
    const ratio = chiSquaredGoodnessOfFit(observed, expected, 'likelihood-ratio');
    expectGolden(golden, {
      statistic,
      pvalue: pValue,
      dof: degreesOfFreedom,
      g_statistic: ratio.statistic,
      g_pvalue: ratio.pValue,
    });
  });

  test('refuses expected counts with another sum', () => {
    expect(() => chiSquaredGoodnessOfFit([1, 2, 3], [1, 2, 4])).toThrow('expected must sum to the observed total 6');
  });
});
