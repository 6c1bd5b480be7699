/** Drift detection method (Gama et al. 2004): the error rate against its own minimum, in standard deviations. O(1) memory. */
import type { OnlineStep } from '../online-step.ts';
import { type BinaryVerdict, requireError } from './binary-verdict.ts';

export interface DdmOptions {
  /** Values before the first verdict. @default 30 */
  readonly warmStart?: number;
  /** In standard deviations. @default 2 */
  readonly warningThreshold?: number;
  /** In standard deviations. @default 3 */
  readonly driftThreshold?: number;
}

export interface DdmState {
  readonly count: number;
  readonly errors: number;
  /** Rate and its standard deviation where their sum was smallest; null during the warm start. */
  readonly best: { readonly rate: number; readonly deviation: number } | null;
}

export const EMPTY_DDM: DdmState = { count: 0, errors: 0, best: null };

export function stepDdm(state: DdmState, error: number, options: DdmOptions = {}): OnlineStep<DdmState, BinaryVerdict> {
  requireError(error);
  const count = state.count + 1;
  const errors = state.errors + error;
  if (count <= (options.warmStart ?? 30)) {
    return { state: { count, errors, best: null }, verdict: { drift: false, warning: false } };
  }
  const rate = errors / count;
  const deviation = Math.sqrt((rate * (1 - rate)) / count);
  const level = rate + deviation;
  const best =
    state.best === null || level <= state.best.rate + state.best.deviation ? { rate, deviation } : state.best;
  const drift = level > best.rate + (options.driftThreshold ?? 3) * best.deviation;
  const warning = !drift && level > best.rate + (options.warningThreshold ?? 2) * best.deviation;
  return { state: drift ? EMPTY_DDM : { count, errors, best }, verdict: { drift, warning } };
}
