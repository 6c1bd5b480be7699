/**
 * Two samples of numbers, sorted together once. What a distance would be if rows had changed sides is then one walk over the values, as a
 * permutation test asks for many hundred times.
 */
import { requireLength, requireNumbers } from '../arguments.ts';
import { edgesOfSorted } from './psi.ts';
import { ascendingOrder } from '../samples/ranks.ts';

export interface PooledSample {
  /** Of both samples, ascending. */
  readonly values: Float64Array;
  /** Of each value: 0 of the reference, 1 of the other one. */
  readonly labels: Uint8Array;
}

/** @throws RangeError for NaN or an empty sample. */
export function poolSamples(reference: ArrayLike<number>, current: ArrayLike<number>): PooledSample {
  requireLength('reference', reference, 1);
  requireLength('current', current, 1);
  const both = Float64Array.of(...Array.from(reference), ...Array.from(current));
  requireNumbers('values', both);
  const order = ascendingOrder(both);
  return {
    values: Float64Array.from(order, (place) => both[place] ?? 0),
    labels: Uint8Array.from(order, (place) => (place < reference.length ? 0 : 1)),
  };
}

/** Counts in bins of about equal shares of the reference, as `psiNumeric` counts them, were these the labels. @param bins @default 10 */
export function binnedCounts(
  { values }: Pick<PooledSample, 'values'>,
  labels: Uint8Array,
  bins = 10,
): readonly [reference: readonly number[], current: readonly number[]] {
  const reference = new Float64Array(values.length);
  let size = 0;
  for (let i = 0; i < values.length; i++) if (labels[i] === 0) reference[size++] = values[i] ?? 0;
  const edges = edgesOfSorted(reference.subarray(0, size), bins);
  const counts = [edges.map(() => 0).concat(0), edges.map(() => 0).concat(0)] as const;
  let bin = 0;
  for (let i = 0; i < values.length; i++) {
    while (bin < edges.length && (edges[bin] ?? 0) <= (values[i] ?? 0)) bin += 1;
    const side = labels[i] === 0 ? counts[0] : counts[1];
    side[bin] = (side[bin] ?? 0) + 1;
  }
  return counts;
}

/** Wasserstein-1 divided by the standard deviation of the reference, were these the labels; infinite when that is constant. */
export function labelledWasserstein({ values }: Pick<PooledSample, 'values'>, labels: Uint8Array): number {
  const ones = labels.reduce((sum, label) => sum + label, 0);
  const zeros = labels.length - ones;
  let [before, now, distance, sum] = [0, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (i > 0) distance += Math.abs(before / zeros - now / ones) * (value - (values[i - 1] ?? 0));
    if (labels[i] === 0) {
      before += 1;
      sum += value;
    } else now += 1;
  }
  if (distance === 0) return 0;
  const mean = sum / zeros;
  let squares = 0;
  for (let i = 0; i < values.length; i++) if (labels[i] === 0) squares += ((values[i] ?? 0) - mean) ** 2;
  return distance / Math.sqrt(squares / (zeros - 1));
}
