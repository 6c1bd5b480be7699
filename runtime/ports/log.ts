/**
 * Log: partitioned, append-only topics.
 *
 * Contract
 * - **Order.** Records of one partition have dense, growing offsets (a compacted or truncated range may be missing). The records
 *   of one `append` call keep their order within each partition, and calls of one Log object keep theirs: a call that was
 *   made first is in front. Across partitions there is no order.
 * - **Atomicity.** An `append` is atomic per partition at most: after a crash a prefix of what it wrote to a partition may be there.
 * - **Acknowledged** (the promise of `append` resolved) means: survives kill -9 of every process. With durability `disk` it
 *   also survives power loss.
 * - **Unknown outcome.** An append whose fate cannot be learnt rejects with UNKNOWN_OUTCOME. So do all calls that were queued
 *   behind it on the same partition; none of those was sent there. The caller looks at the log, or says it all again: receivers drop repeats.
 * - **Definite refusal** (TOO_LARGE, INVALID_ARGUMENT, DISK_FULL) concerns only the call that carried the guilty record; nothing of it was written.
 * - **Time.** `timestampMs` is the append time, given by the log; within a partition it need not grow (use a running maximum).
 * - **Delivery** to a subscription is at least once, from the position that `assigned` answers, in offset order per partition.
 * - `close` is idempotent: it stops subscriptions, waits for what is in flight, and releases locks and sockets.
 */
export interface Log {
  /**
   * True when the power went since the last clean end and this log may have lost records that it had acknowledged: what comes after its
   * present ends may be other than what some reader had seen there. True for every process until the machine restarts. @default false
   */
  readonly lostTail?: boolean;
  /** With `lostTail`: where the partitions ended when the log was opened after it, before anything new came, by `<topic>/<partition>`. */
  readonly recoveredEnds?: Readonly<Record<string, number>>;
  /** Creates what is missing. TOPIC_MISMATCH when a topic exists with another partition count. */
  ensureTopics(topics: readonly TopicConfig[]): Promise<void>;
  /** Number of partitions; NOT_FOUND for an unknown topic. */
  partitions(topic: string): Promise<number>;
  /** Resolves with one offset per record, in the order of `records`, once all are acknowledged. */
  append(records: readonly OutgoingRecord[]): Promise<readonly number[]>;
  /**
   * Starts delivery. With a `group`, partitions are shared among its members, and `commit` is remembered; without one, this
   * member gets every partition.
   */
  subscribe(options: SubscribeOptions, handler: SubscriptionHandler): Promise<Subscription>;
  /** First offset still there, per partition (index = partition). Only retention and truncation move it, compaction does not. */
  startOffsets(topic: string): Promise<readonly number[]>;
  /** Offset that the next record will get, per partition. */
  endOffsets(topic: string): Promise<readonly number[]>;
  /**
   * Reads `[from, to)` of one partition in batches, then ends. `to` defaults to the end at the time of the call.
   * A `from` below the start begins at the start; the caller compares the first offset.
   */
  read(
    partition: TopicPartition,
    range: { readonly from: number; readonly to?: number },
  ): AsyncIterable<readonly LogRecord[]>;
  /** Offsets committed by a group, per partition; undefined where it never committed. */
  committed(group: string, topic: string): Promise<readonly (number | undefined)[]>;
  /** Forgets records below `offset` (never above the end). Idempotent. */
  truncateBefore(partition: TopicPartition, offset: number): Promise<void>;
  close(): Promise<void>;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface TopicConfig {
  /** Real name: prefix + catalogue name + generation. */
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  /** Milliseconds after which records may go; undefined = never by themselves. */
  readonly retentionMs?: number;
  /** Largest record (key + value + headers), bytes. */
  readonly recordBytesMax: number;
  readonly replication: number;
  readonly minInsyncReplicas: number;
}

/** Header names to bytes. A name that occurs twice on the wire keeps its first value. */
export type RecordHeaders = Readonly<Record<string, Buffer>>;

/**
 * Treat it as immutable. Adapters may parse `key`, `value` and `headers` when they are asked for (getters: a spread does not copy
 * them), and the buffers may be views into a larger one: whoever keeps few of many records copies what it keeps.
 */
export interface LogRecord extends TopicPartition {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: RecordHeaders;
  /** The key as UTF-8 text, '' when there is none, without a buffer for it. Absent: the adapter has nothing cheaper than `key`. */
  keyText?(): string;
  /** One header as UTF-8 text, without parsing the others. Absent: the adapter has nothing cheaper than `headers`. */
  headerText?(name: string): string | undefined;
}

export interface OutgoingRecord extends TopicPartition {
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array | string>>;
}

export interface SubscribeOptions {
  readonly group?: string | undefined;
  readonly topics: readonly string[];
  /** Where a partition starts when `assigned` does not say. @default 'earliest' */
  readonly start?: 'earliest' | 'latest' | 'committed' | undefined;
}

export interface SubscriptionHandler {
  /**
   * Partitions were given to this member; called at least once, with none when nothing is left for it. Delivery of a partition
   * begins after the promise resolved, at the answered offset (absent: at `options.start`). An offset below the start means the
   * start; one beyond the end fails the member with STATE_AHEAD_OF_LOG. A rejection fails the member, which leaves its group.
   * `generation` grows with each rebalance.
   */
  assigned(partitions: readonly TopicPartition[], generation: number): Promise<readonly StartPosition[]>;
  /** Partitions were taken away. Must not wait for work or commits: only stop. */
  revoked(partitions: readonly TopicPartition[], generation: number): void;
  /** Only enqueues: it must return at once. `endOffset` is the end of the partition as known then. */
  records(partition: TopicPartition, records: readonly LogRecord[], endOffset: number): void;
  /**
   * No record lies in `[from, to)`: what is there is no record (a mark of a transaction), or compaction took it. Not every log says so,
   * and none of what lies between two records of one delivery.
   */
  passed?(partition: TopicPartition, from: number, to: number): void;
  /** The subscription died and cannot heal itself. */
  failed(error: unknown): void;
}

export interface StartPosition extends TopicPartition {
  readonly offset: number;
}

export interface Subscription {
  /** No records of these partitions are delivered until `resume`; already delivered ones stay delivered. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Remembers for the group: the next offset to read, per partition. Offsets of partitions that are not owned are ignored. */
  commit(positions: readonly StartPosition[]): Promise<void>;
  /** Leaves the group and stops delivery; idempotent. */
  close(): Promise<void>;
}

export const partitionName = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
