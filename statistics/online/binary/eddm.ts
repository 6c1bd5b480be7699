/** Early drift detection method (Baena-García et al. 2006): the distance between errors shrinks. O(1) memory. */
import type { OnlineStep } from '../online-step.ts';
import { addToMoments, EMPTY_MOMENTS, type RunningMoments } from '../../samples/running-moments.ts';
import { type BinaryVerdict, requireError } from './binary-verdict.ts';

export interface EddmOptions {
  /** Values before distances are judged, and errors before the first verdict. @default 30 */
  readonly warmStart?: number;
  /** Warning below this share of the best distance. @default 0.95 */
  readonly alpha?: number;
  /** Drift below this share. @default 0.9 */
  readonly beta?: number;
}

export interface EddmState {
  readonly count: number;
  readonly sinceError: number;
  /** Distances between errors. */
  readonly distances: RunningMoments;
  /** Largest mean + 2 deviations so far. */
  readonly best: number;
}

export const EMPTY_EDDM: EddmState = { count: 0, sinceError: 0, distances: EMPTY_MOMENTS, best: 0 };

export function stepEddm(
  state: EddmState,
  error: number,
  options: EddmOptions = {},
): OnlineStep<EddmState, BinaryVerdict> {
  requireError(error);
  const count = state.count + 1;
  const sinceError = state.sinceError + 1;
  const quiet = { drift: false, warning: false };
  if (error === 0) return { state: { ...state, count, sinceError }, verdict: quiet };
  const distances = addToMoments(state.distances, sinceError);
  const deviation = Math.sqrt(distances.squaredDeviations / distances.count);
  const level = distances.mean + 2 * deviation;
  const warmStart = options.warmStart ?? 30;
  // The first few distances are too noisy to set the mark.
  const best = count >= warmStart ? Math.max(state.best, level) : state.best;
  const next = { count, sinceError: 0, distances, best };
  if (distances.count <= warmStart || level >= best) return { state: next, verdict: quiet };
  const share = level / best;
  const drift = share < (options.beta ?? 0.9);
  const warning = !drift && share < (options.alpha ?? 0.95);
  return { state: drift ? EMPTY_EDDM : next, verdict: { drift, warning } };
}
