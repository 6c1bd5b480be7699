import { describe, expect, test } from 'vitest';
import {
  exactPermutationImportance,
  permutationImportance,
} from '../../../statistics/explanations/permutation-importance.ts';
import { answer } from '../../../statistics/explanations/questions.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { expectGolden, goldenCase, num, nums, rows } from '../golden.ts';

const squaredError = (truth: number, prediction: number) => (truth - prediction) ** 2;
const miss = (truth: number, prediction: number) => (truth === prediction ? 0 : 1);

describe('permutation importance', () => {
  const golden = goldenCase('permutation-importance', 'linear-mse');
  const model = golden.inputs['model'] as { coef: number[]; intercept: number };
  const x = rows(golden.inputs['x']);
  const y = nums(golden.inputs['y']);
  const predict = (batch: readonly (readonly number[])[]) =>
    batch.map((row) => row.reduce((sum, value, j) => sum + value * model.coef[j]!, model.intercept));

  test('linear-mse, exactly', () => {
    const exact = answer(exactPermutationImportance(x, y, squaredError), predict);
    expectGolden(golden, { base_mse: exact.baseLoss, expected_increase: exact.increase }, ['std_of_one_shuffle']);
  });

  test('linear-mse, from shuffles', () => {
    const repeats = 50;
    const seed = 3;
    const sampled = answer(permutationImportance(x, y, squaredError, seededRandom(seed), repeats), predict);
    const wanted = nums(golden.expected['expected_increase']);
    const spread = nums(golden.expected['std_of_one_shuffle']);
    sampled.increase.forEach((value, j) => {
      const allowed = (5 * spread[j]!) / Math.sqrt(repeats) + 1e-12;
      expect(Math.abs(value - wanted[j]!), `seed ${seed}, feature ${j}`).toBeLessThanOrEqual(allowed);
      expect(sampled.deviation[j]).toBeLessThanOrEqual(1.6 * spread[j]! + 1e-12);
    });
  });

  test('rule-accuracy', () => {
    const rule = goldenCase('permutation-importance', 'rule-accuracy');
    const truth = nums(rule.inputs['y']);
    const exact = answer(exactPermutationImportance(rows(rule.inputs['x']), truth, miss), (batch) =>
      batch.map((row) => (row[0]! > 1 ? 1 : 0)),
    );
    // Tolerance 0 relative: the drop of features that do not matter must be exactly 0.
    expectGolden(rule, { base_accuracy: 1 - exact.baseLoss, expected_drop: exact.increase });
    expect(num(rule.expected['base_accuracy'])).toBeGreaterThan(0.9);
  });
});
