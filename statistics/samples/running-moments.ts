/**
 * Count, mean and variance of a stream in O(1) memory: a plain document that a fold can keep, and two documents of
 * disjoint streams merge into one. Sources: Welford 1962; Chan, Golub and LeVeque 1983.
 */
import { exactSum, squaredDeviations } from './descriptive.ts';
import { requireFinite } from '../arguments.ts';

export interface RunningMoments {
  readonly count: number;
  /** 0 while empty. */
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squaredDeviations: number;
}

export const EMPTY_MOMENTS: RunningMoments = { count: 0, mean: 0, squaredDeviations: 0 };

/** The state after one more value. @throws RangeError for NaN or an infinity. */
export function addToMoments(state: RunningMoments, value: number): RunningMoments {
  if (!Number.isFinite(value)) throw new RangeError(`value must be a finite number, got ${value}`);
  const count = state.count + 1;
  const delta = value - state.mean;
  const mean = state.mean + delta / count;
  return { count, mean, squaredDeviations: state.squaredDeviations + delta * (value - mean) };
}

/** The state of both streams together; commutative and associative up to rounding. */
export function mergeMoments(a: RunningMoments, b: RunningMoments): RunningMoments {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = b.mean - a.mean;
  return {
    count,
    mean: a.mean + delta * (b.count / count),
    squaredDeviations: a.squaredDeviations + b.squaredDeviations + delta * delta * ((a.count * b.count) / count),
  };
}

/** The state of a whole sample, in two passes (a little more exact than adding one by one). */
export function momentsOf(values: ArrayLike<number>): RunningMoments {
  requireFinite('values', values);
  if (values.length === 0) return EMPTY_MOMENTS;
  const rough = exactSum(values) / values.length;
  // The quotient rounds at the scale of the sum; the second look rounds at the scale of the mean.
  const mean = rough + exactSum(Float64Array.from(values, (value) => value - rough)) / values.length;
  return { count: values.length, mean, squaredDeviations: squaredDeviations(values, mean) };
}

/** Unbiased variance (divisor n − 1); NaN below two values. */
export function varianceOf(state: RunningMoments): number {
  return state.count < 2 ? Number.NaN : Math.max(0, state.squaredDeviations) / (state.count - 1);
}

/** Standard error of the mean; NaN below two values. */
export function standardErrorOf(state: RunningMoments): number {
  return Math.sqrt(varianceOf(state) / state.count);
}
