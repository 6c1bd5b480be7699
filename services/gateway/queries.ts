import type { DeploymentVersion, RouteExplanation, ShadowTraffic } from '../../schemas/api/deployments.ts';
import type { Finding, FindingSearch, OperationSearch, OperationSummary } from '../../schemas/api/findings.ts';
import type {
  FlowAction,
  SlotOutcome,
  TriggerExplanation,
  TriggerOutcome,
  WaitingStart,
} from '../../schemas/api/flows.ts';
import type {
  ArtifactPage,
  ArtifactSearch,
  RunPage,
  RunSearch,
  ShownCheckpoint,
  ShownRun,
  TaskSearch,
} from '../../schemas/api/runs.ts';

/** What the gateway shows and does not know itself: the query store answers. All times are milliseconds since the epoch. */
export interface Queries {
  /** Newest first, a page of them. */
  listRuns(search: RunSearch): Promise<RunPage>;
  /** A page of them; those of one run by task and name, else newest first. */
  listArtifacts(search: ArtifactSearch): Promise<ArtifactPage>;
  /** With a page of its tasks; undefined when there is no such run. */
  showRun(runId: string, search: TaskSearch): Promise<ShownRun | undefined>;
  /** The run that a request to start or resume a flow has made; undefined when there is none yet. */
  runOfRequest(
    flow: string,
    requestId: string,
  ): Promise<{ readonly runId: string; readonly version: number } | undefined>;
  /** Where the run begins on the log, and how it stands; undefined when there is no such run. */
  placeOfRun(runId: string): Promise<RunPlace | undefined>;
  /** Attempts of its tasks in the order of their starts. */
  listAttempts(runId: string, filter?: { readonly task?: string | undefined }): Promise<readonly TaskAttempt[]>;
  /** Where its lines lie that were written while steps ran, in the order of each step's lines. */
  listLines(runId: string): Promise<readonly LinesPlace[]>;
  /** What its tasks that have not ended well could go on from, and what others have kept. */
  listCheckpoints(runId: string): Promise<readonly ShownCheckpoint[]>;
  /** Its cards as they were last heard while steps ran. */
  listHeardCards(runId: string): Promise<readonly HeardCard[]>;
  /** Newest first. */
  listOperations(search: OperationSearch): Promise<readonly OperationSummary[]>;
  /** Every version that was applied, newest first. */
  deploymentHistory(deployment: string, limit: number): Promise<readonly DeploymentVersion[]>;
  /** Drift verdicts, outliers, experiments and alerts, newest first. */
  listFindings(search: FindingSearch): Promise<readonly Finding[]>;
  /** What became of an event; undefined when the id is unknown. */
  explainEvent(eventId: string): Promise<TriggerExplanation | undefined>;
  /** Events that wait in a trigger of a flow. */
  waitingEvents(flow: string, trigger: string): Promise<readonly TriggerOutcome[]>;
  /** Deployments of a flow and what people did to it, newest first. */
  flowHistory(flow: string, limit: number): Promise<readonly FlowAction[]>;
  /** Slots of a flow's schedules, newest first. */
  listSlots(flow: string, limit: number): Promise<readonly SlotOutcome[]>;
  /** Times of a schedule's slots whose runs completed. */
  completedSlots(flow: string, schedule: string): Promise<readonly number[]>;
  /** Starts of a flow that wait for a run to end, oldest first. */
  waitingStarts(flow: string, limit: number): Promise<readonly WaitingStart[]>;
  /** Open runs and waiting starts by flow. */
  flowActivity(): Promise<ReadonlyMap<string, { readonly running: number; readonly waiting: number }>>;
  /** Why a prediction took its route. NOT_FOUND when there is no such prediction. */
  explainRoute(predictionId: string): Promise<RouteExplanation>;
  /** Where the outcome of a prediction lies on `predictions`; undefined when there is none yet. */
  placeOfPrediction(id: string): Promise<{ readonly partition: number; readonly offset: number } | undefined>;
  /** How often shadows agreed. */
  shadowTraffic(deployment: string): Promise<readonly ShadowTraffic[]>;
  /** The version that was in force at a time, with its weights; undefined when there was none. */
  deploymentAt(deployment: string, timeMs: number): Promise<DeploymentVersion | undefined>;
  /** The causal chain of whatever the id names, as plain JSON. NOT_FOUND names what was searched. */
  explain(id: string): Promise<object>;
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
  /** The run in which it was made: another one when the task took over its outcome. */
  readonly runId: string;
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
