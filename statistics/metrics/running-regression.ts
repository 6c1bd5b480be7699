/** Regression metrics of a stream in O(1) memory: a plain document for a fold; documents of disjoint streams merge. */
import { meanInterval } from '../ab-test/welch.ts';
import { addToMoments, EMPTY_MOMENTS, mergeMoments, type RunningMoments } from '../samples/running-moments.ts';

export interface RunningRegression {
  /** Prediction − truth, its absolute value, its square, and the truth. */
  readonly error: RunningMoments;
  readonly absolute: RunningMoments;
  readonly squared: RunningMoments;
  readonly truth: RunningMoments;
}

export interface RunningRegressionMetrics {
  readonly count: number;
  /** NaN while empty, like the others below. */
  readonly mse: number;
  readonly rmse: number;
  readonly mae: number;
  readonly meanError: number;
  /** null below two rows. */
  readonly r2: number | null;
  /** Confidence intervals of the mean absolute and mean squared error; NaN below two rows. */
  readonly maeInterval: readonly [number, number];
  readonly mseInterval: readonly [number, number];
}

export const EMPTY_REGRESSION: RunningRegression = {
  error: EMPTY_MOMENTS,
  absolute: EMPTY_MOMENTS,
  squared: EMPTY_MOMENTS,
  truth: EMPTY_MOMENTS,
};

/** The state after one more row. @throws RangeError for NaN or an infinity. */
export function addPrediction(state: RunningRegression, truth: number, prediction: number): RunningRegression {
  const error = prediction - truth;
  return {
    error: addToMoments(state.error, error),
    absolute: addToMoments(state.absolute, Math.abs(error)),
    squared: addToMoments(state.squared, error * error),
    truth: addToMoments(state.truth, truth),
  };
}

/** The state of both streams together. */
export function mergeRegression(a: RunningRegression, b: RunningRegression): RunningRegression {
  return {
    error: mergeMoments(a.error, b.error),
    absolute: mergeMoments(a.absolute, b.absolute),
    squared: mergeMoments(a.squared, b.squared),
    truth: mergeMoments(a.truth, b.truth),
  };
}

/** @param confidence of the intervals. @default 0.95 */
export function runningRegressionMetrics(state: RunningRegression, confidence = 0.95): RunningRegressionMetrics {
  const { count } = state.error;
  const known = (value: number) => (count === 0 ? Number.NaN : value);
  const mse = known(state.squared.mean);
  const spread = state.truth.squaredDeviations / count;
  const constant = mse === 0 ? 1 : 0;
  return {
    count,
    mse,
    rmse: Math.sqrt(mse),
    mae: known(state.absolute.mean),
    meanError: known(state.error.mean),
    r2: count < 2 ? null : spread > 0 ? 1 - mse / spread : constant,
    maeInterval: meanInterval(state.absolute, confidence),
    mseInterval: meanInterval(state.squared, confidence),
  };
}
