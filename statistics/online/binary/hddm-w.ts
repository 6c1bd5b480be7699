/** HDDM with the W-test (Frías-Blanco et al. 2015): McDiarmid bounds on weighted averages, which react sooner. O(1) memory. */
import type { OnlineStep } from '../online-step.ts';
import { type BinaryVerdict, requireError } from './binary-verdict.ts';
import type { HddmOptions } from './hddm-a.ts';

export interface HddmWOptions extends HddmOptions {
  /** Weight of the newest value. @default 0.05 */
  readonly lambda?: number;
}

/** An exponentially weighted average and the sum of its squared weights. */
export interface WeightedAverage {
  readonly average: number;
  readonly squaredWeights: number;
}

export interface HddmWState {
  readonly total: WeightedAverage | null;
  /** The prefix whose upper bound is lowest, that bound, and the average of what came after. */
  readonly best: WeightedAverage | null;
  readonly cut: number | null;
  readonly after: WeightedAverage | null;
}

export const EMPTY_HDDM_W: HddmWState = { total: null, best: null, cut: null, after: null };

export function stepHddmW(
  state: HddmWState,
  error: number,
  options: HddmWOptions = {},
): OnlineStep<HddmWState, BinaryVerdict> {
  requireError(error);
  const lambda = options.lambda ?? 0.05;
  const driftConfidence = options.driftConfidence ?? 0.001;
  const total = extend(state.total, error, lambda);
  const level = total.average + bound(total.squaredWeights, driftConfidence);
  const better = state.cut === null || level < state.cut;
  const best = better ? total : state.best;
  const after = better ? null : extend(state.after, error, lambda);
  const risen = (confidence: number) =>
    best !== null &&
    after !== null &&
    after.average - best.average > bound(best.squaredWeights + after.squaredWeights, confidence);
  const drift = risen(driftConfidence);
  const warning = !drift && risen(options.warningConfidence ?? 0.005);
  const next = { total, best, cut: better ? level : state.cut, after };
  return { state: drift ? EMPTY_HDDM_W : next, verdict: { drift, warning } };
}

function extend(state: WeightedAverage | null, value: number, lambda: number): WeightedAverage {
  if (state === null) return { average: value, squaredWeights: 1 };
  return {
    average: lambda * value + (1 - lambda) * state.average,
    squaredWeights: lambda * lambda + (1 - lambda) ** 2 * state.squaredWeights,
  };
}

function bound(squaredWeights: number, confidence: number): number {
  return Math.sqrt((squaredWeights * Math.log(1 / confidence)) / 2);
}
