/** What the gateway shows and does not know itself: the query store answers. All times are milliseconds since the epoch. */
export interface Queries {
  /** Newest first, a page of them. */
  listRuns(filter: RunFilter): Promise<{ readonly runs: readonly RunSummary[]; readonly next: string | null }>;
  /** A page of them; those of one run by task and name, else newest first. */
  listArtifacts(
    filter: ArtifactFilter,
  ): Promise<{ readonly artifacts: readonly WrittenArtifact[]; readonly next: string | null }>;
  showRun(runId: string): Promise<RunDetail | undefined>;
  /** Where the run begins on the log, and how it stands; undefined when there is no such run. */
  placeOfRun(runId: string): Promise<RunPlace | undefined>;
  /** Attempts of its tasks in the order of their starts. */
  listAttempts(runId: string, filter?: { readonly task?: string | undefined }): Promise<readonly TaskAttempt[]>;
  /** Where its lines lie that were written while steps ran, in the order of each step's lines. */
  listLines(runId: string): Promise<readonly LinesPlace[]>;
  /** Its cards as they were last heard while steps ran. */
  listHeardCards(runId: string): Promise<readonly HeardCard[]>;
  /** Newest first. */
  listOperations(filter: OperationFilter): Promise<readonly OperationSummary[]>;
  /** Every version that was applied, newest first. */
  deploymentHistory(deployment: string, limit: number): Promise<readonly DeploymentVersionSummary[]>;
  /** Drift verdicts, outliers, experiments and alerts, newest first. */
  listFindings(filter: FindingFilter): Promise<readonly FindingSummary[]>;
  /** What became of an event; undefined when the id is unknown. */
  explainEvent(eventId: string): Promise<EventExplanation | undefined>;
  /** Events that wait in a trigger of a flow. */
  waitingEvents(flow: string, trigger: string): Promise<readonly EventOutcome[]>;
  /** Deployments of a flow and what people did to it, newest first. */
  flowHistory(flow: string, limit: number): Promise<readonly FlowAction[]>;
  /** Slots of a flow's schedules, newest first. */
  listSlots(flow: string, limit: number): Promise<readonly SlotOutcome[]>;
  /** Times of a schedule's slots whose runs completed. */
  completedSlots(flow: string, schedule: string): Promise<readonly number[]>;
  /** Open runs and waiting events and slots by flow. */
  flowActivity(): Promise<ReadonlyMap<string, { readonly running: number; readonly waiting: number }>>;
  /** Why a prediction took its route, as plain JSON. NOT_FOUND when there is no such prediction. */
  explainRoute(predictionId: string): Promise<object>;
  /** How often shadows agreed. */
  shadowTraffic(deployment: string): Promise<readonly object[]>;
  /** The version that was in force at a time, with its weights; undefined when there was none. */
  deploymentAt(deployment: string, timeMs: number): Promise<DeploymentVersionSummary | undefined>;
  /** The causal chain of whatever the id names, as plain JSON. NOT_FOUND names what was searched. */
  explain(id: string): Promise<object>;
}

export interface RunFilter {
  readonly flow?: string | undefined;
  readonly status?: string | undefined;
  readonly actor?: string | undefined;
  /** Requested at or after. */
  readonly since?: number | undefined;
  /** Requested before. */
  readonly until?: number | undefined;
  /** User or system tags; a run has all of them. */
  readonly tags?: readonly string[] | undefined;
  /** Values are JSON. */
  readonly parameters?: readonly NamedValue[] | undefined;
  /** Values are JSON, and short. */
  readonly artifacts?: readonly NamedValue[] | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

export interface ArtifactFilter {
  readonly runId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly step?: string | undefined;
  readonly name?: string | undefined;
  readonly hash?: string | undefined;
  /** JSON, short. */
  readonly value?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface WrittenArtifact {
  readonly runId: string;
  readonly taskId: string;
  readonly step: string;
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly codec: string;
  /** The bytes of a small one, base64; null: they lie in the blob of its hash. */
  readonly inline: string | null;
  readonly originRunId: string | null;
  readonly writtenAt: number;
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
  readonly tags: readonly string[];
  readonly systemTags: readonly string[];
}

export interface RunDetail extends RunSummary {
  /** Steps with their attempts and artifacts, as plain JSON. */
  readonly tasks: readonly object[];
  readonly bundleHash: string;
  readonly cause: object;
  readonly parameters: object;
  /** The run that it resumes; its own id: it was resumed in place. */
  readonly originRunId: string | null;
}

export interface RunPlace {
  readonly partition: number;
  readonly offset: number;
  readonly status: string;
  readonly flow: string;
}

/** Tells the attempts of a run apart. */
export interface AttemptKey {
  readonly taskId: string;
  readonly dispatch: number;
  readonly incarnation: string;
}

export interface TaskAttempt extends AttemptKey {
  readonly attempt: number;
  readonly worker: string;
  /** running, completed or the kind of failure. */
  readonly status: string;
  readonly message: string | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly logsHash: string | null;
  /** Hash by name. */
  readonly cards: Readonly<Record<string, string>>;
  /** Where its dispatch lies on `tasks`. */
  readonly work: { readonly partition: number; readonly offset: number } | null;
}

export interface LinesPlace extends AttemptKey {
  readonly firstLine: number;
  readonly partition: number;
  readonly offset: number;
}

export interface HeardCard extends AttemptKey {
  readonly card: string;
  readonly hash: string;
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
  /** As it was applied, JSON: models and code by hash. */
  readonly document: string;
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

export interface EventExplanation {
  readonly eventId: string;
  readonly name: string;
  /** Each time it came: the same id may come again. Ends of runs are not delivered. */
  readonly deliveries: readonly {
    readonly at: number;
    readonly outcome: string;
    readonly source: object | null;
    readonly considered: readonly object[];
  }[];
  readonly outcomes: readonly EventOutcome[];
}

export interface EventOutcome {
  readonly eventId: string;
  readonly flow: string;
  readonly trigger: string;
  readonly key: string;
  readonly name: string;
  readonly version: number;
  readonly outcome: string;
  readonly reason: string;
  readonly runId: string | null;
  readonly with: readonly string[];
  readonly missing: readonly string[];
  readonly untilMs: number | null;
  readonly at: number;
}

export interface FlowAction {
  readonly action: string;
  readonly version: number | null;
  readonly actor: string;
  readonly detail: object;
  readonly at: number;
}

export interface SlotOutcome {
  readonly schedule: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
  readonly backfill: string | null;
  readonly outcome: string;
  readonly reason: string;
  readonly runId: string | null;
  readonly at: number;
}
