import { describe, expect, test } from 'vitest';
import { fitKnn, type KnnModel, scoreKnn } from '../../../statistics/outliers/knn.ts';
import { expectGolden, goldenCases, num, rows } from '../golden.ts';

describe('nearest neighbours', () => {
  test.each(goldenCases('knn'))('%s', (_, golden) => {
    const fitted = fitKnn(rows(golden.inputs['reference']), { k: num(golden.inputs['k']) });
    const model = JSON.parse(JSON.stringify(fitted)) as KnnModel;
    const scores = rows(golden.inputs['query']).map((row) => scoreKnn(model, row));
    expectGolden(golden, {
      kth_distance: scores.map(({ kthDistance }) => kthDistance),
      mean_distance: scores.map(({ meanDistance }) => meanDistance),
      leave_one_out_kth_distance_reference: model.ownDistances,
      threshold_fpr_05: model.threshold,
      is_outlier: scores.map(({ isOutlier }) => isOutlier),
      lof: scores.map(({ localOutlierFactor }) => localOutlierFactor),
    });
  });

  test('gives finite local outlier factors where rows coincide', () => {
    const model = fitKnn([[1], [1], [1], [2]], { k: 2 });
    expect(scoreKnn(model, [1]).localOutlierFactor).toBeCloseTo(1, 6);
    expect(scoreKnn(model, [3]).localOutlierFactor).toBeGreaterThan(1000);
  });

  test('refuses k of all rows or more, and other columns', () => {
    expect(() => fitKnn([[1], [2]], { k: 2 })).toThrow('k must be below the number of rows 2, got 2');
    expect(() => scoreKnn(fitKnn([[1], [2]]), [1, 2])).toThrow('row must have 1 columns, got 2');
  });
});
