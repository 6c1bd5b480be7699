/** What the gateway shows and does not know itself: the query store answers. All times are milliseconds since the epoch. */
export interface Queries {
  /** Newest first. */
  listRuns(filter: RunFilter): Promise<readonly RunSummary[]>;
  showRun(runId: string): Promise<RunDetail | undefined>;
  /** Newest first. */
  listOperations(filter: OperationFilter): Promise<readonly OperationSummary[]>;
  /** Every version that was applied, newest first. */
  deploymentHistory(deployment: string, limit: number): Promise<readonly DeploymentVersionSummary[]>;
  /** Drift verdicts, outliers, experiments and alerts, newest first. */
  listFindings(filter: FindingFilter): Promise<readonly FindingSummary[]>;
  /** The causal chain of a prediction as plain JSON; undefined when the id is unknown. */
  explain(predictionId: string): Promise<object | undefined>;
}

export interface RunFilter {
  readonly flow?: string | undefined;
  readonly status?: string | undefined;
  readonly limit: number;
}

export interface RunSummary {
  readonly runId: string;
  readonly flow: string;
  readonly version: number;
  /** running, completed, failed or cancelled. */
  readonly status: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly actor: string;
}

export interface RunDetail extends RunSummary {
  /** Steps with their attempts and artifacts, as plain JSON. */
  readonly tasks: readonly object[];
  readonly cause: object;
  readonly parameters: object;
}

export interface OperationFilter {
  readonly object?: string | undefined;
  readonly actor?: string | undefined;
  readonly limit: number;
}

export interface OperationSummary {
  readonly operationId: string;
  readonly action: string;
  readonly object: string;
  readonly actor: string;
  readonly outcome: string;
  readonly at: number;
}

export interface DeploymentVersionSummary {
  readonly deployment: string;
  readonly version: number;
  readonly actor: string;
  readonly appliedAt: number;
}

export interface FindingFilter {
  readonly deployment?: string | undefined;
  /** drift, outliers, experiment or alert. */
  readonly kind?: string | undefined;
  readonly limit: number;
}

export interface FindingSummary {
  readonly id: string;
  readonly deployment: string;
  readonly kind: string;
  /** Whether it says that something is the case: drifted, outlying, decided, raised. */
  readonly positive: boolean;
  readonly at: number;
  readonly summary: string;
}
