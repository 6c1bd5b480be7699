/**
 * Online maximum mean discrepancy (after Cobb, Van Looveren and Klaise 2022): the newest window of rows against a
 * reference, with a Gaussian kernel. Finds changes of the joint distribution. The model holds the reference, the state
 * the window; a step costs (reference + window) kernel evaluations.
 */
import { requireFinite, requireInteger, requireMatrix, requirePositive } from '../arguments.ts';
import { medianHeuristic } from '../drift/mmd.ts';
import { squaredDistance } from '../matrices/squared-distance.ts';
import type { OnlineStep } from './online-step.ts';
import type { Random } from '../random.ts';
import { calibrateThreshold, type RunTimeCalibration } from './run-time-calibration.ts';

export interface OnlineMmdOptions extends RunTimeCalibration {
  /** Rows of the window; at most a quarter of the reference. @default 20 */
  readonly windowSize?: number;
  /** Kernel width. @default the median distance of the reference rows */
  readonly sigma?: number;
}

export interface OnlineMmdModel {
  readonly type: 'online-mmd';
  readonly version: 1;
  readonly reference: readonly (readonly number[])[];
  readonly sigma: number;
  readonly windowSize: number;
  /** Mean kernel over pairs of reference rows: the part of the statistic that never changes. */
  readonly withinReference: number;
  readonly threshold: number;
  readonly expectedRunTime: number;
}

export interface OnlineMmdState {
  readonly window: readonly (readonly number[])[];
  /** Mean kernel of each window row with the reference. */
  readonly toReference: readonly number[];
}

export interface OnlineMmdVerdict {
  readonly alarm: boolean;
  /** Unbiased MMD² of window and reference; null until the window is full. */
  readonly statistic: number | null;
  readonly threshold: number;
}

export const EMPTY_ONLINE_MMD: OnlineMmdState = { window: [], toReference: [] };

/**
 * Calibrates on the reference alone: each simulated stream is a random half of it, passed in random order, against the
 * other half. @throws RangeError for ragged rows, NaN, equal rows or a window of more than a quarter of the reference.
 */
export function fitOnlineMmd(
  reference: readonly ArrayLike<number>[],
  random: Random,
  options: OnlineMmdOptions,
): OnlineMmdModel {
  requireMatrix('reference', reference, 8);
  const windowSize = options.windowSize ?? 20;
  requireInteger('windowSize', windowSize, 2);
  if (windowSize > reference.length / 4) {
    throw new RangeError(`windowSize must be at most a quarter of the ${reference.length} reference rows`);
  }
  const rows = reference.map((row) => Array.from(row));
  const sigma = options.sigma ?? medianHeuristic(rows);
  requirePositive('sigma (0 when all rows are equal)', sigma);
  const kernel = rows.map((row) => Float64Array.from(rows, (other) => gaussian(row, other, sigma)));
  const threshold = calibrateThreshold(options, () => simulatedStream(kernel, windowSize, random));
  const all = rows.map((_, i) => i);
  const { expectedRunTime } = options;
  const withinReference = meanPair(kernel, all);
  return {
    type: 'online-mmd',
    version: 1,
    reference: rows,
    sigma,
    windowSize,
    withinReference,
    threshold,
    expectedRunTime,
  };
}

/** Starts afresh after an alarm. @throws RangeError for NaN or another number of columns. */
export function stepOnlineMmd(
  state: OnlineMmdState,
  row: ArrayLike<number>,
  model: OnlineMmdModel,
): OnlineStep<OnlineMmdState, OnlineMmdVerdict> {
  const columns = model.reference[0]?.length ?? 0;
  if (row.length !== columns) throw new RangeError(`row must have ${columns} columns, got ${row.length}`);
  requireFinite('row', row);
  const { threshold, windowSize, sigma } = model;
  const own = model.reference.reduce((sum, other) => sum + gaussian(row, other, sigma), 0) / model.reference.length;
  const window = [...state.window.slice(-(windowSize - 1)), Array.from(row)];
  const toReference = [...state.toReference.slice(-(windowSize - 1)), own];
  if (window.length < windowSize) {
    return { state: { window, toReference }, verdict: { alarm: false, statistic: null, threshold } };
  }
  let pairs = 0;
  window.forEach((a, i) => {
    for (let j = 0; j < i; j++) pairs += gaussian(a, window[j] ?? [], sigma);
  });
  const across = toReference.reduce((a, b) => a + b, 0) / windowSize;
  const statistic = model.withinReference + (2 * pairs) / (windowSize * (windowSize - 1)) - 2 * across;
  const alarm = statistic > threshold;
  return { state: alarm ? EMPTY_ONLINE_MMD : { window, toReference }, verdict: { alarm, statistic, threshold } };
}

/** The statistic along a stream without a change, from the kernel matrix alone; each step updates sums. */
function simulatedStream(kernel: readonly Float64Array[], windowSize: number, random: Random): () => number {
  const order = random.shuffle(kernel.map((_, i) => i));
  const half = Math.floor(order.length / 2);
  const stream = order.slice(0, half);
  const reference = order.slice(half);
  const within = meanPair(kernel, reference);
  const toReference = new Map(
    stream.map((i) => [i, reference.reduce((sum, j) => sum + (kernel[i]?.[j] ?? 0), 0) / reference.length]),
  );
  const window: number[] = [];
  let position = half;
  let pairs = 0;
  let across = 0;
  const withWindow = (row: number) => window.reduce((sum, other) => sum + (kernel[row]?.[other] ?? 0), 0);
  return () => {
    if (position >= half) {
      // The next lap's first rows must not meet themselves in the window.
      random.shuffle(stream);
      const fresh = stream.filter((i) => !window.includes(i));
      stream.splice(0, half, ...fresh, ...stream.filter((i) => window.includes(i)));
      position = 0;
    }
    if (window.length === windowSize) {
      const oldest = window.shift() ?? 0;
      pairs -= withWindow(oldest);
      across -= toReference.get(oldest) ?? 0;
    }
    const row = stream[position++] ?? 0;
    pairs += withWindow(row);
    across += toReference.get(row) ?? 0;
    window.push(row);
    if (window.length < windowSize) return -Infinity;
    return within + (2 * pairs) / (windowSize * (windowSize - 1)) - (2 * across) / windowSize;
  };
}

function meanPair(kernel: readonly Float64Array[], rows: readonly number[]): number {
  let sum = 0;
  rows.forEach((i, a) => {
    for (let b = 0; b < a; b++) sum += kernel[i]?.[rows[b] ?? 0] ?? 0;
  });
  return (2 * sum) / (rows.length * (rows.length - 1));
}

function gaussian(a: ArrayLike<number>, b: ArrayLike<number>, sigma: number): number {
  return Math.exp(-squaredDistance(a, b) / (2 * sigma * sigma));
}
