/** How the outlier methods score rows: a fit to the reference, then a score per row and the shares of its features. */
import type { DetectorMethod, MethodsThat } from '../../../schemas/detector-methods.ts';
import { fitIsolationForest, scoreIsolationForest } from '../../../statistics/iforest.ts';
import { fitKnn, scoreKnn } from '../../../statistics/knn.ts';
import { fitMahalanobis, scoreMahalanobis } from '../../../statistics/mahalanobis.ts';
import { median } from '../../../statistics/quantiles.ts';
import type { TestOptions } from './feature-tests.ts';

type Rows = readonly (readonly number[])[];

export interface OutlierModel {
  /** Larger is farther out; infinite for a value that a constant column of the reference never had. */
  score(row: readonly number[]): number;
  /** Share of each column in the score of a row, within [0, 1]. */
  shares(row: readonly number[]): readonly number[];
  /** Scores of the reference rows, each as of a row that the fit did not see where that matters. */
  readonly ownScores: readonly number[];
}

type OutlierMethod = MethodsThat<{ finds: 'outliers' } & Partial<DetectorMethod>>;

export const outlierModels: Readonly<Record<OutlierMethod, (rows: Rows, with_: TestOptions) => OutlierModel>> = {
  mahalanobis: (rows) => {
    const model = fitMahalanobis(rows, { scale: 'standard' });
    const score = (row: readonly number[]): number => {
      const { squaredDistance, changedConstants } = scoreMahalanobis(model, row);
      return changedConstants.length > 0 ? Number.POSITIVE_INFINITY : squaredDistance;
    };
    return {
      score,
      shares: (row) => {
        const { contributions, changedConstants, squaredDistance } = scoreMahalanobis(model, row);
        if (changedConstants.length > 0) return row.map((_, column) => Number(changedConstants.includes(column)));
        return contributions.map((part) => Math.max(0, part) / (squaredDistance || 1));
      },
      ownScores: rows.map(score),
    };
  },
  'isolation-forest': (rows, { options, random }) => {
    const forest = fitIsolationForest(rows, random, {
      trees: options['trees'] ?? 100,
      sampleSize: Math.min(rows.length, options['sampleSize'] ?? 256),
    });
    return bySubstitution((row) => scoreIsolationForest(forest, row), rows);
  },
  knn: (rows, { options }) => {
    const scales = (rows[0] ?? []).map((_, column) => {
      const values = rows.map((row) => row[column] ?? 0);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
    });
    const scaled = (row: readonly number[]): number[] => row.map((value, column) => value / (scales[column] ?? 1));
    const model = fitKnn(rows.map(scaled), { k: Math.min(options['neighbours'] ?? 20, rows.length - 1) });
    const fitted = bySubstitution((row) => scoreKnn(model, scaled(row)).kthDistance, rows);
    return { ...fitted, ownScores: model.ownDistances };
  },
};

/** A column's share: how much the score falls when its value is the median of the reference. */
function bySubstitution(score: (row: readonly number[]) => number, rows: Rows): OutlierModel {
  const usual = (rows[0] ?? []).map((_, column) => median(rows.map((row) => row[column] ?? 0)));
  return {
    score,
    shares: (row) => {
      const own = score(row);
      const falls = row.map((_, column) => Math.max(0, own - score(row.with(column, usual[column] ?? 0))));
      const sum = falls.reduce((a, b) => a + b, 0);
      return falls.map((fall) => (sum === 0 ? 0 : fall / sum));
    },
    ownScores: rows.map(score),
  };
}
