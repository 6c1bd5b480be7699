import { describe, expect, test } from 'vitest';
import { spearmanCorrelation } from '../../../statistics/samples/correlation.ts';
import {
  averagePathLength,
  fitIsolationForest,
  type IsolationForest,
  type IsolationTree,
  scoreIsolationForest,
} from '../../../statistics/outliers/iforest.ts';
import { rocCurve } from '../../../statistics/metrics/roc.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { expectGolden, goldenCase, goldenCases, num, nums, rows } from '../golden.ts';

describe('isolation forest', () => {
  test('average-path-length', () => {
    const golden = goldenCase('iforest', 'average-path-length');
    expectGolden(golden, { c: nums(golden.inputs['n']).map(averagePathLength) });
  });

  test('given-forest-scoring', () => {
    const golden = goldenCase('iforest', 'given-forest-scoring');
    const query = rows(golden.inputs['query']);
    const trees = (golden.inputs['trees'] as (IsolationTree & { n: number[] })[]).map(({ n, ...tree }) => ({
      ...tree,
      count: n,
    }));
    const forest: IsolationForest = {
      type: 'isolation-forest',
      version: 1,
      sampleSize: num(golden.inputs['max_samples']),
      columns: query[0]!.length,
      trees,
    };
    expectGolden(golden, { score: query.map((row) => scoreIsolationForest(forest, row)) });
  });

  test.each(goldenCases('iforest').filter(([, golden]) => 'mean_score' in golden.expected))('%s', (_, golden) => {
    const data = rows(golden.inputs['rows']);
    const seed = 12;
    const fitted = fitIsolationForest(data, seededRandom(seed), {
      trees: num(golden.inputs['n_estimators']),
      sampleSize: num(golden.inputs['max_samples']),
    });
    const forest = JSON.parse(JSON.stringify(fitted)) as IsolationForest;
    const scores = data.map((row) => scoreIsolationForest(forest, row));
    const wanted = nums(golden.expected['mean_score']);
    const isOutlier = nums(golden.inputs['is_outlier']);
    const { statistic } = spearmanCorrelation(scores, wanted);
    expect(statistic, `seed ${seed}`).toBeGreaterThanOrEqual(num(golden.expected['min_spearman_with_mean']));
    const difference = Math.max(...scores.map((score, i) => Math.abs(score - wanted[i]!)));
    expect(difference, `seed ${seed}`).toBeLessThanOrEqual(num(golden.expected['max_abs_difference']));
    expect(rocCurve(isOutlier, scores)!.auc).toBeGreaterThanOrEqual(num(golden.expected['min_auc']));
    const k = isOutlier.reduce((a, b) => a + b, 0);
    const top = scores.map((score, i) => ({ score, i })).sort((a, b) => b.score - a.score);
    const hits = top.slice(0, k).filter(({ i }) => isOutlier[i] === 1).length;
    expect(hits, `seed ${seed}`).toBeGreaterThanOrEqual(num(golden.expected['top_k_in_outliers']) - 1);
  });

  test('grows the same forest from the same seed, and none beyond its depth', () => {
    const random = seededRandom(1);
    const data = Array.from({ length: 100 }, () => [random.normal(), random.normal()]);
    const grow = () => fitIsolationForest(data, seededRandom(9), { trees: 5, sampleSize: 64 });
    expect(grow()).toEqual(grow());
    for (const tree of grow().trees) expect(depthOf(tree, 0)).toBeLessThanOrEqual(6);
    expect(() => scoreIsolationForest(grow(), [1])).toThrow('row must have 2 columns, got 1');
  });

  test('sends a value equal to the threshold left', () => {
    const tree = {
      feature: [0, -1, -1],
      threshold: [2, 0, 0],
      left: [1, -1, -1],
      right: [2, -1, -1],
      count: [9, 1, 8],
    };
    const forest = { type: 'isolation-forest', version: 1, sampleSize: 9, columns: 1, trees: [tree] } as const;
    expect(scoreIsolationForest(forest, [2])).toBe(2 ** (-1 / averagePathLength(9)));
    expect(scoreIsolationForest(forest, [2.1])).toBeLessThan(scoreIsolationForest(forest, [2]));
  });

  test('gives equal rows no split', () => {
    const forest = fitIsolationForest(
      [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
      seededRandom(1),
      { trees: 3 },
    );
    expect(forest.trees.map((tree) => tree.feature)).toEqual([[-1], [-1], [-1]]);
  });
});

function depthOf(tree: IsolationTree, node: number): number {
  if (tree.feature[node]! < 0) return 0;
  return 1 + Math.max(depthOf(tree, tree.left[node]!), depthOf(tree, tree.right[node]!));
}
