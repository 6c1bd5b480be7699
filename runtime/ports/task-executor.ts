/**
 * TaskExecutor: runs one attempt of one step outside the log.
 *
 * Contract
 * - `start` begins the work and answers a handle at once. Exactly one outcome comes from `handle.outcome`, which never rejects:
 *   completed, failed by user code, or ended by the platform (killed, out of memory, timed out, could not start), with the reason.
 * - `cancel` ends the work with all its children; the outcome then is `cancelled`, unless it was already decided.
 * - Work that outlives the executor's process (kill -9) must end by itself: no orphan goes on. Where `adopt` is, it has a lease for that.
 * - A `start` for the same run, task, attempt, dispatch and holder is the same work: it never runs twice at once.
 * - Logs are both streams in order, bounded in bytes; what was cut is said in the log itself. The listener hears each line of it as it
 *   comes, so that a log can be read while its step runs and after the death of this process; the outcome's log begins with just these.
 * - A checkpoint that a step saves is stored, then heard; the step goes on when the listener has resolved.
 * - Cards are heard whole each time that they change, and named by the outcome as they were at the end. None of this can fail the work.
 * - `close` cancels what runs and is idempotent.
 */
export interface TaskExecutor {
  start(work: TaskWork, listener?: TaskListener): TaskHandle;
  /**
   * Only where work outlives this process for the time of its lease: goes on with work that an earlier process started for the same
   * holder, and never starts it. Its outcome is `lost` when there is none. The listener hears what comes from now on. Absent: what was started before is gone.
   */
  adopt?(work: TaskWork, listener?: TaskListener): TaskHandle;
  /** `host:port` at which a task will be reachable when it runs as rank 0 of a gang. Absent: on this machine. */
  address?(work: TaskWork): string;
  /** How many may run at once. */
  readonly slots: number;
  close(): Promise<void>;
}

/** Hears what work writes while it runs. */
export interface TaskListener {
  /** A line of the log as it is kept (`schemas/codec/log-line.ts`). */
  line(line: string): void;
  /** The present document of a card, JSON. */
  card(name: string, document: Uint8Array): void;
  /** Durable bytes that the next attempt is to begin with; resolves once it will, rejects when it will not. */
  checkpoint(saved: ArtifactRef): Promise<void>;
}

export interface ArtifactRef {
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly codec: string;
  /** The bytes themselves when they are few: then they lie in no blob. */
  readonly inline?: Buffer | null;
}

/** An artifact whose value a step has used. */
export interface ArtifactRead {
  readonly name: string;
  readonly hash: string;
}

export interface TaskInput {
  /** Branch name, or place, for a join's input; '' for what was there before it, and for the only input of other steps. */
  readonly branch: string;
  readonly artifacts: readonly ArtifactRef[];
}

export interface TaskWork {
  readonly runId: string;
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  /** How many times the task was offered, this time included. @default 1 */
  readonly dispatch?: number;
  /** Who holds it: another holder's work is never adopted. @default '' */
  readonly holder?: string;
  /** How long it may go on when nobody hears of it, milliseconds. @default 30000 */
  readonly leaseMs?: number;
  readonly flow: string;
  /** Blob with the bundled flow code. */
  readonly bundleHash: string;
  readonly inputs: readonly TaskInput[];
  /** JSON text. */
  readonly parameters: string;
  /** Stable over attempts: give it to outside systems so that a repeated step has one effect. */
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  /** step, join, foreach, switch or hook. @default step */
  readonly kind?: string;
  /** Foreachs, repeats and gangs around it, outermost first. */
  readonly frames?: readonly TaskFrame[];
  /** Items of the foreachs, outermost first. */
  readonly items?: readonly { readonly pack: string; readonly at: number }[];
  /** Further inputs of a join in order: blobs that hold the lists of artifacts, as JSON. */
  readonly packs?: readonly Pack[];
  /** What earlier attempts have saved, by name. */
  readonly checkpoints?: readonly ArtifactRef[];
  readonly gang?: { readonly rank: number; readonly size: number } | null;
  /** `host:port` that rank 0 of the gang keeps. */
  readonly address?: string;
  /** JSON text: TaskSettings of the graph, `maxSplits` of a foreach, `end` of a hook. */
  readonly settings?: string;
  /** JSON text. */
  readonly configuration?: string;
}

export interface TaskFrame {
  readonly point: string;
  readonly kind: string;
  readonly index: number;
  /** -1: not known. */
  readonly size: number;
}

/** A blob with several values in order. */
export interface Pack {
  readonly hash: string;
  readonly count: number;
  /** Of values that are told apart by their content (`schemas/codec/value-pack.ts`). */
  readonly digests?: Buffer | null;
}

/** A request that takes effect only when the platform accepts the attempt, such as registering a model version. */
export interface DeferredRequest {
  readonly kind: 'register-model' | 'tag-run' | 'log-values';
  /** JSON text. */
  readonly body: string;
}

export type TaskOutcome =
  | {
      readonly type: 'completed';
      readonly artifacts: readonly ArtifactRef[];
      readonly requests: readonly DeferredRequest[];
      readonly userMs: number;
      readonly logs: ArtifactRef | undefined;
      /** By name. @default none */
      readonly cards?: readonly ArtifactRef[];
      /** Items of a foreach. */
      readonly split?: { readonly size: number; readonly packs: readonly Pack[] };
      /** Key that a switch chose. */
      readonly choice?: string;
      /** Another round is wanted. */
      readonly again?: boolean;
      /** What it has read of what it could, at most 200. @default none */
      readonly inputs?: readonly ArtifactRead[];
    }
  | {
      readonly type: 'failed';
      readonly kind: 'user' | 'platform' | 'timeout' | 'killed' | 'lost' | 'cancelled';
      readonly message: string;
      readonly stack: string;
      readonly logs: ArtifactRef | undefined;
      /** By name. @default none */
      readonly cards?: readonly ArtifactRef[];
      /** Another attempt would end the same way. */
      readonly final?: boolean;
    };

export interface TaskHandle {
  readonly outcome: Promise<TaskOutcome>;
  cancel(reason: string): void;
}
