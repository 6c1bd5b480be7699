/** Tabular CUSUM (Page 1954): sums the deviations beyond an allowance, upwards and downwards. O(1) memory. */
import { requirePositive } from '../arguments.ts';
import { type OnlineStep, requireValue } from './online-step.ts';

export interface CusumOptions {
  /** Mean and standard deviation of the process in control; sigma must be above 0. */
  readonly target: number;
  readonly sigma: number;
  /** Allowance, in sigmas: half the shift worth finding. @default 0.5 */
  readonly k?: number;
  /** Decision limit, in sigmas. @default 5 */
  readonly h?: number;
}

export interface CusumState {
  readonly up: number;
  readonly down: number;
}

export interface CusumVerdict {
  readonly alarm: boolean;
  readonly direction: 'up' | 'down' | null;
  /** Both sums before a reset. */
  readonly up: number;
  readonly down: number;
}

export const EMPTY_CUSUM: CusumState = { up: 0, down: 0 };

/** Both sums restart at 0 after an alarm. */
export function stepCusum(
  state: CusumState,
  value: number,
  options: CusumOptions,
): OnlineStep<CusumState, CusumVerdict> {
  requireValue(value);
  requirePositive('sigma', options.sigma);
  const k = options.k ?? 0.5;
  const h = options.h ?? 5;
  const u = (value - options.target) / options.sigma;
  const up = Math.max(0, state.up + u - k);
  const down = Math.max(0, state.down - u - k);
  const alarm = up > h || down > h;
  const direction = up > h ? 'up' : down > h ? 'down' : null;
  return { state: alarm ? EMPTY_CUSUM : { up, down }, verdict: { alarm, direction, up, down } };
}
