import { describe, expect, test } from 'vitest';
import {
  hellinger,
  jensenShannonDistance,
  jensenShannonDivergence,
  kullbackLeibler,
  sharedHistogram,
  totalVariation,
} from '../../../statistics/drift/divergence.ts';
import { expectGolden, goldenCase, goldenCases, num, nums } from '../golden.ts';

describe('divergences of binned distributions', () => {
  test.each(goldenCases('divergence').filter(([, golden]) => 'p' in golden.inputs))('%s', (_, golden) => {
    const p = nums(golden.inputs['p']);
    const q = nums(golden.inputs['q']);
    expectGolden(golden, {
      js_distance_base_e: jensenShannonDistance(p, q),
      js_divergence_base_e: jensenShannonDivergence(p, q),
      js_distance_base_2: jensenShannonDistance(p, q, 2),
      js_divergence_base_2: jensenShannonDivergence(p, q, 2),
      kl_p_q: kullbackLeibler(p, q),
      kl_q_p: kullbackLeibler(q, p),
      total_variation: totalVariation(p, q),
      hellinger: hellinger(p, q),
    });
  });

  test('js-from-samples', () => {
    const golden = goldenCase('divergence', 'js-from-samples');
    const { edges, xCounts, yCounts } = sharedHistogram(
      nums(golden.inputs['x']),
      nums(golden.inputs['y']),
      num(golden.inputs['bins']),
    );
    const distance = jensenShannonDistance(xCounts, yCounts, 2);
    expectGolden(golden, { edges, x_counts: xCounts, y_counts: yCounts, js_distance_base_2: distance });
  });

  test('refuses different bins, negative and empty distributions', () => {
    expect(() => kullbackLeibler([1], [1, 2])).toThrow('p and q must be equally long, got 1 and 2');
    expect(() => totalVariation([1, -1], [1, 1])).toThrow('p[1] must not be negative');
    expect(() => hellinger([0, 0], [1, 1])).toThrow('p must hold at least one value above 0');
  });
});
