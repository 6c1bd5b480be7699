/** Exponentially weighted moving average chart (Roberts 1959; NIST handbook 6.3.2.4). O(1) memory. */
import { requirePositive } from '../arguments.ts';
import { type OnlineStep, requireValue } from './online-step.ts';

export interface EwmaOptions {
  /** Mean and standard deviation of the process in control. */
  readonly target: number;
  readonly sigma: number;
  /** Weight of the newest value, within (0, 1]. @default 0.2 */
  readonly lambda?: number;
  /** Width of the limits in sigmas of the average. @default 3 */
  readonly width?: number;
}

export interface EwmaState {
  readonly count: number;
  /** The average; null before the first value. */
  readonly average: number | null;
}

export interface EwmaVerdict {
  readonly alarm: boolean;
  readonly average: number;
  readonly lower: number;
  readonly upper: number;
}

export const EMPTY_EWMA: EwmaState = { count: 0, average: null };

/** No reset after an alarm: the chart says "out of control" as long as it is. */
export function stepEwma(state: EwmaState, value: number, options: EwmaOptions): OnlineStep<EwmaState, EwmaVerdict> {
  requireValue(value);
  requirePositive('sigma', options.sigma);
  const lambda = options.lambda ?? 0.2;
  if (!(lambda > 0 && lambda <= 1)) throw new RangeError(`lambda must lie within (0, 1], got ${lambda}`);
  const count = state.count + 1;
  const average = lambda * value + (1 - lambda) * (state.average ?? options.target);
  const spread = Math.sqrt((lambda / (2 - lambda)) * (1 - (1 - lambda) ** (2 * count)));
  const limit = (options.width ?? 3) * options.sigma * spread;
  const lower = options.target - limit;
  const upper = options.target + limit;
  return {
    state: { count, average },
    verdict: { alarm: Math.abs(average - options.target) > limit, average, lower, upper },
  };
}
