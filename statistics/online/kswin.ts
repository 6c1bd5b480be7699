/**
 * KSWIN (Raab, Heusinger and Schleif 2020): compares the newest values of a window with a random draw of the older ones
 * by an exact Kolmogorov–Smirnov test. The state holds the window and the random words: `windowSize` numbers.
 */
import { requireFraction, requireInteger } from '../arguments.ts';
import { ksTwoSample } from '../drift/ks.ts';
import { type OnlineStep, requireValue } from './online-step.ts';
import { type RandomState, restoreRandom, seededRandom } from '../random.ts';

export interface KswinOptions {
  /** @default 0.005 */
  readonly alpha?: number;
  /** @default 100 */
  readonly windowSize?: number;
  /** Size of both samples; at most half the window. @default 30 */
  readonly statSize?: number;
}

export interface KswinState {
  readonly window: readonly number[];
  readonly random: RandomState;
}

export interface KswinVerdict {
  readonly alarm: boolean;
  /** null until the window is full. */
  readonly statistic: number | null;
  readonly pValue: number | null;
}

/** Below this distance a significant difference is not worth an alarm. */
const MINIMUM_DISTANCE = 0.1;

export function emptyKswin(seed: number | string): KswinState {
  return { window: [], random: seededRandom(seed).state() };
}

/** Keeps only the newest `statSize` values after an alarm. */
export function stepKswin(
  state: KswinState,
  value: number,
  options: KswinOptions = {},
): OnlineStep<KswinState, KswinVerdict> {
  requireValue(value);
  const alpha = options.alpha ?? 0.005;
  const windowSize = options.windowSize ?? 100;
  const statSize = options.statSize ?? 30;
  requireFraction('alpha', alpha);
  requireInteger('statSize', statSize, 1);
  requireInteger('windowSize', windowSize, 2 * statSize);
  const window = [...state.window.slice(-(windowSize - 1)), value];
  if (window.length < windowSize) {
    return { state: { ...state, window }, verdict: { alarm: false, statistic: null, pValue: null } };
  }
  const random = restoreRandom(state.random);
  const older = random.sample(windowSize - statSize, statSize).map((i) => window[i] ?? 0);
  const newest = window.slice(-statSize);
  const { statistic, pValue } = ksTwoSample(older, newest, { method: 'exact' });
  const alarm = pValue <= alpha && statistic > MINIMUM_DISTANCE;
  return {
    state: { window: alarm ? newest : window, random: random.state() },
    verdict: { alarm, statistic, pValue },
  };
}
