import { describe, expect, test } from 'vitest';
import { psiCategorical, psiCounts, psiEdges, psiFromCounts, psiNumeric } from '../../../statistics/drift/psi.ts';
import { expectGolden, goldenCase, goldenCases, num, nums } from '../golden.ts';

describe('population stability index', () => {
  test.each(goldenCases('psi').filter(([, golden]) => 'bins' in golden.inputs))('%s', (_, golden) => {
    const result = psiNumeric(
      nums(golden.inputs['reference']),
      nums(golden.inputs['current']),
      num(golden.inputs['bins']),
    );
    const { edges, referenceCounts, currentCounts, psi } = result;
    expectGolden(golden, { edges, reference_counts: referenceCounts, current_counts: currentCounts, psi });
  });

  test.each(goldenCases('psi', 'from-counts'))('%s', (_, golden) => {
    const { reference_counts: reference, current_counts: current } = golden.inputs;
    expectGolden(golden, { psi: psiFromCounts(nums(reference), nums(current)) });
  });

  test('gives a category that only one side has a bin of its own', () => {
    const golden = goldenCase('psi', 'categorical-unseen');
    const result = psiCategorical(golden.inputs['reference'] as string[], golden.inputs['current'] as string[]);
    const { categories, referenceCounts, currentCounts, psi } = result;
    expectGolden(golden, { categories, reference_counts: referenceCounts, current_counts: currentCounts, psi });
  });

  test('counts a window against kept edges without the reference sample', () => {
    const edges = psiEdges([1, 2, 3, 4, 5, 6, 7, 8], 4);
    expect(psiCounts([0, 2.75, 4.5, 100], edges)).toEqual([1, 1, 1, 1]);
    expect(psiCounts([Number.NaN, 100], edges, true)).toEqual([0, 0, 0, 1, 1]);
    expect(() => psiCounts([Number.NaN], edges)).toThrow('values[0] is missing');
  });

  test('refuses an empty side', () => {
    expect(() => psiNumeric([], [1])).toThrow('reference must hold at least 1');
    expect(() => psiFromCounts([1, 2], [0, 0])).toThrow('current must hold at least one count above 0');
  });
});
