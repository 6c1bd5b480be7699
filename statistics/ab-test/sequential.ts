/**
 * Always-valid comparison: may be looked at after every observation and stopped at any time without inflating the
 * error rate. Mixture sequential probability ratio tests (Robbins 1970; Johari, Pekelis and Walsh 2017). States are
 * plain documents in O(1) memory; `p` never rises.
 */
import { requireFraction, requirePositive } from '../arguments.ts';
import { logBeta } from '../special/beta.ts';

export interface SequentialNormalOptions {
  /** Known variance of control plus known variance of treatment, per pair. */
  readonly variance: number;
  /** Standard deviation of the prior N(0, τ²) on the difference: about the size of effect worth finding. */
  readonly tau: number;
}

export interface SequentialNormalState {
  readonly pairs: number;
  /** Mean of treatment minus control over the pairs. */
  readonly meanDifference: number;
  readonly pValue: number;
}

export const EMPTY_SEQUENTIAL_NORMAL: SequentialNormalState = { pairs: 0, meanDifference: 0, pValue: 1 };

/** The state after one more pair (control, treatment). */
export function addPair(
  state: SequentialNormalState,
  control: number,
  treatment: number,
  options: SequentialNormalOptions,
): SequentialNormalState {
  const difference = treatment - control;
  if (!Number.isFinite(difference)) throw new RangeError(`pair must be finite, got ${control} and ${treatment}`);
  const pairs = state.pairs + 1;
  const meanDifference = state.meanDifference + (difference - state.meanDifference) / pairs;
  const next = { pairs, meanDifference, pValue: state.pValue };
  return { ...next, pValue: Math.min(state.pValue, Math.exp(-sequentialLogRatio(next, options))) };
}

/** ln Λ, the logarithm of the mixture likelihood ratio against "no difference". */
export function sequentialLogRatio(state: SequentialNormalState, options: SequentialNormalOptions): number {
  const { variance, prior } = check(options);
  const n = state.pairs;
  const total = variance + n * prior;
  const d = state.meanDifference;
  return 0.5 * Math.log(variance / total) + (prior * n * n * d * d) / (2 * variance * total);
}

/** Half width of the always-valid interval around `meanDifference`; infinite before the first pair. @default alpha 0.05 */
export function sequentialHalfWidth(
  state: SequentialNormalState,
  options: SequentialNormalOptions,
  alpha = 0.05,
): number {
  requireFraction('alpha', alpha);
  const { variance, prior } = check(options);
  const n = state.pairs;
  if (n === 0) return Infinity;
  const total = variance + n * prior;
  return Math.sqrt(((variance * total) / (n * n * prior)) * (Math.log(total / variance) - 2 * Math.log(alpha)));
}

export interface SequentialRateOptions {
  /** The rate under the null hypothesis. */
  readonly nullRate: number;
  /** Prior Beta(a, b) on the rate. @default 1 */
  readonly a?: number;
  /** @default 1 */
  readonly b?: number;
}

export interface SequentialRateState {
  readonly trials: number;
  readonly successes: number;
  readonly pValue: number;
}

export const EMPTY_SEQUENTIAL_RATE: SequentialRateState = { trials: 0, successes: 0, pValue: 1 };

/** The state after one more success or failure. */
export function addTrial(
  state: SequentialRateState,
  success: boolean,
  options: SequentialRateOptions,
): SequentialRateState {
  const next = { trials: state.trials + 1, successes: state.successes + (success ? 1 : 0), pValue: state.pValue };
  return { ...next, pValue: Math.min(state.pValue, Math.exp(-sequentialRateLogRatio(next, options))) };
}

/** ln Λ of the beta-binomial mixture against the null rate. */
export function sequentialRateLogRatio(state: SequentialRateState, options: SequentialRateOptions): number {
  requireFraction('nullRate', options.nullRate);
  const a = options.a ?? 1;
  const b = options.b ?? 1;
  const failures = state.trials - state.successes;
  return (
    logBeta(a + state.successes, b + failures) -
    logBeta(a, b) -
    state.successes * Math.log(options.nullRate) -
    failures * Math.log1p(-options.nullRate)
  );
}

function check(options: SequentialNormalOptions): { variance: number; prior: number } {
  requirePositive('variance', options.variance);
  requirePositive('tau', options.tau);
  return { variance: options.variance, prior: options.tau * options.tau };
}
