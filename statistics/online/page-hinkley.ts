/** Page–Hinkley test (Page 1954; Hinkley 1971) for a change of the mean, against the running mean. O(1) memory. */
import { type OnlineStep, requireValue } from './online-step.ts';

export interface PageHinkleyOptions {
  /** Values before the first verdict. @default 30 */
  readonly minInstances?: number;
  /** Deviation that is tolerated, in units of the data. @default 0.005 */
  readonly delta?: number;
  /** Cumulative deviation that raises an alarm, in units of the data. @default 50 */
  readonly threshold?: number;
  /** Forgetting factor of the sums. @default 0.9999 */
  readonly alpha?: number;
  /** Direction of the change to find. @default 'both' */
  readonly mode?: 'up' | 'down' | 'both';
}

export interface PageHinkleyState {
  readonly count: number;
  readonly mean: number;
  readonly up: number;
  readonly down: number;
  /** Smallest `up` and largest `down` so far; null before the first value. */
  readonly upMin: number | null;
  readonly downMax: number | null;
}

export interface PageHinkleyVerdict {
  readonly alarm: boolean;
  readonly direction: 'up' | 'down' | null;
  /** State after this value, before a restart. */
  readonly mean: number;
  readonly up: number;
  readonly down: number;
}

export const EMPTY_PAGE_HINKLEY: PageHinkleyState = { count: 0, mean: 0, up: 0, down: 0, upMin: null, downMax: null };

/** Starts afresh with the value after an alarm. */
export function stepPageHinkley(
  state: PageHinkleyState,
  value: number,
  options: PageHinkleyOptions = {},
): OnlineStep<PageHinkleyState, PageHinkleyVerdict> {
  requireValue(value);
  const delta = options.delta ?? 0.005;
  const alpha = options.alpha ?? 0.9999;
  const threshold = options.threshold ?? 50;
  const mode = options.mode ?? 'both';
  const count = state.count + 1;
  const mean = state.mean + (value - state.mean) / count;
  const deviation = value - mean;
  const up = alpha * state.up + deviation - delta;
  const down = alpha * state.down + deviation + delta;
  const upMin = Math.min(state.upMin ?? Infinity, up);
  const downMax = Math.max(state.downMax ?? -Infinity, down);
  const ready = count >= (options.minInstances ?? 30);
  const risen = ready && mode !== 'down' && up - upMin > threshold;
  const fallen = ready && mode !== 'up' && downMax - down > threshold;
  return {
    state: risen || fallen ? EMPTY_PAGE_HINKLEY : { count, mean, up, down, upMin, downMax },
    verdict: { alarm: risen || fallen, direction: risen ? 'up' : fallen ? 'down' : null, mean, up, down },
  };
}
