import { MillraceError } from '../../ports/errors.ts';
import { type OutgoingRecord, partitionName, type TopicPartition } from '../../ports/log.ts';
import { AppendCall } from './append-call.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { PartitionQueue } from './partition-queue.ts';
import { ProducerLane } from './producer-lane.ts';
import { batchOverheadBytes, recordBodyBytes, recordOverheadBytes } from './record-batch-writer.ts';
import { framingBytes, type TopicDirectory, type TopicFacts } from './topic-directory.ts';

/**
 * Coalesces the appends of all callers: one queue per partition, one producer (lane) per leader broker. A partition is bound to its
 * lane while a batch of it is on the way; only then does it follow its leader.
 */
export class Sender {
  readonly #options: ResolvedKafkaOptions;
  readonly #directory: TopicDirectory;
  readonly #queues = new Map<string, PartitionQueue>();
  readonly #lanes = new Map<number, ProducerLane>();
  readonly #laneOf = new Map<PartitionQueue, ProducerLane>();
  /** Calls that wait for the facts of their topics; a later call must not overtake them. */
  #intake: Promise<unknown> | undefined;
  #closed = false;

  constructor(options: ResolvedKafkaOptions, directory: TopicDirectory) {
    this.#options = options;
    this.#directory = directory;
  }

  async append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    if (this.#closed) throw new MillraceError('CLOSED', 'The log was closed before the append.');
    if (records.length === 0) return [];
    const waits = this.#intake !== undefined || records.some(({ topic }) => this.#directory.known(topic) === undefined);
    return waits ? (await this.#enqueueInTurn(records)).outcome : this.#enqueue(records);
  }

  /** Waits for the fate of what was appended, and closes the connections. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#intake;
    const lanes = [...this.#lanes.values()];
    await Promise.all(lanes.map((lane) => lane.idle()));
    await Promise.all(lanes.map((lane) => lane.destroy()));
  }

  /** Enqueues when the topics are known, and after the calls that were made before. */
  async #enqueueInTurn(records: readonly OutgoingRecord[]): Promise<{ readonly outcome: Promise<readonly number[]> }> {
    const before = this.#intake;
    const turn = (async () => {
      await before;
      for (const topic of new Set(records.map((record) => record.topic))) await this.#directory.facts(topic);
      return { outcome: this.#enqueue(records) };
    })();
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#intake = settled;
    void settled.then(() => {
      if (this.#intake === settled) this.#intake = undefined;
    });
    return turn;
  }

  /** All or nothing: a record that cannot be sent refuses the call before anything of it is queued. */
  #enqueue(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    const bodyBytes = records.map((record) => this.#bodyBytes(record));
    const call = new AppendCall(records.length);
    const touched = new Set<PartitionQueue>();
    for (let index = 0; index < records.length; index++) {
      const record = records[index];
      if (record === undefined) continue;
      const queue = this.#queue(record);
      queue.push({ call, index, record, bodyBytes: bodyBytes[index] ?? 0 });
      touched.add(queue);
    }
    for (const queue of touched) this.#schedule(queue);
    return call.promise;
  }

  #bodyBytes(record: OutgoingRecord): number {
    const facts = this.#directory.known(record.topic);
    refuseUnknownPartition(record, facts);
    const bodyBytes = recordBodyBytes(record);
    const limit = facts?.batchBytesMax ?? 0;
    if (bodyBytes <= limit - framingBytes) return bodyBytes; // its content is smaller still
    const contentBytes = contentSize(record);
    if (contentBytes > limit - framingBytes || bodyBytes + batchOverheadBytes + recordOverheadBytes > limit) {
      const message = `A record for ${partitionName(record)} has ${contentBytes} bytes; the topic takes at most ${limit - framingBytes}. Put large values into the blob store.`;
      throw new MillraceError('TOO_LARGE', message, { details: { topic: record.topic, sizeBytes: contentBytes } });
    }
    return bodyBytes;
  }

  #queue(where: TopicPartition): PartitionQueue {
    const name = partitionName(where);
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new PartitionQueue(where, this.#directory.known(where.topic)?.batchBytesMax ?? 1_048_588);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #schedule(queue: PartitionQueue): void {
    if (queue.taken || queue.empty) return;
    const lane = this.#lane(this.#directory.leader(queue) ?? -1);
    const before = this.#laneOf.get(queue);
    if (before !== lane) before?.remove(queue);
    this.#laneOf.set(queue, lane);
    lane.add(queue);
  }

  #lane(leader: number): ProducerLane {
    let lane = this.#lanes.get(leader);
    if (lane === undefined) {
      lane = new ProducerLane(this.#options, {
        released: (queue) => this.#schedule(queue),
        leaderMoved: () => void this.#directory.refreshLeaders(),
      });
      this.#lanes.set(leader, lane);
    }
    return lane;
  }
}

function refuseUnknownPartition({ topic, partition }: TopicPartition, facts: TopicFacts | undefined): void {
  const partitions = facts?.partitions ?? 0;
  if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return;
  const message = `Topic "${topic}" has the partitions 0 to ${partitions - 1}; a record names ${partition}.`;
  throw new MillraceError('INVALID_ARGUMENT', message, { details: { topic, partition, partitions } });
}

function contentSize({ key, value, headers }: OutgoingRecord): number {
  let size = (key === null ? 0 : Buffer.byteLength(key)) + (value?.byteLength ?? 0);
  for (const name in headers) size += Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '');
  return size;
}
