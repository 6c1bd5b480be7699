/** Statistics of features and outputs over time, as the API answers them. Times are milliseconds since the epoch. */

export interface StatisticsSearch {
  readonly deployment: string;
  /** Version of the deployment. @default all of them together */
  readonly version?: number | undefined;
  /** Windows that begin at or after. @default a day ago */
  readonly since?: number | undefined;
  /** Windows that begin before. */
  readonly until?: number | undefined;
  /** Only this feature or output. */
  readonly feature?: string | undefined;
  /** Pieces of time, at most. @default 60 */
  readonly points?: number | undefined;
}

export interface FeatureStatistics {
  readonly deployment: string;
  /** Versions whose windows are in it, newest first. */
  readonly versions: readonly number[];
  /** Of the first and last window; null: there is none. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Requests by piece of time: those whose inputs are recorded (`payloads.share`). */
  readonly traffic: readonly TrafficPiece[];
  readonly features: readonly FeatureOverTime[];
}

export interface TrafficPiece {
  readonly fromMs: number;
  readonly toMs: number;
  readonly predictions: number;
  readonly rows: number;
  /** Came too late, or from the future, and are in no window. */
  readonly lateRows: number;
  readonly predictionsPerSecond: number;
}

export interface FeatureOverTime extends FeatureSchema {
  readonly total: ValueSummary;
  /** Shares of equal steps from the least to the largest value; empty for categories, and without values. */
  readonly histogram: { readonly edges: readonly number[]; readonly shares: readonly number[] };
  /** In the order of time, one for each piece of `traffic`. */
  readonly over: readonly ValueSummary[];
}

/** What a column is, in the terms of Seldon's ml-prediction-schema. */
export interface FeatureSchema {
  readonly name: string;
  readonly kind: 'input' | 'output';
  /** PROBA: an output whose values are shares. */
  readonly type: 'REAL' | 'CATEGORICAL' | 'PROBA';
  /** Of a categorical feature: label of code 0, 1, … */
  readonly categories: readonly string[] | null;
}

export interface ValueSummary {
  /** Finite values. */
  readonly count: number;
  readonly missing: number;
  readonly infinite: number;
  /** null: there are no values. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly sd: number | null;
  /** p1, p5, p25, p50, p75, p95, p99: exact while there are 64 distinct values or fewer (and each category), else estimated. */
  readonly quantiles: Readonly<Record<'p1' | 'p5' | 'p25' | 'p50' | 'p75' | 'p95' | 'p99', number>> | null;
  /** The most frequent first; empty when there were more than 64 distinct ones beside the categories, in some window or together. */
  readonly values: readonly { readonly value: number; readonly label: string | null; readonly count: number }[];
}
