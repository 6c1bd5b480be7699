/**
 * DDSketch (Masson, Rim and Lee 2019): quantiles with a relative error of at most `alpha`, of any stream, in bounded
 * memory. A plain document; two sketches with the same alpha merge exactly, in any order.
 */
import { requireFinite, requireFraction } from '../arguments.ts';

export interface DdSketch {
  readonly type: 'ddsketch';
  readonly version: 1;
  /** Relative accuracy. */
  readonly alpha: number;
  readonly count: number;
  readonly sum: number;
  /** null while empty. */
  readonly min: number | null;
  readonly max: number | null;
  readonly zeros: number;
  /** Counts by bucket index; bucket i holds (γ^(i−1), γ^i], γ = (1 + α) / (1 − α). */
  readonly positive: Readonly<Record<string, number>>;
  /** The same for the absolute values of negative numbers. */
  readonly negative: Readonly<Record<string, number>>;
}

/** Buckets per sign; beyond, the buckets nearest to zero are merged (at α = 0.01 this spans 17 orders of magnitude). */
const BUCKETS_MAX = 2048;

/** @param alpha @default 0.01 */
export function emptyDdSketch(alpha = 0.01): DdSketch {
  requireFraction('alpha', alpha);
  const none = { count: 0, sum: 0, min: null, max: null, zeros: 0, positive: {}, negative: {} };
  return { type: 'ddsketch', version: 1, alpha, ...none };
}

/** The sketch with more values. Copies the buckets once per call: give it batches. @throws RangeError for NaN. */
export function addToDdSketch(sketch: DdSketch, values: ArrayLike<number>): DdSketch {
  requireFinite('values', values);
  const scale = Math.log((1 + sketch.alpha) / (1 - sketch.alpha));
  const positive: Record<string, number> = { ...sketch.positive };
  const negative: Record<string, number> = { ...sketch.negative };
  let { count, sum, zeros } = sketch;
  let min = sketch.min ?? Infinity;
  let max = sketch.max ?? -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    count += 1;
    sum += value;
    min = Math.min(min, value);
    max = Math.max(max, value);
    if (value === 0) zeros += 1;
    else {
      const buckets = value > 0 ? positive : negative;
      const index = Math.ceil(Math.log(Math.abs(value)) / scale);
      buckets[index] = (buckets[index] ?? 0) + 1;
    }
  }
  if (count === 0) return sketch;
  return { ...sketch, count, sum, min, max, zeros, positive: bounded(positive), negative: bounded(negative) };
}

/** Both sketches together. @throws RangeError for different alphas. */
export function mergeDdSketch(a: DdSketch, b: DdSketch): DdSketch {
  if (a.alpha !== b.alpha) throw new RangeError(`sketches must have one alpha, got ${a.alpha} and ${b.alpha}`);
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const join = (x: DdSketch['positive'], y: DdSketch['positive']) => {
    const both: Record<string, number> = { ...x };
    for (const [index, n] of Object.entries(y)) both[index] = (both[index] ?? 0) + n;
    return bounded(both);
  };
  return {
    ...a,
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: Math.min(a.min ?? Infinity, b.min ?? Infinity),
    max: Math.max(a.max ?? -Infinity, b.max ?? -Infinity),
    zeros: a.zeros + b.zeros,
    positive: join(a.positive, b.positive),
    negative: join(a.negative, b.negative),
  };
}

/** Estimate of the value of rank ⌊q (n − 1)⌋, within alpha of it. NaN while empty. @throws RangeError for a bad q. */
export function ddSketchQuantile(sketch: DdSketch, q: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`q must lie within [0, 1], got ${q}`);
  if (sketch.count === 0) return Number.NaN;
  let left = Math.floor(q * (sketch.count - 1));
  const gamma = (1 + sketch.alpha) / (1 - sketch.alpha);
  const centre = (index: number) => (2 * gamma ** index) / (gamma + 1);
  for (const [index, count] of ascending(sketch.negative).reverse()) {
    left -= count;
    if (left < 0) return -centre(index);
  }
  left -= sketch.zeros;
  if (left < 0) return 0;
  for (const [index, count] of ascending(sketch.positive)) {
    left -= count;
    if (left < 0) return centre(index);
  }
  return sketch.max ?? Number.NaN;
}

function ascending(buckets: DdSketch['positive']): [number, number][] {
  return Object.entries(buckets)
    .map(([index, count]): [number, number] => [Number(index), count])
    .sort((a, b) => a[0] - b[0]);
}

function bounded(buckets: Record<string, number>): Record<string, number> {
  const size = Object.keys(buckets).length;
  if (size <= BUCKETS_MAX) return buckets;
  const sorted = ascending(buckets);
  const cut = size - BUCKETS_MAX;
  const merged = sorted.slice(0, cut + 1).reduce((sum, [, count]) => sum + count, 0);
  const kept = sorted.slice(cut).map(([index, count], i) => [index, i === 0 ? merged : count]);
  return Object.fromEntries(kept) as Record<string, number>;
}
