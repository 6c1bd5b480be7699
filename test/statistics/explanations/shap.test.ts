import { describe, expect, test } from 'vitest';
import { answer, answerAsync } from '../../../statistics/explanations/questions.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { shapleyKernelWeight, type ShapleyValues } from '../../../statistics/explanations/coalitions.ts';
import { linearShap } from '../../../statistics/explanations/linear-shap.ts';
import { exactShapley, kernelShap } from '../../../statistics/explanations/shap.ts';
import { type DecisionTree, predictTree, treeShap } from '../../../statistics/explanations/tree-shap.ts';
import { expectGolden, type Golden, goldenCase, goldenCases, num, nums, rows } from '../golden.ts';

describe('Shapley values', () => {
  const games = goldenCases('shap').filter(([, golden]) => 'background' in golden.inputs);

  test.each(games)('exact: %s', (_, golden) => {
    const predict = predictorOf(golden);
    const background = rows(golden.inputs['background']);
    const results = rows(golden.inputs['x']).map((row) => answer(exactShapley(row, background), predict));
    expectShap(golden, results);
  });

  test.each(games.filter(([, { inputs }]) => 'trees' in modelOf(inputs) || 'left' in modelOf(inputs)))(
    'of trees without asking: %s',
    (_, golden) => {
      const background = rows(golden.inputs['background']);
      const trees = treesOf(golden);
      expectShap(
        golden,
        rows(golden.inputs['x']).map((row) => treeShap(trees, row, background)),
      );
    },
  );

  test.each(games.filter(([name]) => name.startsWith('linear')))('in closed form: %s', (_, golden) => {
    const background = rows(golden.inputs['background']);
    const model = modelOf(golden.inputs);
    const linear = { coefficients: nums(model['coef']), intercept: num(model['intercept']) };
    expectShap(
      golden,
      rows(golden.inputs['x']).map((row) => linearShap(linear, row, background)),
    );
  });

  test.each(games)('sampled Kernel SHAP: %s', (_, golden) => {
    const predict = predictorOf(golden);
    const background = rows(golden.inputs['background']);
    const wanted = rows(golden.expected['phi']);
    rows(golden.inputs['x']).forEach((row, i) => {
      const d = row.length;
      const full = answer(kernelShap(row, background, seededRandom(i), { coalitions: 2 ** d }), predict);
      full.values.forEach((value, j) => expect(Math.abs(value - wanted[i]![j]!)).toBeLessThan(1e-6));
      const budget = Math.floor(0.8 * 2 ** d);
      const few = answer(kernelShap(row, background, seededRandom(i), { coalitions: budget }), predict);
      const total = few.values.reduce((a, b) => a + b, few.base);
      expect(Math.abs(total - few.prediction)).toBeLessThan(1e-6);
      const error = few.values.reduce((sum, value, j) => sum + Math.abs(value - wanted[i]![j]!), 0) / d;
      const range = Math.max(...wanted[i]!) - Math.min(...wanted[i]!);
      expect(error).toBeLessThan(0.05 * range);
    });
  });

  test('kernel-weights', () => {
    const golden = goldenCase('shap', 'kernel-weights');
    const weights = nums(golden.inputs['d']).map((d): [number, number[]] => [
      d,
      Array.from({ length: d - 1 }, (_, s) => shapleyKernelWeight(d, s + 1)),
    ]);
    expectGolden(golden, { weight_by_coalition_size: Object.fromEntries(weights) });
  });

  test('of thirty features are sampled within the budget of questions', () => {
    const random = seededRandom(5);
    const coefficients = Array.from({ length: 30 }, () => random.normal());
    const background = Array.from({ length: 5 }, () => coefficients.map(() => random.normal()));
    const row = coefficients.map(() => random.normal());
    let asked = 0;
    const predict = (batch: readonly (readonly number[])[]) => {
      asked += batch.length;
      return batch.map((x) => x.reduce((sum, value, j) => sum + value * coefficients[j]!, 0));
    };
    const result = answer(kernelShap(row, background, random, { coalitions: 500 }), predict);
    expect(asked).toBeLessThanOrEqual(502 * 5);
    const exact = linearShap({ coefficients, intercept: 0 }, row, background);
    result.values.forEach((value, j) => expect(value).toBeCloseTo(exact.values[j]!, 6));
  });

  test('can be asked of an asynchronous model, which must answer every row', async () => {
    const sum = (batch: readonly (readonly number[])[]) => batch.map((row) => row.reduce((a, b) => a + b, 0));
    const questions = () => exactShapley([1, 2], [[0, 0]]);
    const result = await answerAsync(questions(), (batch) => Promise.resolve(sum(batch)));
    expect(result).toEqual({ values: [1, 2], base: 0, prediction: 3 });
    expect(() => answer(questions(), () => [1])).toThrow('the model must answer every row: asked 4, got 1');
    expect(() => answer(exactShapley([1], [[1, 2]]), sum)).toThrow('row must have 2 columns like background, got 1');
  });
});

function expectShap(golden: Golden, results: readonly ShapleyValues[]): void {
  expectGolden(golden, {
    phi: results.map(({ values }) => values),
    base: results[0]!.base,
    f: results.map(({ prediction }) => prediction),
  });
  results.forEach(({ values, base, prediction }) => {
    expect(values.reduce((a, b) => a + b, base)).toBeCloseTo(prediction, 9);
  });
}

function modelOf(inputs: Golden['inputs']): Record<string, unknown> {
  return inputs['model'] as Record<string, unknown>;
}

function treesOf(golden: Golden): DecisionTree[] {
  const model = modelOf(golden.inputs);
  return (model['trees'] ?? [model]) as DecisionTree[];
}

function predictorOf(golden: Golden): (batch: readonly (readonly number[])[]) => number[] {
  const model = modelOf(golden.inputs);
  if ('coef' in model) {
    const coef = nums(model['coef']);
    const dot = (row: readonly number[]) => row.reduce((sum, x, j) => sum + x * coef[j]!, 0);
    if ('intercept' in model) return (batch) => batch.map((row) => dot(row) + num(model['intercept']));
    return (batch) => batch.map((row) => 1 / (1 + Math.exp(-(dot(row) + 1.5 * row[0]! * row[1]!))));
  }
  const trees = treesOf(golden);
  return (batch) => batch.map((row) => trees.reduce((sum, tree) => sum + predictTree(tree, row), 0) / trees.length);
}
