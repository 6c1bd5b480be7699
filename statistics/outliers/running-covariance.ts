/**
 * Mean and covariance of a stream of rows in O(columns²) memory, as a plain document; mergeable like
 * `RunningMoments`. Sources: Welford 1962; Chan, Golub and LeVeque 1983.
 */
import { requireFinite } from '../arguments.ts';

export interface RunningCovariance {
  readonly count: number;
  /** One per column. */
  readonly mean: readonly number[];
  /** Sums of products of deviations, columns × columns. */
  readonly products: readonly (readonly number[])[];
}

/** @param columns at least 1 */
export function emptyCovariance(columns: number): RunningCovariance {
  const zeros = () => Array.from({ length: columns }, () => 0);
  return { count: 0, mean: zeros(), products: zeros().map(zeros) };
}

/** The state after one more row. @throws RangeError for NaN, an infinity or another number of columns. */
export function addToCovariance(state: RunningCovariance, row: ArrayLike<number>): RunningCovariance {
  requireColumns(state.mean.length, row.length);
  requireFinite('row', row);
  const count = state.count + 1;
  const before = state.mean.map((mean, j) => (row[j] ?? 0) - mean);
  const mean = state.mean.map((m, j) => m + (before[j] ?? 0) / count);
  const after = mean.map((m, j) => (row[j] ?? 0) - m);
  return {
    count,
    mean,
    // The two deviations are proportional, so the product is symmetric up to rounding; the lower half is mirrored.
    products: state.products.map((line, i) =>
      line.map((sum, j) => sum + (i <= j ? (before[i] ?? 0) * (after[j] ?? 0) : (before[j] ?? 0) * (after[i] ?? 0))),
    ),
  };
}

/** The state of both streams together. */
export function mergeCovariance(a: RunningCovariance, b: RunningCovariance): RunningCovariance {
  requireColumns(a.mean.length, b.mean.length);
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = a.mean.map((m, j) => (b.mean[j] ?? 0) - m);
  const weight = (a.count * b.count) / count;
  return {
    count,
    mean: a.mean.map((m, j) => m + (delta[j] ?? 0) * (b.count / count)),
    products: a.products.map((line, i) =>
      line.map((sum, j) => sum + (b.products[i]?.[j] ?? 0) + (delta[i] ?? 0) * (delta[j] ?? 0) * weight),
    ),
  };
}

/** The state of many rows. @throws RangeError for an empty or ragged matrix. */
export function covarianceStateOf(rows: readonly ArrayLike<number>[]): RunningCovariance {
  let state = emptyCovariance(rows[0]?.length ?? 0);
  for (const row of rows) state = addToCovariance(state, row);
  return state;
}

/** Covariance matrix (divisor n − 1). @throws RangeError below two rows. */
export function covarianceOf(state: RunningCovariance): number[][] {
  if (state.count < 2) throw new RangeError(`a covariance needs at least 2 rows, got ${state.count}`);
  return state.products.map((line) => line.map((sum) => sum / (state.count - 1)));
}

function requireColumns(expected: number, got: number): void {
  if (expected !== got || expected === 0) throw new RangeError(`row must have ${expected} columns, got ${got}`);
}
