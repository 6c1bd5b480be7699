import { type TopicPartition } from '../../ports/log.ts';
import { type QueuedRecord } from './append-call.ts';
import { batchOverheadBytes, recordOverheadBytes } from './record-batch-writer.ts';

/** What waits to be appended to one partition, in order. At most one batch of it is on the way. */
export class PartitionQueue implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Limit of one record batch. */
  readonly batchBytesMax: number;
  /** A batch was taken, and its fate is not known yet. */
  taken = false;
  #waiting: QueuedRecord[] = [];
  #head = 0;
  /** So many at the head go one call at a time: a batch with them was refused, and one call is guilty. */
  #alone = 0;

  constructor({ topic, partition }: TopicPartition, batchBytesMax: number) {
    this.topic = topic;
    this.partition = partition;
    this.batchBytesMax = batchBytesMax;
  }

  get empty(): boolean {
    return this.#head >= this.#waiting.length;
  }

  push(record: QueuedRecord): void {
    this.#waiting.push(record);
  }

  /** The next batch, at most `bytesMax` of records (but at least one record). Records of calls that were refused meanwhile are dropped. */
  take(bytesMax: number): QueuedRecord[] {
    const batch: QueuedRecord[] = [];
    let left = Math.min(bytesMax, this.batchBytesMax) - batchOverheadBytes;
    for (;;) {
      const next = this.#waiting[this.#head];
      if (next === undefined) break;
      if (next.call.refused) {
        this.#skip();
        continue;
      }
      left -= next.bodyBytes + recordOverheadBytes;
      const first = batch[0];
      if (first !== undefined && (left < 0 || (this.#alone > 0 && next.call !== first.call))) break;
      batch.push(next);
      this.#skip();
    }
    // what has been written is not held any longer
    if (this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  /** Puts a refused batch back in front, to go one call at a time. */
  putBack(batch: readonly QueuedRecord[]): void {
    this.#waiting = [...batch, ...this.#waiting.slice(this.#head)];
    this.#head = 0;
    this.#alone = Math.max(this.#alone, batch.length);
  }

  /** Fails whatever waits. */
  failAll(error: unknown): void {
    for (const { call } of this.#waiting.slice(this.#head)) call.fail(error);
    this.#waiting = [];
    this.#head = 0;
    this.#alone = 0;
  }

  #skip(): void {
    this.#head++;
    if (this.#alone > 0) this.#alone--;
  }
}
