/**
 * Mahalanobis distance of rows from a reference (Mahalanobis 1936): a row outlier score that knows the scales and
 * correlations of the columns. The fitted model is a plain document. NaN is refused, naming row and column.
 */
import { requireFinite, requireFraction, requireMatrix } from '../arguments.ts';
import { quantile } from '../samples/quantiles.ts';
import { covarianceOf, covarianceStateOf, type RunningCovariance } from './running-covariance.ts';
import { chiSquaredQuantile, chiSquaredSurvival } from '../special/chi-squared.ts';
import { pseudoInverse } from '../matrices/symmetric-matrix.ts';

export interface MahalanobisModel {
  readonly type: 'mahalanobis';
  readonly version: 1;
  /** Reference rows. */
  readonly count: number;
  readonly mean: readonly number[];
  /** Pseudo-inverse of the covariance, columns × columns. */
  readonly precision: readonly (readonly number[])[];
  /** Directions in which the reference varies: the degrees of freedom of the chi-squared reading. */
  readonly rank: number;
  /** Columns that are constant in the reference: they have no scale, so a change there is reported apart. */
  readonly constantColumns: readonly number[];
}

export interface MahalanobisOptions {
  /**
   * 'none' measures in the columns' own units, and directions with less than 1e−10 of the largest variance are
   * dropped; 'standard' scales the columns to variance 1 first, so that units do not decide. @default 'none'
   */
  readonly scale?: 'none' | 'standard';
}

export interface MahalanobisScore {
  /** Squared distance; approximately chi-squared with `rank` degrees of freedom for a normal reference. */
  readonly squaredDistance: number;
  readonly pValue: number;
  /** Share of each column in the squared distance; they sum to it (a share may be negative). */
  readonly contributions: readonly number[];
  /** Columns, constant in the reference, in which this row differs. */
  readonly changedConstants: readonly number[];
}

/** Fits to reference rows. @throws RangeError below two rows, for a ragged matrix or NaN. */
export function fitMahalanobis(rows: readonly ArrayLike<number>[], options: MahalanobisOptions = {}): MahalanobisModel {
  requireMatrix('rows', rows, 2);
  return mahalanobisFromCovariance(covarianceStateOf(rows), options);
}

/** Fits to a running covariance, so that a stream can refresh its own model. */
export function mahalanobisFromCovariance(
  state: RunningCovariance,
  options: MahalanobisOptions = {},
): MahalanobisModel {
  const covariance = covarianceOf(state);
  const variances = covariance.map((row, j) => row[j] ?? 0);
  const scales = variances.map((v) => (options.scale === 'standard' && v > 0 ? Math.sqrt(v) : 1));
  const scaled = covariance.map((row, i) => row.map((c, j) => c / (scales[i] ?? 1) / (scales[j] ?? 1)));
  const { inverse, rank } = pseudoInverse(scaled);
  return {
    type: 'mahalanobis',
    version: 1,
    count: state.count,
    mean: [...state.mean],
    precision: inverse.map((row, i) => row.map((p, j) => p / (scales[i] ?? 1) / (scales[j] ?? 1))),
    rank,
    constantColumns: variances.flatMap((v, j) => (v === 0 ? [j] : [])),
  };
}

/** Scores one row. @throws RangeError for NaN or another number of columns. */
export function scoreMahalanobis(model: MahalanobisModel, row: ArrayLike<number>): MahalanobisScore {
  if (row.length !== model.mean.length) {
    throw new RangeError(`row must have ${model.mean.length} columns, got ${row.length}`);
  }
  requireFinite('row', row);
  const deviation = model.mean.map((m, j) => (row[j] ?? 0) - m);
  const contributions = deviation.map((d, i) => {
    let sum = 0;
    model.precision[i]?.forEach((p, j) => (sum += p * (deviation[j] ?? 0)));
    return d * sum;
  });
  const squaredDistance = Math.max(
    0,
    contributions.reduce((a, b) => a + b, 0),
  );
  return {
    squaredDistance,
    pValue: model.rank === 0 ? 1 : chiSquaredSurvival(squaredDistance, model.rank),
    contributions,
    changedConstants: model.constantColumns.filter((j) => deviation[j] !== 0),
  };
}

/** Squared distance above which a row counts as an outlier, from the chi-squared law. @default falsePositiveRate 0.001 */
export function mahalanobisThreshold(model: MahalanobisModel, falsePositiveRate = 0.001): number {
  requireFraction('falsePositiveRate', falsePositiveRate);
  return model.rank === 0 ? 0 : chiSquaredQuantile(1 - falsePositiveRate, model.rank);
}

/**
 * A threshold that keeps the stated false positive rate on held-out reference scores, whatever their distribution
 * (works for every outlier score in this room). @throws RangeError for an empty sample.
 */
export function empiricalThreshold(scores: ArrayLike<number>, falsePositiveRate: number): number {
  requireFraction('falsePositiveRate', falsePositiveRate);
  return quantile(scores, 1 - falsePositiveRate);
}
