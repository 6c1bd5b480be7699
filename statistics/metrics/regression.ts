/** How wrong numeric predictions are. NaN is refused; an empty sample is refused; null = undefined. */
import { requireCounts, requireFinite, requireLength, requireSameLength } from '../arguments.ts';
import { exactSum } from '../samples/descriptive.ts';
import { median } from '../samples/quantiles.ts';

export interface RegressionMetrics {
  readonly count: number;
  readonly mse: number;
  readonly rmse: number;
  readonly mae: number;
  readonly medianAbsoluteError: number;
  readonly maxError: number;
  /** Mean of prediction − truth: the bias. */
  readonly meanError: number;
  /** Coefficient of determination; for a constant truth 1 when perfect, else 0; null for one row. */
  readonly r2: number | null;
  /** 1 − Var(error)/Var(truth), with the same conventions as r2. */
  readonly explainedVariance: number | null;
  /** Mean absolute error relative to max(|truth|, 2^−52), as a fraction. */
  readonly mape: number;
}

/** @param weights of the rows; they do not apply to median and maximum. @default all 1 */
export function regressionMetrics(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  weights?: ArrayLike<number>,
): RegressionMetrics {
  requireSameLength('truth', truth, 'predicted', predicted);
  requireLength('truth', truth, 1);
  requireFinite('truth', truth);
  requireFinite('predicted', predicted);
  const average = weightedAverage(truth.length, weights);
  const errors = Float64Array.from(truth, (y, i) => (predicted[i] ?? 0) - y);
  const absolute = errors.map(Math.abs);
  const mse = average((i) => (errors[i] ?? 0) ** 2);
  const meanTruth = average((i) => truth[i] ?? 0);
  const meanError = average((i) => errors[i] ?? 0);
  const spread = average((i) => ((truth[i] ?? 0) - meanTruth) ** 2);
  const errorSpread = average((i) => ((errors[i] ?? 0) - meanError) ** 2);
  return {
    count: truth.length,
    mse,
    rmse: Math.sqrt(mse),
    mae: average((i) => absolute[i] ?? 0),
    medianAbsoluteError: median(absolute),
    maxError: absolute.reduce((a, b) => Math.max(a, b)),
    meanError,
    r2: explained(mse, spread, truth.length),
    explainedVariance: explained(errorSpread, spread, truth.length),
    mape: average((i) => (absolute[i] ?? 0) / Math.max(Math.abs(truth[i] ?? 0), 2 ** -52)),
  };
}

/** Average of a function of the row index under row weights, from exact sums. @throws RangeError for bad weights. */
export function weightedAverage(
  count: number,
  weights: ArrayLike<number> | undefined,
): (value: (index: number) => number) => number {
  if (weights === undefined) {
    return (value) => exactSum(Float64Array.from({ length: count }, (_, i) => value(i))) / count;
  }
  requireSameLength('rows', { length: count }, 'weights', weights);
  requireCounts('weights', weights);
  const total = exactSum(weights);
  if (total === 0) throw new RangeError('weights must hold at least one above 0');
  return (value) =>
    exactSum(Float64Array.from({ length: count }, (_, i) => (weights[i] === 0 ? 0 : value(i) * (weights[i] ?? 0)))) /
    total;
}

function explained(residual: number, spread: number, count: number): number | null {
  if (count < 2) return null;
  if (spread === 0) return residual === 0 ? 1 : 0;
  return 1 - residual / spread;
}
