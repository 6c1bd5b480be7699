/**
 * HDR histogram (after G. Tene's HdrHistogram): counts of positive integers, such as microseconds, with a fixed number
 * of significant digits over the whole range. A plain document; histograms with the same digits merge exactly.
 */
import { requireFinite, requireInteger } from '../arguments.ts';

export interface HdrHistogram {
  readonly type: 'hdr-histogram';
  readonly version: 1;
  /** Largest value that is told apart; larger ones count as this one, and in `clamped`. */
  readonly highest: number;
  readonly digits: number;
  readonly count: number;
  readonly clamped: number;
  /** Counts by the lowest value of each bucket. */
  readonly counts: Readonly<Record<string, number>>;
}

/** @param highest @default 3,600,000 @param digits significant decimal digits, 1 to 5. @default 3 */
export function emptyHdrHistogram(highest = 3_600_000, digits = 3): HdrHistogram {
  requireInteger('highest', highest, 2);
  requireInteger('digits', digits, 1);
  if (digits > 5) throw new RangeError(`digits must be at most 5, got ${digits}`);
  return { type: 'hdr-histogram', version: 1, highest, digits, count: 0, clamped: 0, counts: {} };
}

/** The histogram with more values, rounded to integers of at least 1. Copies once per call: give it batches. */
export function addToHdrHistogram(histogram: HdrHistogram, values: ArrayLike<number>): HdrHistogram {
  requireFinite('values', values);
  const counts: Record<string, number> = { ...histogram.counts };
  let { clamped } = histogram;
  for (let i = 0; i < values.length; i++) {
    const rounded = Math.max(1, Math.round(values[i] ?? 0));
    if (rounded > histogram.highest) clamped += 1;
    const value = Math.min(rounded, histogram.highest);
    const low = value - (value % bucketWidth(value, histogram.digits));
    counts[low] = (counts[low] ?? 0) + 1;
  }
  return { ...histogram, count: histogram.count + values.length, clamped, counts };
}

/** Both histograms together. @throws RangeError for different ranges or digits. */
export function mergeHdrHistogram(a: HdrHistogram, b: HdrHistogram): HdrHistogram {
  if (a.highest !== b.highest || a.digits !== b.digits) {
    throw new RangeError(`histograms must have one range, got ${a.highest}/${a.digits} and ${b.highest}/${b.digits}`);
  }
  const counts: Record<string, number> = { ...a.counts };
  for (const [low, n] of Object.entries(b.counts)) counts[low] = (counts[low] ?? 0) + n;
  return { ...a, count: a.count + b.count, clamped: a.clamped + b.clamped, counts };
}

/**
 * The largest value of the bucket that holds rank ⌊q n + ½⌋ (at least 1), as HdrHistogram defines it.
 * NaN while empty. @throws RangeError for a bad q.
 */
export function hdrQuantile(histogram: HdrHistogram, q: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`q must lie within [0, 1], got ${q}`);
  if (histogram.count === 0) return Number.NaN;
  let left = Math.max(1, Math.floor(q * histogram.count + 0.5));
  const sorted = Object.entries(histogram.counts)
    .map(([low, n]): [number, number] => [Number(low), n])
    .sort((a, b) => a[0] - b[0]);
  for (const [low, n] of sorted) {
    left -= n;
    if (left <= 0) return Math.min(histogram.highest, low + bucketWidth(low, histogram.digits) - 1);
  }
  return histogram.highest;
}

/** Buckets double their width each time the value doubles beyond 2 × 10^digits (rounded up to a power of two). */
function bucketWidth(value: number, digits: number): number {
  const exact = 2 ** Math.ceil(Math.log2(2 * 10 ** digits));
  return value < exact ? 1 : 2 ** (Math.floor(Math.log2(value)) - Math.log2(exact) + 1);
}
