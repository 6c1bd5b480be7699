/**
 * Online Fisher test for a stream of zeros and ones (after Ross, Tasoulis and Adams 2013): the counts of the newest
 * windows against the counts of a reference. Made for error rates, label rates and binary features; runs straight off
 * feedback (1 = wrong). Memory: the longest window.
 */
import { requireFraction, requireInteger } from '../arguments.ts';
import { fisherTails } from '../drift/fisher.ts';
import type { OnlineStep } from './online-step.ts';
import type { Random } from '../random.ts';
import { calibrateThreshold, type RunTimeCalibration } from './run-time-calibration.ts';

export interface OnlineFisherOptions extends RunTimeCalibration {
  /** Lengths of the windows. @default [25, 50, 100] */
  readonly windowSizes?: readonly number[];
  /** 'greater': more ones than the reference. @default 'greater' */
  readonly alternative?: 'greater' | 'less' | 'two-sided';
  /** Weight of the past in the smoothed statistic, within [0, 1): evens out the steps of a discrete test. @default 0.5 */
  readonly smoothing?: number;
}

export interface OnlineFisherModel {
  readonly type: 'online-fisher';
  readonly version: 1;
  readonly reference: { readonly count: number; readonly ones: number };
  readonly windowSizes: readonly number[];
  readonly alternative: 'greater' | 'less' | 'two-sided';
  readonly smoothing: number;
  /** Of the smoothed −ln p. */
  readonly threshold: number;
  readonly expectedRunTime: number;
}

export interface OnlineFisherState {
  readonly recent: readonly number[];
  readonly smoothed: number;
}

export interface OnlineFisherVerdict {
  readonly alarm: boolean;
  /** Smoothed −ln of the smallest p-value over the windows; 0 until the shortest window is full. */
  readonly statistic: number;
  readonly threshold: number;
  /** Smallest p-value now, and its window; null until the shortest window is full. */
  readonly pValue: number | null;
  readonly windowSize: number | null;
}

export const EMPTY_ONLINE_FISHER: OnlineFisherState = { recent: [], smoothed: 0 };

/**
 * Calibrates on the reference counts: streams and references with the reference's rate, (ones + ½) / (count + 1), are simulated.
 * @throws RangeError for impossible counts, windows or run time.
 */
export function fitOnlineFisher(
  reference: { readonly count: number; readonly ones: number },
  random: Random,
  options: OnlineFisherOptions,
): OnlineFisherModel {
  requireInteger('reference.count', reference.count, 1);
  requireInteger('reference.ones', reference.ones);
  if (reference.ones > reference.count) throw new RangeError(`reference.ones must not exceed ${reference.count}`);
  const windowSizes = [...(options.windowSizes ?? [25, 50, 100])].sort((a, b) => a - b);
  if (windowSizes.length === 0) throw new RangeError('windowSizes must hold at least one length');
  windowSizes.forEach((size, i) => requireInteger(`windowSizes[${i}]`, size, 2));
  const smoothing = options.smoothing ?? 0.5;
  if (smoothing !== 0) requireFraction('smoothing', smoothing);
  const draft = {
    type: 'online-fisher',
    version: 1,
    reference: { count: reference.count, ones: reference.ones },
    windowSizes,
    alternative: options.alternative ?? 'greater',
    smoothing,
    threshold: Infinity,
    expectedRunTime: options.expectedRunTime,
  } as const;
  // Krichevsky and Trofimov 1981: a reference without ones, or of ones alone, does not say that there never will be another value.
  const rate = (reference.ones + 0.5) / (reference.count + 1);
  const threshold = calibrateThreshold(options, () => {
    const drawn = { count: reference.count, ones: binomial(random, reference.count, rate) };
    const model = { ...draft, reference: drawn };
    const pValues = memoised(model);
    let state = EMPTY_ONLINE_FISHER;
    return () => {
      const next = advance(state, random.uniform() < rate ? 1 : 0, model, pValues);
      state = next.state;
      return next.verdict.statistic;
    };
  });
  return { ...draft, threshold };
}

/** Starts afresh after an alarm. @throws RangeError for anything but 0 and 1. */
export function stepOnlineFisher(
  state: OnlineFisherState,
  value: number,
  model: OnlineFisherModel,
): OnlineStep<OnlineFisherState, OnlineFisherVerdict> {
  if (value !== 0 && value !== 1) throw new RangeError(`value must be 0 or 1, got ${value}`);
  const next = advance(state, value, model, (ones, size) => pValueOf(model, ones, size));
  return next.verdict.alarm ? { ...next, state: EMPTY_ONLINE_FISHER } : next;
}

type PValues = (ones: number, size: number) => number;

function advance(
  state: OnlineFisherState,
  value: number,
  model: OnlineFisherModel,
  pValues: PValues,
): OnlineStep<OnlineFisherState, OnlineFisherVerdict> {
  const longest = model.windowSizes[model.windowSizes.length - 1] ?? 0;
  const recent = [...state.recent.slice(-(longest - 1)), value];
  let pValue: number | null = null;
  let windowSize: number | null = null;
  let ones = 0;
  let counted = 0;
  for (const size of model.windowSizes) {
    if (recent.length < size) break;
    while (counted < size) {
      counted += 1;
      ones += recent[recent.length - counted] ?? 0;
    }
    const p = pValues(ones, size);
    if (pValue === null || p < pValue) {
      pValue = p;
      windowSize = size;
    }
  }
  const now = pValue === null ? 0 : -Math.log(Math.max(pValue, Number.MIN_VALUE));
  const smoothed = model.smoothing * state.smoothed + (1 - model.smoothing) * now;
  const { threshold } = model;
  return {
    state: { recent, smoothed },
    verdict: { alarm: smoothed > threshold, statistic: smoothed, threshold, pValue, windowSize },
  };
}

function pValueOf({ reference, alternative }: OnlineFisherModel, ones: number, size: number): number {
  const tails = fisherTails([
    [ones, size - ones],
    [reference.ones, reference.count - reference.ones],
  ]);
  return { greater: tails.pValueGreater, less: tails.pValueLess, 'two-sided': tails.pValue }[alternative];
}

function memoised(model: OnlineFisherModel): PValues {
  const known = new Map<number, number>();
  return (ones, size) => {
    const key = size * 1_000_000 + ones;
    const found = known.get(key) ?? pValueOf(model, ones, size);
    known.set(key, found);
    return found;
  };
}

function binomial(random: Random, count: number, rate: number): number {
  let ones = 0;
  for (let i = 0; i < count; i++) if (random.uniform() < rate) ones += 1;
  return ones;
}
