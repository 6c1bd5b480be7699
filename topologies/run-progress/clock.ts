import type { ClockState } from './state.ts';

/** Longer than any heartbeat that a flow may have. */
const noBeat = Number.MAX_SAFE_INTEGER;

export const startOfTime: ClockState = { lastMs: 0, shiftMs: 0, openLeases: 0, beatMs: noBeat };

/**
 * The clock at a record or timer of `timeMs`. When the log itself stood still for longer than a heartbeat, no worker could renew its
 * lease meanwhile: the time of the standstill does not count against any.
 */
export function clockAt(before: ClockState | undefined, timeMs: number): ClockState {
  const clock = before ?? startOfTime;
  const jumpMs = timeMs - clock.lastMs;
  if (jumpMs <= 0) return clock;
  const stoodStill = clock.openLeases > 0 && jumpMs > clock.beatMs;
  return { ...clock, lastMs: timeMs, shiftMs: clock.shiftMs + (stoodStill ? jumpMs : 0) };
}

export function leaseOpened(clock: ClockState, leaseMs: number): ClockState {
  return { ...clock, openLeases: clock.openLeases + 1, beatMs: Math.min(clock.beatMs, beatOf(leaseMs)) };
}

export function leaseClosed(clock: ClockState): ClockState {
  const openLeases = Math.max(0, clock.openLeases - 1);
  return { ...clock, openLeases, beatMs: openLeases === 0 ? noBeat : clock.beatMs };
}

/** Workers renew a lease three times while it lasts. */
export function beatOf(leaseMs: number): number {
  return leaseMs / 3;
}
