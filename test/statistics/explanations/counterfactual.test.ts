import { describe, expect, test } from 'vitest';
import {
  linearCounterfactual,
  madScales,
  nearestUnlikeNeighbour,
  searchCounterfactual,
} from '../../../statistics/explanations/counterfactual.ts';
import { answer } from '../../../statistics/explanations/questions.ts';
import { expectGolden, goldenCase, goldenCases, num, nums, rows } from '../golden.ts';

describe('counterfactuals', () => {
  test.each(goldenCases('counterfactual', 'linear'))('%s', (_, golden) => {
    const { coef, intercept } = golden.inputs['model'] as { coef: number[]; intercept: number };
    const x = nums(golden.inputs['x']);
    const target = num(golden.inputs['target_margin']);
    const found = linearCounterfactual({ coefficients: coef, intercept }, x, target);
    expectGolden(golden, {
      score: found.score,
      nearest_l2: found.nearest,
      l2_distance: found.distance,
      nearest_l1: found.single,
      l1_distance: Math.abs(found.single.change),
    });

    const score = (row: readonly number[]) => row.reduce((sum, value, j) => sum + value * coef[j]!, intercept);
    const searched = answer(searchCounterfactual(x, target), (batch) => batch.map(score));
    const side = Math.sign(target - score(x));
    expect(side * (score(searched.row!) - target)).toBeGreaterThanOrEqual(0);
    expect(searched.distance).toBeGreaterThanOrEqual(found.distance * (1 - 1e-9));
    expect(searched.distance).toBeLessThanOrEqual(1.1 * found.distance);
    expectNeverRising(searched.history);
  });

  test('nearest-unlike-neighbour', () => {
    const golden = goldenCase('counterfactual', 'nearest-unlike-neighbour');
    const all = rows(golden.inputs['rows']);
    const labels = nums(golden.inputs['label']);
    const nearest = nums(golden.inputs['query_rows']).map((i) => {
      const found = nearestUnlikeNeighbour(all, labels, all[i]!, labels[i]!)!;
      return { row: found.index, distance: found.distance };
    });
    expectGolden(golden, { mad: madScales(all), nearest });
    expect(nearestUnlikeNeighbour([[1]], [0], [2], 0)).toBeNull();
  });

  test('are found for a curved score, and only where columns may change', () => {
    const circle = (row: readonly number[]) => row[0]! ** 2 + row[1]! ** 2 - 1;
    const predict = (batch: readonly (readonly number[])[]) => batch.map(circle);
    const found = answer(searchCounterfactual([3, 4], 0), predict);
    expect(found.distance).toBeCloseTo(4, 2);
    expect(circle(found.row!)).toBeLessThanOrEqual(0);
    expectNeverRising(found.history);
    const bound = answer(searchCounterfactual([3, 0.5], 0, { mutable: [0] }), predict);
    expect(bound.row![1]).toBe(0.5);
    expect(bound.row![0]).toBeCloseTo(Math.sqrt(0.75), 2);
  });

  test('are null where the score never reaches the target', () => {
    const flat = answer(searchCounterfactual([1, 2], 5), (batch) => batch.map(() => 0));
    expect(flat).toEqual({ row: null, distance: null, history: [] });
    expect(() => linearCounterfactual({ coefficients: [0], intercept: 1 }, [1], 2)).toThrow('all coefficients are 0');
  });
});

function expectNeverRising(history: readonly (number | null)[]): void {
  expect(history.length).toBeGreaterThan(0);
  history.reduce((before, now) => {
    if (before !== null) expect(now).toBeLessThanOrEqual(before);
    return now;
  });
}
