/**
 * TaskExecutor: runs one attempt of one step outside the log.
 *
 * Contract
 * - `start` begins the work and answers a handle at once. Exactly one outcome comes from `handle.outcome`, which never rejects:
 *   completed, failed by user code, or ended by the platform (killed, out of memory, timed out, could not start), with the reason.
 * - `cancel` ends the work with all its children; the outcome then is `cancelled`, unless it was already decided.
 * - Work that outlives the executor's process (kill -9) must end by itself: no orphan goes on.
 * - Logs are both streams in order, bounded in bytes; what was cut is said in the log itself.
 * - `close` cancels what runs and is idempotent.
 */
export interface TaskExecutor {
  start(work: TaskWork): TaskHandle;
  /** How many may run at once. */
  readonly slots: number;
  close(): Promise<void>;
}

export interface ArtifactRef {
  readonly name: string;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly codec: string;
}

export interface TaskInput {
  /** Branch name for a join's input; '' for the only input of a plain step. */
  readonly branch: string;
  readonly artifacts: readonly ArtifactRef[];
}

export interface TaskWork {
  readonly runId: string;
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  readonly flow: string;
  /** Blob with the bundled flow code. */
  readonly bundleHash: string;
  readonly inputs: readonly TaskInput[];
  /** JSON text. */
  readonly parameters: string;
  /** Stable over attempts: give it to outside systems so that a repeated step has one effect. */
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
}

/** A request that takes effect only when the platform accepts the attempt, such as registering a model version. */
export interface DeferredRequest {
  readonly kind: 'register-model';
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
    }
  | {
      readonly type: 'failed';
      readonly kind: 'user' | 'platform' | 'timeout' | 'killed' | 'cancelled';
      readonly message: string;
      readonly stack: string;
      readonly logs: ArtifactRef | undefined;
    };

export interface TaskHandle {
  readonly outcome: Promise<TaskOutcome>;
  cancel(reason: string): void;
}
