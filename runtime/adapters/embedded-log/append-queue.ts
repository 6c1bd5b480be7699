import type { Clock } from '../../ports/clock.ts';
import { MillraceError } from '../../ports/errors.ts';
import type { OutgoingRecord } from '../../ports/log.ts';
import type { PartitionLog } from './partition-log.ts';
import { recordBytes, recordBytesBound } from './record-writer.ts';
import type { StoredTopic, TopicStore } from './topic-store.ts';
import { outcomeUnknown, writeRefused } from './write-errors.ts';

interface Call {
  readonly records: readonly OutgoingRecord[];
  readonly places: readonly PartitionLog[];
  readonly bounds: readonly number[];
  readonly offsets: number[];
  resolve(offsets: readonly number[]): void;
  reject(error: unknown): void;
}

/**
 * Group commit: the calls of one turn of the event loop are written together, one write per partition. With `syncs` they are
 * acknowledged after a sync of the files, and all calls that come meanwhile share the next one.
 */
export class AppendQueue {
  readonly #topics: TopicStore;
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #syncs: boolean;
  #calls: Call[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  /** Written, not yet synced. */
  #unsynced: Call[] = [];
  readonly #unsyncedPartitions = new Set<PartitionLog>();
  #syncing: Promise<void> | undefined;

  constructor(topics: TopicStore, clock: Clock, directory: string, syncs: boolean) {
    this.#topics = topics;
    this.#clock = clock;
    this.#directory = directory;
    this.#syncs = syncs;
  }

  append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    if (records.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const places: PartitionLog[] = [];
      const bounds: number[] = [];
      let topic: StoredTopic | undefined;
      for (const record of records) {
        if (topic?.config.name !== record.topic) topic = this.#topics.get(record.topic);
        places.push(topic.partitions[record.partition] ?? this.#topics.partition(record));
        bounds.push(checkedBound(record, topic.config.recordBytesMax));
      }
      this.#calls.push({ records, places, bounds, offsets: new Array<number>(records.length), resolve, reject });
      this.#scheduled ??= setImmediate(() => this.flush());
    });
  }

  /** Writes what waits. */
  flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const calls = this.#calls;
    this.#calls = [];
    this.#write(calls);
    if (this.#unsynced.length > 0) this.#syncing ??= this.#syncAll();
  }

  /** Writes what waits and resolves when every call has settled. */
  async drain(): Promise<void> {
    this.flush();
    await this.#syncing;
  }

  #write(calls: readonly Call[]): void {
    if (calls.length === 0) return;
    const timestampMs = this.#clock.now();
    const partitions = new Set<PartitionLog>();
    try {
      for (const call of calls) encode(call, timestampMs, partitions);
      for (const partition of partitions) partition.write(timestampMs);
    } catch (error) {
      if (!this.#undo(partitions, calls, error)) return;
      const [only] = calls;
      // Together there is no room for them: one by one, only those that do not fit are refused.
      if (calls.length > 1) for (const call of calls) this.#write([call]);
      else only?.reject(writeRefused(this.#directory, error));
      return;
    }
    for (const partition of partitions) partition.keepWritten();
    if (this.#syncs) {
      this.#unsynced.push(...calls);
      for (const partition of partitions) this.#unsyncedPartitions.add(partition);
      return;
    }
    for (const partition of partitions) partition.publish(partition.writtenEnd);
    for (const call of calls) call.resolve(call.offsets);
  }

  /** False when it could not be undone: then the calls are settled. */
  #undo(partitions: ReadonlySet<PartitionLog>, calls: readonly Call[], error: unknown): boolean {
    let failure: unknown;
    for (const partition of partitions) {
      try {
        partition.rollBack();
      } catch (cause) {
        failure = cause;
      }
    }
    if (failure === undefined) return true;
    for (const call of calls) call.reject(outcomeUnknown(this.#directory, error));
    return false;
  }

  async #syncAll(): Promise<void> {
    while (this.#unsynced.length > 0) {
      const calls = this.#unsynced;
      const partitions = [...this.#unsyncedPartitions];
      const ends = partitions.map(({ writtenEnd }) => writtenEnd);
      this.#unsynced = [];
      this.#unsyncedPartitions.clear();
      const results = await Promise.allSettled(partitions.map((partition) => partition.sync()));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) this.#takeBack(calls, partitions, failed.reason);
      else {
        for (const [index, partition] of partitions.entries()) partition.publish(ends[index] ?? 0);
        for (const call of calls) call.resolve(call.offsets);
      }
    }
    this.#syncing = undefined;
  }

  /** After a failed sync nobody knows what the disk holds: all that was not acknowledged is taken off the files again. */
  #takeBack(calls: readonly Call[], partitions: readonly PartitionLog[], error: unknown): void {
    const all = [...calls, ...this.#unsynced];
    for (const partition of new Set([...partitions, ...this.#unsyncedPartitions])) {
      try {
        partition.rollBackUnpublished();
      } catch {
        // The partition truncates its file before it writes again.
      }
    }
    this.#unsynced = [];
    this.#unsyncedPartitions.clear();
    for (const call of all) call.reject(outcomeUnknown(this.#directory, error));
  }
}

function encode({ records, places, bounds, offsets }: Call, timestampMs: number, partitions: Set<PartitionLog>): void {
  let last: PartitionLog | undefined;
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    const place = places[index];
    if (record === undefined || place === undefined) continue;
    if (place !== last) partitions.add((last = place));
    offsets[index] = place.add(record, timestampMs, bounds[index] ?? 0);
  }
}

/** Upper bound of the bytes that a record takes; TOO_LARGE when its exact size is over the topic's limit. */
function checkedBound(record: OutgoingRecord, recordBytesMax: number): number {
  const bound = recordBytesBound(record);
  if (bound <= recordBytesMax) return bound;
  const bytes = recordBytes(record);
  if (bytes > recordBytesMax) {
    const { topic, partition } = record;
    throw new MillraceError(
      'TOO_LARGE',
      `A record for ${topic}/${partition} has ${bytes} bytes, the topic takes at most ${recordBytesMax}. Put large values into the blob store.`,
      { details: { topic, partition, bytes, recordBytesMax } },
    );
  }
  return bound;
}
