/**
 * KLL sketch (Karnin, Lang and Liberty 2016): quantiles with a rank error of about 1.3 % at k = 200 (99 % confidence),
 * whatever the distribution. A plain document; the coin flips are seeded, so the same stream gives the same sketch.
 */
import { requireFinite, requireInteger } from '../arguments.ts';
import { type Random, type RandomState, restoreRandom, seededRandom } from '../random.ts';

export interface KllSketch {
  readonly type: 'kll';
  readonly version: 1;
  /** Size of the top compactor: more is more exact. */
  readonly k: number;
  readonly count: number;
  /** null while empty. */
  readonly min: number | null;
  readonly max: number | null;
  /** levels[h]: values that stand for 2^h each. */
  readonly levels: readonly (readonly number[])[];
  readonly random: RandomState;
}

/** @param k @default 200 */
export function emptyKll(seed: number | string, k = 200): KllSketch {
  requireInteger('k', k, 8);
  const random = seededRandom(seed).state();
  return { type: 'kll', version: 1, k, count: 0, min: null, max: null, levels: [[]], random };
}

/** The sketch with more values. Copies once per call: give it batches. @throws RangeError for NaN. */
export function addToKll(sketch: KllSketch, values: ArrayLike<number>): KllSketch {
  requireFinite('values', values);
  const random = restoreRandom(sketch.random);
  const levels = sketch.levels.map((level) => [...level]);
  let min = sketch.min ?? Infinity;
  let max = sketch.max ?? -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    min = Math.min(min, value);
    max = Math.max(max, value);
    levels[0]?.push(value);
    compress(levels, sketch.k, random);
  }
  if (values.length === 0) return sketch;
  return { ...sketch, count: sketch.count + values.length, min, max, levels, random: random.state() };
}

/** Both sketches together, with the k of the first. */
export function mergeKll(a: KllSketch, b: KllSketch): KllSketch {
  if (b.count === 0) return a;
  const random = restoreRandom(a.random);
  const height = Math.max(a.levels.length, b.levels.length);
  const levels = Array.from({ length: height }, (_, h) => [...(a.levels[h] ?? []), ...(b.levels[h] ?? [])]);
  compress(levels, a.k, random);
  return {
    ...a,
    count: a.count + b.count,
    min: Math.min(a.min ?? Infinity, b.min ?? Infinity),
    max: Math.max(a.max ?? -Infinity, b.max ?? -Infinity),
    levels,
    random: random.state(),
  };
}

/** Estimated quantile; the exact minimum and maximum at 0 and 1. NaN while empty. @throws RangeError for a bad q. */
export function kllQuantile(sketch: KllSketch, q: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`q must lie within [0, 1], got ${q}`);
  if (sketch.min === null || sketch.max === null) return Number.NaN;
  if (q === 0) return sketch.min;
  if (q === 1) return sketch.max;
  const items = sketch.levels.flatMap((level, h) => level.map((value) => ({ value, weight: 2 ** h })));
  items.sort((a, b) => a.value - b.value);
  const total = items.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  for (const { value, weight } of items) {
    below += weight;
    if (below >= q * total) return value;
  }
  return sketch.max;
}

/** Halves the lowest full level into the next one until all fit. */
function compress(levels: number[][], k: number, random: Random): void {
  const capacity = (h: number) => Math.max(2, Math.ceil(k * (2 / 3) ** (levels.length - 1 - h)));
  for (;;) {
    const h = levels.findIndex((level, index) => level.length > capacity(index));
    if (h === -1) return;
    const full = levels[h] ?? [];
    full.sort((a, b) => a - b);
    // An odd value out stays, so that pairs stand for what they replace.
    const kept = full.length % 2 === 1 ? full.splice(random.integer(full.length), 1) : [];
    const offset = random.integer(2);
    const next = levels[h + 1] ?? [];
    for (let i = offset; i < full.length; i += 2) next.push(full[i] ?? 0);
    levels[h] = kept;
    levels[h + 1] = next;
  }
}
