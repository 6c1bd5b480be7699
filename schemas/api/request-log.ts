/** The request log: predictions as people look for them. Times are milliseconds since the epoch. */

export interface RequestSearch {
  readonly deployment?: string | undefined;
  /** Version of the deployment. */
  readonly version?: number | undefined;
  readonly route?: string | undefined;
  /** `name` or `name/version` of the model that answered. */
  readonly model?: string | undefined;
  readonly entity?: string | undefined;
  /** `completed`, `failed`, or the code of a failure, such as `TIMEOUT`. */
  readonly outcome?: string | undefined;
  /** Received at or after. */
  readonly since?: number | undefined;
  /** Received before. */
  readonly until?: number | undefined;
  /** Whether a detector found a row of it to be an outlier. */
  readonly outlier?: boolean | undefined;
  /** Least time from the request to the outcome on the log, milliseconds. */
  readonly slowerThanMs?: number | undefined;
  /** On features and outputs, such as `carat > 2`; one row has all of them. */
  readonly where?: readonly string[] | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface RequestPage {
  /** Newest first. */
  readonly predictions: readonly LoggedRequest[];
  /** null on the last page. A page may be short and yet have a next one: so far it has looked in the time that it had. */
  readonly next: string | null;
}

export interface LoggedRequest {
  readonly predictionId: string;
  /** '' when there was none of the name. */
  readonly deployment: string;
  /** 0 when it failed before a version was found. */
  readonly deploymentVersion: number;
  readonly route: string;
  readonly model: string;
  readonly modelVersion: number;
  readonly entity: string;
  /** `completed`, or the code of the failure. */
  readonly outcome: string;
  readonly receivedAt: number;
  /** When what it is about happened, as the request says. */
  readonly eventTime: number | null;
  /** From the request to the outcome on the log. */
  readonly latencyMs: number;
  /** Of it: waiting for a run, and the run. null when it failed. */
  readonly queueMs: number | null;
  readonly runMs: number | null;
  readonly rows: number;
  /** Names of what `values` hold; empty when the inputs are not recorded, or are no table. */
  readonly columns: readonly LoggedColumn[];
  /** The first rows, each in the order of `columns`; null: missing, or withheld. */
  readonly values: readonly (readonly (number | null)[])[];
  /** Places of the rows that have all conditions of `where`; without conditions all rows. */
  readonly matched: readonly number[];
  /** Findings that name a row of it. */
  readonly outliers: readonly { readonly findingId: string; readonly score: number }[];
}

export interface LoggedColumn {
  /** Of a feature as the deployment says it, else of the tensor. */
  readonly name: string;
  readonly kind: 'input' | 'output';
  /** Label of code 0, 1, … of a categorical feature. */
  readonly categories?: readonly string[];
}

/** How many predictions a deployment made, and of those that failed how many by each code. */
export interface CountedTraffic {
  /** Of the deployment; 0 of those that failed, which belong to no version. */
  readonly version: number;
  /** '' of those that failed. */
  readonly route: string;
  /** `completed`, or the code of the failure. */
  readonly outcome: string;
  readonly predictions: number;
  /** Id of the newest. */
  readonly newest: string;
}
