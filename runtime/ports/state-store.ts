/**
 * StateStore: the committed state of tasks, each one partition of one topology.
 *
 * Contract
 * - A task's state is an ordered map from text keys to bytes, plus its position (the next offset to fold).
 * - `open` raises the task's epoch and draws a nonce: whoever opened last owns the task, all earlier owners are fenced.
 * - `commit` applies all of a batch or nothing, and only if the store still has this owner's epoch and nonce AND the position
 *   that the caller expects. Otherwise it rejects with FENCED and has changed nothing. (The position is compared because a store
 *   that lost its last writes, or went back to an older copy, still has the right epoch.)
 *   It also refuses when the position is right but the last commits, which left it where it was, are gone.
 * - A commit whose fate is unknown rejects with UNKNOWN_OUTCOME: append nothing, reopen. This owner's later commits are refused.
 *   DISK_FULL, INVALID_ARGUMENT and TOO_LARGE: nothing was written, and the owner may go on.
 * - One commit at a time: an owner that starts a second one before the first has settled may get CONFLICT. The batch and its buffers
 *   belong to the store until then. Tasks commit side by side.
 * - Resolved commits survive kill -9 of every process of the platform (the memory adapter excepted).
 * - `get`, `range` see all resolved commits of this owner. They may be called while a commit is under way and then see either side.
 * - Keys are ASCII, 1 to 1,024 characters, ordered by their codes; task names are printable ASCII, 1 to 512 characters. Values are
 *   at most 16 MiB and may be empty (an empty value is not an absent one).
 * - `close` of the store is idempotent; every later call of it or of its tasks rejects with CLOSED.
 */
export interface StateStore {
  open(task: string): Promise<TaskState>;
  /** Forgets a task's state and position and fences its owner; the next open has a higher epoch. Used by rebuilds. */
  reset(task: string): Promise<void>;
  /** Names of tasks that have committed (have a position), sorted. */
  tasks(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface TaskState {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  /** Position at `open`; undefined for a task that never committed. */
  readonly position: number | undefined;
  /** One entry per key, undefined where there is none. */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  /**
   * Keys in `[gte, lt)`, ascending (descending with `reverse`), at most `limit`. Page on with gte = last key + '\0' (or lt = last
   * key). Bounds are ASCII, 0 to 1,025 characters.
   */
  range(range: KeyRange): Promise<readonly StateEntry[]>;
  commit(expectedPosition: number | undefined, batch: StateBatch): Promise<void>;
  /**
   * The whole state as of ONE position, in pages, keys ascending; commits may go on meanwhile. The pages can be read once; they hold
   * resources until they were read to the end, the reader left early (`return`), or the store is closed.
   */
  snapshot(): Promise<StateSnapshot>;
  /**
   * Replaces the whole state by a snapshot's entries and position, if this is still the owner (else FENCED). Need not be atomic, so
   * it is done before the task runs; after a failure, reset.
   */
  restore(position: number, entries: AsyncIterable<readonly StateEntry[]>): Promise<void>;
}

export interface KeyRange {
  readonly gte: string;
  readonly lt: string;
  readonly limit: number;
  readonly reverse?: boolean;
}

export type StateEntry = readonly [key: string, value: Uint8Array];

export interface StateBatch {
  /** The new position; may be the old one. */
  readonly position: number;
  /** Applied after `delete`; of a key that occurs twice, the last value stays. */
  readonly put: readonly StateEntry[];
  readonly delete: readonly string[];
}

export interface StateSnapshot {
  readonly position: number | undefined;
  readonly entries: AsyncIterable<readonly StateEntry[]>;
}
