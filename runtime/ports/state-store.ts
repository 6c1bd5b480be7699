/**
 * StateStore: the committed state of tasks, each one partition of one topology.
 *
 * Contract
 * - A task's state is an ordered map from text keys to bytes, plus its position (the next offset to fold).
 * - `open` raises the task's epoch and draws a nonce: whoever opened last owns the task, all earlier owners are fenced.
 * - `commit` applies all of a batch or nothing, and only if the store still has this owner's epoch and nonce AND the position
 *   that the caller expects. Otherwise it rejects with FENCED and has changed nothing. (The position is compared because a store
 *   that lost its last writes, or went back to an older copy, still has the right epoch.)
 * - A commit whose fate is unknown rejects with UNKNOWN_OUTCOME: append nothing, reopen.
 * - Resolved commits survive kill -9 of every process of the platform (the memory adapter excepted).
 * - `get`, `range` see all resolved commits of this owner. They may be called while a commit is under way and then see either side.
 * - Keys are compared as UTF-16 code units would be for ASCII; keys are ASCII, 1 to 1,024 characters. Values are at most 16 MiB.
 * - `close` of the store is idempotent; open tasks of it must not be used afterwards.
 */
export interface StateStore {
  open(task: string): Promise<TaskState>;
  /** Forgets a task: state, position and epoch history (the next open starts above the old epoch). Used by rebuilds. */
  reset(task: string): Promise<void>;
  /** Names of tasks that have state, sorted. */
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
  /** Keys in `[gte, lt)`, ascending (descending with `reverse`), at most `limit`. Page on with gte = last key + '\0' (or lt = last key). */
  range(range: KeyRange): Promise<readonly StateEntry[]>;
  commit(expectedPosition: number | undefined, batch: StateBatch): Promise<void>;
  /** The whole state as of ONE position, in pages; commits may go on meanwhile. */
  snapshot(): Promise<StateSnapshot>;
  /** Replaces the whole state by a snapshot's entries and position; not atomic, so it is done before the task runs. */
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
  /** The new position. */
  readonly position: number;
  readonly put: readonly StateEntry[];
  readonly delete: readonly string[];
}

export interface StateSnapshot {
  readonly position: number | undefined;
  readonly entries: AsyncIterable<readonly StateEntry[]>;
}
