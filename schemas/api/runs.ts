/** Runs, their tasks and artifacts, as the API answers them. Times are milliseconds since the epoch. */
import type { LogStream } from '../codec/log-line.ts';

export interface RunSummary {
  readonly runId: string;
  readonly flow: string;
  readonly version: number;
  /** running, completed, failed or cancelled. */
  readonly status: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly actor: string;
  /** Of users; they can change. */
  readonly tags: readonly string[];
  /** Of the platform. */
  readonly systemTags: readonly string[];
}

/** A run with a page of its tasks. */
export interface ShownRun extends RunSummary {
  /** Step and message of what ended it. */
  readonly failure: string | null;
  readonly bundleHash: string;
  readonly cause: { readonly kind: string; readonly id: string };
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The run that it resumes; its own id: it was resumed in place. */
  readonly originRunId: string | null;
  /** In the order in which they began. */
  readonly steps: readonly StepCounts[];
  /** In the order of their starts, those that have not begun last. */
  readonly tasks: readonly ShownTask[];
  /** The cursor of the next page of tasks, null on the last. */
  readonly next: string | null;
}

/** All tasks of a step together. */
export interface StepCounts {
  readonly step: string;
  readonly tasks: number;
  /** How many there are of each status that its tasks have. */
  readonly statuses: Readonly<Record<string, number>>;
  /** The first start. */
  readonly startedAt: number | null;
  /** The last end so far. */
  readonly endedAt: number | null;
}

/** Which tasks of a run are looked for. */
export interface TaskSearch {
  readonly step?: string | undefined;
  /** waiting, running, completed, cancelled or the kind of failure. */
  readonly status?: string | undefined;
  readonly task?: string | undefined;
  /** 0: none, the run alone. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ShownTask {
  readonly taskId: string;
  readonly status: string;
  readonly attempt: number;
  readonly worker: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly message: string | null;
  /** No worker has taken it: since when it is offered, milliseconds since the epoch, and to which compute class. */
  readonly waits: { readonly since: number; readonly compute: string } | null;
  readonly logsHash: string | null;
  /** The run and task whose outcome it took over: cloned by a resume, or recalled for a memoised step. */
  readonly originRunId: string | null;
  readonly originTaskId: string | null;
  readonly artifacts: readonly ArtifactSummary[];
}

export interface ArtifactSummary {
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly codec: string;
}

export interface WrittenArtifact extends ArtifactSummary {
  readonly runId: string;
  readonly taskId: string;
  readonly step: string;
  /** The bytes of a small one, base64; null: they lie in the blob of its hash. */
  readonly inline: string | null;
  /** The run whose task wrote it, when a resumed run took it over. */
  readonly originRunId: string | null;
  readonly writtenAt: number;
}

/** `next` is the cursor of the next page, null on the last. */
export interface RunPage {
  readonly runs: readonly RunSummary[];
  readonly next: string | null;
}

/** `next` is the cursor of the next page, null on the last. */
export interface ArtifactPage {
  readonly artifacts: readonly WrittenArtifact[];
  readonly next: string | null;
}

/** Which runs are looked for. */
export interface RunSearch {
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
  /** Artifacts of any of its tasks, by value: short JSON only. */
  readonly artifacts?: readonly NamedValue[] | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

/** Which artifacts are looked for. */
export interface ArtifactSearch {
  readonly runId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly step?: string | undefined;
  readonly name?: string | undefined;
  readonly hash?: string | undefined;
  /** JSON, short. */
  readonly value?: string | undefined;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

/** What a task has saved to go on from. */
export interface ShownCheckpoint extends ArtifactSummary {
  readonly taskId: string;
  /** That saved it. */
  readonly attempt: number;
  /** It stays when its task has ended well. */
  readonly kept: boolean;
  readonly writtenAt: number;
}

/** A line that a step wrote. */
export interface StepLine {
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  /** Number within the attempt, from 0. */
  readonly line: number;
  readonly stream: LogStream;
  /** 0 when it is not known. */
  readonly at: number;
  readonly text: string;
}

/** All lines of an attempt have been told. */
export interface EndOfLines {
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  /** completed or the kind of failure. */
  readonly ended: string;
}
