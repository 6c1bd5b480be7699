/**
 * Online Cramér–von Mises test for a numeric stream (after Ross and Adams 2012): the newest windows against the
 * distribution of a reference sample. Finds any change of distribution, not only of the mean. Distribution-free for
 * continuous data. The model holds the sorted reference; the state holds the longest window.
 */
import { requireFinite, requireInteger, requireLength } from '../arguments.ts';
import { type OnlineStep, requireValue } from './online-step.ts';
import type { Random } from '../random.ts';
import { calibrateThreshold, type RunTimeCalibration } from './run-time-calibration.ts';

export interface OnlineCvmOptions extends RunTimeCalibration {
  /** Lengths of the windows. @default [20, 40] */
  readonly windowSizes?: readonly number[];
}

export interface OnlineCvmModel {
  readonly type: 'online-cvm';
  readonly version: 1;
  /** Ascending. */
  readonly reference: readonly number[];
  readonly windowSizes: readonly number[];
  readonly threshold: number;
  readonly expectedRunTime: number;
}

export interface OnlineCvmState {
  /** Places of the newest values in the reference distribution, within (0, 1). */
  readonly recent: readonly number[];
}

export interface OnlineCvmVerdict {
  readonly alarm: boolean;
  /** Largest statistic over the full windows, scaled so that windows compare; 0 until the shortest is full. */
  readonly statistic: number;
  readonly threshold: number;
  /** The window of that statistic; null until the shortest is full. */
  readonly windowSize: number | null;
}

export const EMPTY_ONLINE_CVM: OnlineCvmState = { recent: [] };

/** Calibrates by simulating references and streams of one distribution. @throws RangeError for NaN or bad options. */
export function fitOnlineCvm(reference: ArrayLike<number>, random: Random, options: OnlineCvmOptions): OnlineCvmModel {
  requireLength('reference', reference, 10);
  requireFinite('reference', reference);
  const windowSizes = [...(options.windowSizes ?? [20, 40])].sort((a, b) => a - b);
  if (windowSizes.length === 0) throw new RangeError('windowSizes must hold at least one length');
  windowSizes.forEach((size, i) => requireInteger(`windowSizes[${i}]`, size, 2));
  const draft = { type: 'online-cvm', version: 1, windowSizes, expectedRunTime: options.expectedRunTime } as const;
  const threshold = calibrateThreshold(options, () => {
    const drawn = Float64Array.from(reference, () => random.uniform()).sort();
    const model = { ...draft, reference: drawn, threshold: Infinity };
    let recent: readonly number[] = [];
    return () => {
      const next = advance(recent, random.uniform(), model);
      recent = next.recent;
      return next.statistic;
    };
  });
  return { ...draft, reference: Array.from(Float64Array.from(reference).sort()), threshold };
}

/** Starts afresh after an alarm. @throws RangeError for NaN or an infinity. */
export function stepOnlineCvm(
  state: OnlineCvmState,
  value: number,
  model: OnlineCvmModel,
): OnlineStep<OnlineCvmState, OnlineCvmVerdict> {
  requireValue(value);
  const { recent, statistic, windowSize } = advance(state.recent, value, model);
  const { threshold } = model;
  const alarm = statistic > threshold;
  return { state: alarm ? EMPTY_ONLINE_CVM : { recent }, verdict: { alarm, statistic, threshold, windowSize } };
}

interface Advance {
  readonly recent: readonly number[];
  readonly statistic: number;
  readonly windowSize: number | null;
}

function advance(
  before: readonly number[],
  value: number,
  model: { readonly reference: ArrayLike<number>; readonly windowSizes: readonly number[] },
): Advance {
  const longest = model.windowSizes[model.windowSizes.length - 1] ?? 0;
  const recent = [...before.slice(-(longest - 1)), placeIn(model.reference, value)];
  let statistic = 0;
  let windowSize: number | null = null;
  for (const size of model.windowSizes) {
    if (recent.length < size) break;
    const now = scaledStatistic(Float64Array.from(recent.slice(-size)).sort(), model.reference.length);
    if (windowSize === null || now > statistic) {
      statistic = now;
      windowSize = size;
    }
  }
  return { recent, statistic, windowSize };
}

/** ω² of places against the uniform law; n / (n + w) makes windows of different lengths compare. */
function scaledStatistic(sorted: Float64Array, n: number): number {
  const w = sorted.length;
  let sum = 1 / (12 * w);
  for (let i = 0; i < w; i++) sum += ((sorted[i] ?? 0) - (2 * i + 1) / (2 * w)) ** 2;
  return (sum * n) / (n + w);
}

/** Share of the reference below the value, equal ones counting half; never quite 0 or 1. */
function placeIn(reference: ArrayLike<number>, value: number): number {
  const bound = (strictly: boolean) => {
    let low = 0;
    let high = reference.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = reference[middle] ?? 0;
      if (at < value || (!strictly && at === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return ((bound(true) + bound(false)) / 2 + 0.5) / (reference.length + 1);
}
