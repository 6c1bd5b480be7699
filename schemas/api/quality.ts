/** Quality metrics, as the API answers them. Numbers that JSON does not have come as the texts 'NaN', 'Infinity' and '-Infinity'. */
import type { QualityAssessed } from '../events.ts';

export type QualityNumber = number | 'NaN' | 'Infinity' | '-Infinity';

type Plain<T> = T extends number
  ? QualityNumber
  : T extends readonly (infer I)[]
    ? readonly Plain<I>[]
    : T extends object
      ? { readonly [K in keyof T]: Plain<T[K]> }
      : T;

/** One window of one series; see `schemas/events/quality/quality-assessed.avsc`. */
export type QualityWindow = Plain<QualityAssessed> & {
  readonly deployment: string;
  readonly window: number;
  readonly rows: number;
  readonly fromMs: number;
  readonly toMs: number;
};

export interface QualitySearch {
  readonly deployment: string;
  /** undefined: all; '': the routes together. */
  readonly route?: string | undefined;
  /** undefined: all; '': all rows. */
  readonly segment?: string | undefined;
  /** Of the deployment. @default the newest that has windows */
  readonly version?: number | undefined;
  /** Only windows that ended before, milliseconds since the epoch: the page behind another one. */
  readonly until?: number | undefined;
  /** Windows of each series. */
  readonly windows?: number | undefined;
}

/** Rewards that the function of a deployment did not make, by what went wrong. */
export interface RewardFailures {
  readonly code: string;
  readonly count: number;
  /** The newest one: why, of which prediction, when. */
  readonly reason: string;
  readonly predictionId: string;
  readonly route: string;
  readonly at: number;
}
