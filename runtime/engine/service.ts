/**
 * What a service is to the engine: code with effects that reacts to topics.
 *
 * The engine runs one task per partition of each input topic: it hands over batches in order, appends what `handle` answers, then
 * commits the position together with the service's own values. A crash in between repeats the batch: every output carries an id
 * that follows from its request, so that whoever folds it drops the repeat.
 */
import type { EventOf, EventTopic } from '../../schemas/events.ts';
import type { TopicName } from '../../schemas/topics.ts';
import type { LogRecord, TopicPartition } from '../ports/log.ts';
import type { Output, RecordMeta } from './topology.ts';

export interface Service<T extends TopicName = TopicName> {
  /** Consumer group, and the first part of the names of its tasks. */
  readonly name: string;
  readonly inputs: readonly T[];
  readonly outputs: readonly TopicName[];
  readonly summary: string;
  /**
   * `append`: outputs are on the log before the position moves, so a crash repeats the batch under the same ids.
   * `commit`: position, values and outputs are committed first and sent after, so a claim is never made twice.
   * @default 'append'
   */
  readonly first?: 'append' | 'commit';
  /**
   * True when its values follow from what it has handled, and are needed whole: they are part of snapshots, and when the state store lost
   * them, they are rebuilt from the newest one and the topic, with `task.again` set. False: it begins without values where its group was.
   * @default false
   */
  readonly keeps?: boolean;
  /** Most records in one batch. @default 500 */
  readonly batchRecords?: number;
  /** Called when a partition is opened, before its first batch, and once more when its values are rebuilt; `task` has what was committed. */
  opened?(task: ServiceTask): Promise<void>;
  handle(batch: readonly ServiceRecord[], task: ServiceTask): Promise<ServiceResult>;
  /**
   * Values of its own that have changed outside `handle`. Asked when there is nothing to handle and `changed` was called, and once more when
   * the task ends in order; committed without moving the position. What a crash or another owner keeps from being committed is asked for
   * again by nobody, so it may only say what a restart finds out by itself.
   */
  rest?(task: ServiceTask): ServiceRest | undefined;
  /**
   * The partition was lost or the process ends: stop work that belongs to it. Must not wait for commits. Never before `opened` has ended,
   * and `opened` is not called after it.
   */
  closed?(task: ServiceTask): void;
}

/** A record as a service gets it. Closed topics are decoded; open topics come raw, to be parsed by `openEvents` of the codec. */
export interface ServiceRecord {
  readonly raw: LogRecord;
  readonly meta: RecordMeta;
  /** Set on closed topics; undefined on open ones, and for a tombstone of a compacted topic. */
  readonly event: EventOf<EventTopic> | undefined;
}

export interface ServiceTask {
  readonly name: string;
  readonly partition: TopicPartition;
  /** Aborts when the partition is lost or the process ends. */
  readonly signal: AbortSignal;
  /**
   * Values are being rebuilt: what is handled was handled before, and what came of it is on the log. Outputs are not said, and effects
   * must not be had, again.
   */
  readonly again: boolean;
  get<V>(key: string): Promise<V | undefined>;
  /** All entries with the prefix, in pages, ascending. */
  entries<V>(prefix: string): AsyncIterable<readonly [key: string, value: V]>;
  /** Has `rest` asked as soon as nothing is left to handle. */
  changed(): void;
  /** Stops and restarts delivery of this partition, for back-pressure from outside the batch loop. */
  pause(): void;
  resume(): void;
}

export interface ServiceResult {
  readonly outputs: readonly IdentifiedOutput[];
  readonly put?: readonly (readonly [key: string, value: unknown])[];
  readonly delete?: readonly string[];
  readonly count?: Readonly<Record<string, number>>;
  /** Records that this service finds to be poison; their original bytes go to `dead-letters`. */
  readonly deadLetters?: readonly { readonly record: LogRecord; readonly error: unknown }[];
  /** Called once `put` and the position are committed; not when the outcome is unknown, for then the task is opened again. */
  committed?(): void;
}

export type ServiceRest = Pick<ServiceResult, 'put' | 'delete' | 'committed'>;

/** An output with the id that makes saying it twice harmless. */
export type IdentifiedOutput = Output & { readonly id: string; readonly traceparent?: string | undefined };
