/** What a log of another thread and its users tell one another. */
import type { MessagePort, Transferable } from 'node:worker_threads';
import type { StartPosition, SubscribeOptions, TopicPartition } from '../../ports/log.ts';
import type { SentRecords } from './sent-records.ts';

/** Methods whose arguments and answers are plain data; `read` answers one batch. */
export type PlainCall = 'ensureTopics' | 'partitions' | 'startOffsets' | 'endOffsets' | 'committed' | 'truncateBefore';

/** A partition as it was given in one rebalance: what is said of it later than that does not concern the next one. */
export interface AssignedPartition {
  readonly partition: TopicPartition;
  readonly generation: number;
}

/** From the user of the log. Calls have an id, which their answer carries. */
export type Asked =
  | { readonly type: 'call'; readonly id: number; readonly method: PlainCall; readonly arguments: readonly unknown[] }
  | { readonly type: 'append'; readonly id: number; readonly records: SentRecords }
  | {
      readonly type: 'read';
      readonly id: number;
      readonly partition: TopicPartition;
      readonly from: number;
      readonly to: number;
    }
  | { readonly type: 'subscribe'; readonly id: number; readonly member: number; readonly options: SubscribeOptions }
  | {
      readonly type: 'commit';
      readonly id: number;
      readonly member: number;
      readonly positions: readonly StartPosition[];
    }
  | { readonly type: 'leave'; readonly id: number; readonly member: number }
  | ({ readonly type: 'pause' | 'resume' | 'taken'; readonly member: number } & AssignedPartition)
  | { readonly type: 'started'; readonly assignment: number; readonly positions: readonly StartPosition[] }
  | { readonly type: 'not-started'; readonly assignment: number; readonly error: SentError };

/** From the thread that has the log. */
export type Told =
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly error: SentError }
  | {
      readonly type: 'assigned';
      readonly member: number;
      readonly assignment: number;
      readonly partitions: readonly TopicPartition[];
      readonly generation: number;
    }
  | {
      readonly type: 'revoked';
      readonly member: number;
      readonly partitions: readonly TopicPartition[];
      readonly generation: number;
    }
  | {
      readonly type: 'records';
      readonly member: number;
      readonly partition: TopicPartition;
      /** To be answered by `taken`. */
      readonly generation: number;
      readonly records: SentRecords;
      readonly endOffset: number;
    }
  | { readonly type: 'failed'; readonly member: number; readonly error: SentError };

/** An error as it goes from thread to thread. */
export interface SentError {
  readonly code: string | undefined;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>> | undefined;
}

export function post(port: MessagePort, message: Asked | Told, moved: readonly Transferable[] = []): void {
  port.postMessage(message, moved);
}
