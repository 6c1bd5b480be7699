/** What the platform found and what was done to it, as the API answers it. Times are milliseconds since the epoch. */

/** A drift verdict, outliers of a window, an experiment assessed, or an alert. */
export interface Finding {
  readonly id: string;
  readonly deployment: string;
  /** drift, outliers, experiment or alert. */
  readonly kind: string;
  /** Whether it says that something is the case: drifted, outlying, decided, raised. */
  readonly positive: boolean;
  readonly at: number;
  readonly summary: string;
}

export interface FindingSearch {
  readonly deployment?: string | undefined;
  readonly kind?: string | undefined;
  readonly limit: number;
}

/** A mutating call, by whom, and what came of it. */
export interface OperationSummary {
  readonly operationId: string;
  readonly action: string;
  readonly object: string;
  readonly actor: string;
  readonly outcome: string;
  readonly at: number;
}

export interface OperationSearch {
  readonly object?: string | undefined;
  readonly actor?: string | undefined;
  readonly limit: number;
}
