/**
 * What a stream of values of one column looked like, in bounded memory: counts, moments, and the distinct values while these are few,
 * else a t-digest of them. A plain document that a fold can keep.
 */
import { addToTDigest, emptyTDigest, type TDigest, tDigestQuantile } from '../quantile-sketch/t-digest.ts';
import { addToMoments, EMPTY_MOMENTS, type RunningMoments } from './running-moments.ts';

/** More distinct values than this are no categories any more. */
export const distinctMax = 64;
export interface ColumnSummary {
  readonly missing: number;
  readonly infinite: number;
  readonly moments: RunningMoments;
  /** Infinity and −Infinity while there is no finite value. */
  readonly min: number;
  readonly max: number;
  /** Each distinct value with its count; undefined when there are too many. */
  readonly values: readonly (readonly [value: number, count: number])[] | undefined;
  /** In the place of `values`. */
  readonly sketch: TDigest | undefined;
}

export const emptyColumnSummary: ColumnSummary = {
  missing: 0,
  infinite: 0,
  moments: EMPTY_MOMENTS,
  min: Infinity,
  max: -Infinity,
  values: [],
  sketch: undefined,
};

/** The summary with more values; NaN is a missing one. Copies what it holds once per call: give it batches. */
export function addToColumnSummary(before: ColumnSummary, added: ArrayLike<number>): ColumnSummary {
  let { missing, infinite, moments, min, max } = before;
  const finite: number[] = [];
  for (let i = 0; i < added.length; i++) {
    const value = added[i] ?? Number.NaN;
    if (Number.isNaN(value)) missing += 1;
    else if (!Number.isFinite(value)) infinite += 1;
    else {
      // −0 is 0.
      finite.push(value + 0);
      moments = addToMoments(moments, value);
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  const common = { missing, infinite, moments, min, max };
  if (before.values === undefined) {
    return { ...common, values: undefined, sketch: addToTDigest(before.sketch ?? emptyTDigest(), finite) };
  }
  const counts = new Map(before.values);
  for (const value of finite) counts.set(value, (counts.get(value) ?? 0) + 1);
  if (counts.size <= distinctMax) return { ...common, values: [...counts], sketch: undefined };
  let sketch = emptyTDigest();
  const every: number[] = [];
  for (const [value, count] of counts) for (let i = 0; i < count; i++) every.push(value);
  sketch = addToTDigest(sketch, every);
  return { ...common, values: undefined, sketch };
}

/** At each of `levels` (0 to 1, ascending), between the values beside it; estimated once there are many distinct ones. */
export function columnQuantiles({ moments, values, sketch }: ColumnSummary, levels: readonly number[]): number[] {
  if (moments.count === 0) return [];
  if (values === undefined) return levels.map((q) => tDigestQuantile(sketch ?? emptyTDigest(), q));
  return countedQuantiles(values, levels);
}

/** Of values with their counts: exact, by linear interpolation (type 7 of Hyndman and Fan 1996). */
export function countedQuantiles(
  values: readonly (readonly [value: number, count: number])[],
  levels: readonly number[],
): number[] {
  const sorted = [...values].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  const at = (rank: number): number => {
    let left = rank;
    for (const [value, count] of sorted) {
      left -= count;
      if (left < 0) return value;
    }
    return sorted.at(-1)?.[0] ?? Number.NaN;
  };
  return levels.map((q) => {
    const rank = q * (total - 1);
    const low = at(Math.floor(rank));
    return low + (rank - Math.floor(rank)) * (at(Math.ceil(rank)) - low);
  });
}
