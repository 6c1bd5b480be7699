/**
 * Merging t-digest (Dunning and Ertl 2019): quantiles with a small rank error, smallest at the ends, in bounded memory.
 * A centroid respects both scale functions, k₁ (good in the middle) and k₂ (keeps the extremes single); equal values
 * always share one centroid. A plain document; digests merge (the result depends slightly on the order).
 */
import { requireFinite, requirePositive } from '../arguments.ts';

export interface TDigest {
  readonly type: 't-digest';
  readonly version: 1;
  /** About the number of centroids kept. */
  readonly compression: number;
  readonly count: number;
  readonly sum: number;
  /** null while empty. */
  readonly min: number | null;
  readonly max: number | null;
  /** Centroids, ascending. */
  readonly means: readonly number[];
  readonly weights: readonly number[];
}

/** @param compression @default 100 */
export function emptyTDigest(compression = 100): TDigest {
  requirePositive('compression', compression);
  const none = { count: 0, sum: 0, min: null, max: null, means: [], weights: [] };
  return { type: 't-digest', version: 1, compression, ...none };
}

/** The digest with more values. Merges once per call: give it batches. @throws RangeError for NaN. */
export function addToTDigest(digest: TDigest, values: ArrayLike<number>): TDigest {
  requireFinite('values', values);
  const sorted = Float64Array.from(values).sort();
  const sum = sorted.reduce((a, b) => a + b, 0);
  const weights = new Float64Array(sorted.length).fill(1);
  return combine(digest, { means: sorted, weights, sum, min: sorted[0], max: sorted[sorted.length - 1] });
}

/** Both digests together, with the compression of the first. */
export function mergeTDigest(a: TDigest, b: TDigest): TDigest {
  return combine(a, { ...b, min: b.min ?? undefined, max: b.max ?? undefined });
}

/** Estimated quantile; the exact minimum and maximum at 0 and 1. NaN while empty. @throws RangeError for a bad q. */
export function tDigestQuantile(digest: TDigest, q: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`q must lie within [0, 1], got ${q}`);
  const { min, max, means, weights, count } = digest;
  if (min === null || max === null) return Number.NaN;
  const rank = q * count;
  let before = 0;
  let lastRank = 0;
  let lastValue = min;
  for (let i = 0; i < means.length; i++) {
    const weight = weights[i] ?? 0;
    const value = means[i] ?? 0;
    // A centroid stands at the middle of its weight, but one that is single, or heavier than allowed, is one value
    // repeated: it covers all its ranks.
    const repeated = weight === 1 || weight > weightLimit(before, before + weight, count, digest.compression);
    const from = repeated ? before : before + weight / 2;
    const to = repeated ? before + weight : from;
    if (rank < from) return between(lastRank, lastValue, from, value, rank);
    if (rank < to) return value;
    lastRank = to;
    lastValue = value;
    before += weight;
  }
  return rank >= count ? max : between(lastRank, lastValue, count, max, rank);
}

interface Part {
  readonly means: ArrayLike<number>;
  readonly weights: ArrayLike<number>;
  readonly sum: number;
  readonly min: number | undefined;
  readonly max: number | undefined;
}

function combine(digest: TDigest, part: Part): TDigest {
  if (part.min === undefined || part.max === undefined) return digest;
  const added = Array.from(part.weights).reduce((a, b) => a + b, 0);
  const count = digest.count + added;
  const means: number[] = [];
  const weights: number[] = [];
  let i = 0;
  let j = 0;
  let before = 0;
  let value = Number.NaN;
  let weight = 0;
  while (i < digest.means.length || j < part.means.length) {
    const first = j >= part.means.length || (digest.means[i] ?? Infinity) <= (part.means[j] ?? Infinity);
    const nextValue = (first ? digest.means[i] : part.means[j]) ?? 0;
    const nextWeight = (first ? digest.weights[i++] : part.weights[j++]) ?? 0;
    const together = weight + nextWeight;
    if (nextValue === value) {
      weight = together;
      continue;
    }
    if (weight > 0 && together > weightLimit(before, before + together, count, digest.compression)) {
      means.push(value);
      weights.push(weight);
      before += weight;
      weight = 0;
    }
    value = weight === 0 ? nextValue : value + ((nextValue - value) * nextWeight) / together;
    weight = weight === 0 ? nextWeight : together;
  }
  means.push(value);
  weights.push(weight);
  return {
    ...digest,
    count,
    sum: digest.sum + part.sum,
    min: Math.min(digest.min ?? Infinity, part.min),
    max: Math.max(digest.max ?? -Infinity, part.max),
    means,
    weights,
  };
}

/** Weight that a centroid over the ranks [from, to] of `count` may have, by the slopes of k₁ and k₂ at its outer end. */
function weightLimit(from: number, to: number, count: number, compression: number): number {
  const spread = Math.min((from / count) * (1 - from / count), Math.max(0, (to / count) * (1 - to / count)));
  const middle = 2 * Math.PI * Math.sqrt(spread);
  const ends = (4 * Math.log(Math.max(1, count / compression)) + 24) * spread;
  return (Math.min(middle, ends) * count) / compression;
}

function between(x0: number, y0: number, x1: number, y1: number, x: number): number {
  return x1 <= x0 ? y1 : y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}
