/** HDDM with the A-test (Frías-Blanco et al. 2015): Hoeffding bounds on averages, for a rise of the error rate. O(1) memory. */
import type { OnlineStep } from '../online-step.ts';
import { type BinaryVerdict, requireError } from './binary-verdict.ts';

export interface HddmOptions {
  /** @default 0.001 */
  readonly driftConfidence?: number;
  /** @default 0.005 */
  readonly warningConfidence?: number;
}

export interface HddmAState {
  readonly count: number;
  readonly sum: number;
  /** The prefix whose upper bound on the rate is lowest; count 0 before the first value. */
  readonly bestCount: number;
  readonly bestSum: number;
}

export const EMPTY_HDDM_A: HddmAState = { count: 0, sum: 0, bestCount: 0, bestSum: 0 };

export function stepHddmA(
  state: HddmAState,
  error: number,
  options: HddmOptions = {},
): OnlineStep<HddmAState, BinaryVerdict> {
  requireError(error);
  const driftConfidence = options.driftConfidence ?? 0.001;
  const count = state.count + 1;
  const sum = state.sum + error;
  const bound = (n: number) => Math.sqrt(Math.log(1 / driftConfidence) / (2 * n));
  const better =
    state.bestCount === 0 || sum / count + bound(count) <= state.bestSum / state.bestCount + bound(state.bestCount);
  const bestCount = better ? count : state.bestCount;
  const bestSum = better ? sum : state.bestSum;
  const risen = (confidence: number) => {
    if (bestCount === count) return false;
    const m = (count - bestCount) / bestCount / count;
    return sum / count - bestSum / bestCount >= Math.sqrt((m / 2) * Math.log(2 / confidence));
  };
  const drift = risen(driftConfidence);
  const warning = !drift && risen(options.warningConfidence ?? 0.005);
  return { state: drift ? EMPTY_HDDM_A : { count, sum, bestCount, bestSum }, verdict: { drift, warning } };
}
