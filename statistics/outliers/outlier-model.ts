/**
 * Outlier models as plain documents: fitted once, scored anywhere. Each gives a score per row, larger is farther out, and the share of each
 * column in it.
 */
import { fitIsolationForest, type IsolationForest, scoreIsolationForest } from './iforest.ts';
import { fitKnn, type KnnModel, scoreKnn } from './knn.ts';
import { fitMahalanobis, type MahalanobisModel, scoreMahalanobis } from './mahalanobis.ts';
import { median } from '../samples/quantiles.ts';
import type { Random } from '../random.ts';

type Rows = readonly (readonly number[])[];

/** `usual`: medians of the rows it was fitted to, by which shares are found. */
export type OutlierModel =
  | { readonly method: 'mahalanobis'; readonly model: MahalanobisModel }
  | { readonly method: 'isolation-forest'; readonly model: IsolationForest; readonly usual: readonly number[] }
  | {
      readonly method: 'knn';
      /** Of columns that are divided by `scales`. */
      readonly model: KnnModel;
      readonly scales: readonly number[];
      readonly usual: readonly number[];
    };

export interface OutlierModelOptions {
  /** Of the isolation forest. @default 100 */
  readonly trees?: number | undefined;
  /** Rows of a tree. @default 256 */
  readonly sampleSize?: number | undefined;
  /** Of the nearest neighbours, k. @default 20 */
  readonly neighbours?: number | undefined;
}

export interface OutlierFit {
  readonly model: OutlierModel;
  /** Scores of the rows, each as of a row that the fit did not see where that matters. */
  readonly ownScores: readonly number[];
}

/** Fits to complete rows. @throws RangeError below two rows, for ragged rows or NaN. */
export function fitOutlierModel(
  method: OutlierModel['method'],
  rows: Rows,
  random: Random,
  { trees = 100, sampleSize = 256, neighbours = 20 }: OutlierModelOptions = {},
): OutlierFit {
  switch (method) {
    case 'mahalanobis': {
      const fitted: OutlierModel = { method, model: fitMahalanobis(rows, { scale: 'standard' }) };
      return { model: fitted, ownScores: rows.map((row) => outlierScore(fitted, row)) };
    }
    case 'isolation-forest': {
      const forest = fitIsolationForest(rows, random, { trees, sampleSize: Math.min(rows.length, sampleSize) });
      const fitted: OutlierModel = { method, model: forest, usual: mediansOf(rows) };
      return { model: fitted, ownScores: rows.map((row) => outlierScore(fitted, row)) };
    }
    case 'knn': {
      const scales = (rows[0] ?? []).map((_, column) => deviation(rows.map((row) => row[column] ?? 0)));
      const model = fitKnn(rows.map(scaledBy(scales)), { k: Math.min(neighbours, rows.length - 1) });
      return { model: { method, model, scales, usual: mediansOf(rows) }, ownScores: model.ownDistances };
    }
  }
}

/** Infinite for a value that a constant column never had. @throws RangeError for NaN or another number of columns. */
export function outlierScore(fitted: OutlierModel, row: readonly number[]): number {
  switch (fitted.method) {
    case 'mahalanobis': {
      const { squaredDistance, changedConstants } = scoreMahalanobis(fitted.model, row);
      return changedConstants.length > 0 ? Number.POSITIVE_INFINITY : squaredDistance;
    }
    case 'isolation-forest':
      return scoreIsolationForest(fitted.model, row);
    case 'knn':
      return scoreKnn(fitted.model, scaledBy(fitted.scales)(row)).kthDistance;
  }
}

/** Share of each column in the score of a row, within [0, 1]. */
export function outlierShares(fitted: OutlierModel, row: readonly number[]): readonly number[] {
  if (fitted.method !== 'mahalanobis') {
    const { usual } = fitted;
    return sharesOf(
      outlierScore(fitted, row),
      row.map((_, column) => outlierScore(fitted, row.with(column, usual[column] ?? 0))),
    );
  }
  const { contributions, changedConstants, squaredDistance } = scoreMahalanobis(fitted.model, row);
  if (changedConstants.length > 0) return row.map((_, column) => Number(changedConstants.includes(column)));
  return contributions.map((part) => Math.max(0, part) / (squaredDistance || 1));
}

/** By substitution: how much a score falls when a column has its usual value, as a share of all falls. */
export function sharesOf(score: number, substituted: readonly number[]): readonly number[] {
  const falls = substituted.map((other) => Math.max(0, score - other));
  const sum = falls.reduce((a, b) => a + b, 0);
  return falls.map((fall) => (sum === 0 ? 0 : fall / sum));
}

export function mediansOf(rows: Rows): readonly number[] {
  return (rows[0] ?? []).map((_, column) => median(rows.map((row) => row[column] ?? 0)));
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
}

const scaledBy =
  (scales: readonly number[]) =>
  (row: readonly number[]): number[] =>
    row.map((value, column) => value / (scales[column] ?? 1));
