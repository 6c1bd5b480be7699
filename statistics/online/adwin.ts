/**
 * ADWIN2 (Bifet and Gavaldà 2007): keeps a window as long as its two halves agree, in an exponential histogram of
 * O(log n) buckets. The cut uses the window's variance; the smallest sub-window is discounted as in River. A single value far beyond all
 * others makes that variance so large that no cut is seen for long: `clip` bounds values.
 */
import { requireFraction } from '../arguments.ts';
import { addToMoments, EMPTY_MOMENTS, mergeMoments, type RunningMoments } from '../samples/running-moments.ts';
import { type OnlineStep, requireValue } from './online-step.ts';

export interface AdwinOptions {
  /** Confidence: about the rate of false alarms per check. @default 0.002 */
  readonly delta?: number;
  /** Look for a cut every this many values. @default 32 */
  readonly clock?: number;
  /** Buckets per size before two are merged. @default 5 */
  readonly maxBuckets?: number;
  /** Shortest sub-window of a cut. @default 5 */
  readonly minWindowLength?: number;
  /** Values before the first check. @default 10 */
  readonly gracePeriod?: number;
  /** Values count as at most so many standard deviations of the window from its mean, once it holds 30 values that differ. @default no bound */
  readonly clip?: number;
  /** 'restart' begins afresh after a detection; 'shrink' keeps the newer part of the window. @default 'restart' */
  readonly afterDetection?: 'restart' | 'shrink';
}

export interface AdwinState {
  /** Values seen since the start, for the clock. */
  readonly seen: number;
  /** Moments of the whole window. */
  readonly window: RunningMoments;
  /** levels[k]: buckets of 2^k values each, newest first. */
  readonly levels: readonly (readonly RunningMoments[])[];
}

export interface AdwinVerdict {
  readonly alarm: boolean;
  /** Length, mean and variance (divisor n) of the window after this value. */
  readonly width: number;
  readonly mean: number;
  readonly variance: number;
}

export const EMPTY_ADWIN: AdwinState = { seen: 0, window: EMPTY_MOMENTS, levels: [] };

export function stepAdwin(
  state: AdwinState,
  value: number,
  options: AdwinOptions = {},
): OnlineStep<AdwinState, AdwinVerdict> {
  requireValue(value);
  const bounded = options.clip === undefined ? value : clipped(value, state.window, options.clip);
  const delta = options.delta ?? 0.002;
  requireFraction('delta', delta);
  const seen = state.seen + 1;
  const shortest = options.minWindowLength ?? 5;
  let levels = insert(state.levels, bounded, options.maxBuckets ?? 5);
  let window = addToMoments(state.window, bounded);
  let alarm = false;
  if (seen % (options.clock ?? 32) === 0 && window.count > (options.gracePeriod ?? 10)) {
    while (hasCut(levels, window, delta, shortest)) {
      alarm = true;
      levels = withoutOldest(levels);
      window = total(levels);
    }
  }
  const restart = alarm && (options.afterDetection ?? 'restart') === 'restart';
  const variance = window.count === 0 ? 0 : window.squaredDeviations / window.count;
  return {
    state: restart ? EMPTY_ADWIN : { seen, window, levels },
    verdict: { alarm, width: window.count, mean: window.mean, variance },
  };
}

/** Values of a window from which on its spread says what is far. */
const clipAfter = 30;

function clipped(value: number, { count, mean, squaredDeviations }: RunningMoments, clip: number): number {
  const bound = clip * Math.sqrt(squaredDeviations / count);
  return count < clipAfter || bound === 0 ? value : Math.min(mean + bound, Math.max(mean - bound, value));
}

type Levels = readonly (readonly RunningMoments[])[];

function insert(levels: Levels, value: number, maxBuckets: number): Levels {
  const next = [...levels];
  let carry: RunningMoments | undefined = { count: 1, mean: value, squaredDeviations: 0 };
  for (let k = 0; carry !== undefined; k++) {
    const level: RunningMoments[] = [carry, ...(next[k] ?? [])];
    next[k] = level;
    carry = undefined;
    if (level.length > maxBuckets) {
      const oldest = level.pop();
      const second = level.pop();
      if (oldest !== undefined && second !== undefined) carry = mergeMoments(oldest, second);
    }
  }
  return next;
}

function withoutOldest(levels: Levels): Levels {
  const next = levels.map((level) => [...level]);
  next[next.length - 1]?.pop();
  while (next.length > 0 && next[next.length - 1]?.length === 0) next.pop();
  return next;
}

/** Is there a place where the older and the newer part differ by more than chance? Walks from the oldest bucket. */
function hasCut(levels: Levels, window: RunningMoments, delta: number, shortest: number): boolean {
  const n = window.count;
  if (n < 2 * shortest) return false;
  const confidence = Math.log((2 * Math.log(n)) / delta);
  const variance = window.squaredDeviations / n;
  let oldCount = 0;
  let oldSum = 0;
  const sum = window.mean * n;
  for (let k = levels.length - 1; k >= 0; k--) {
    const level = levels[k] ?? [];
    for (let i = level.length - 1; i >= 0; i--) {
      const bucket = level[i];
      if (bucket === undefined) continue;
      oldCount += bucket.count;
      oldSum += bucket.mean * bucket.count;
      const newCount = n - oldCount;
      if (newCount < shortest) return false;
      if (oldCount < shortest) continue;
      const gap = Math.abs(oldSum / oldCount - (sum - oldSum) / newCount);
      const inverse = 1 / (oldCount - shortest + 1) + 1 / (newCount - shortest + 1);
      if (gap > Math.sqrt(2 * inverse * variance * confidence) + (2 / 3) * inverse * confidence) return true;
    }
  }
  return false;
}

function total(levels: Levels): RunningMoments {
  let sum = EMPTY_MOMENTS;
  for (let k = levels.length - 1; k >= 0; k--) for (const bucket of levels[k] ?? []) sum = mergeMoments(sum, bucket);
  return sum;
}
