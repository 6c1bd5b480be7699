/** Sample quantiles, type 7 of Hyndman and Fan 1996 (linear interpolation; the default of NumPy and R). */
import { requireLength, requireNumbers } from '../arguments.ts';

/** Quantiles of unsorted values. @param probabilities within [0, 1]. @throws RangeError for NaN or an empty sample. */
export function quantiles(values: ArrayLike<number>, probabilities: ArrayLike<number>): number[] {
  const sorted = sortedCopy(values);
  return Array.from(probabilities, (q) => quantileOfSorted(sorted, q));
}

/** One quantile of unsorted values. */
export function quantile(values: ArrayLike<number>, q: number): number {
  return quantileOfSorted(sortedCopy(values), q);
}

/** The median. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/** One quantile of values that are already in ascending order. @throws RangeError for an empty sample or a bad q. */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  requireLength('sorted', sorted, 1);
  if (!(q >= 0 && q <= 1)) throw new RangeError(`q must lie within [0, 1], got ${q}`);
  const position = q * (sorted.length - 1);
  const index = Math.floor(position);
  const low = sorted[index] ?? Number.NaN;
  const high = sorted[Math.min(index + 1, sorted.length - 1)] ?? Number.NaN;
  const fraction = position - index;
  if (fraction === 0 || low === high) return low;
  // From the nearer end, as NumPy does, so that the interpolation never leaves the interval.
  return fraction < 0.5 ? low + (high - low) * fraction : high - (high - low) * (1 - fraction);
}

/** Ascending copy. @throws RangeError for NaN. */
export function sortedCopy(values: ArrayLike<number>): Float64Array {
  requireNumbers('values', values);
  return Float64Array.from(values).sort();
}
