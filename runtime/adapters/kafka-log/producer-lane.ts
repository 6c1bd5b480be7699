import { setImmediate as nextTurn } from 'node:timers/promises';
import { type QueuedRecord } from './append-call.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { type PartitionQueue } from './partition-queue.ts';
import { Producer, type OutgoingBatch } from './producer.ts';

export interface LaneOwner {
  /** The batch's fate is known: the queue may go to another lane. */
  released(queue: PartitionQueue): void;
  leaderMoved(): void;
}

interface TakenBatch extends OutgoingBatch {
  readonly queue: PartitionQueue;
  readonly records: readonly QueuedRecord[];
  /** Its fate is known. */
  settled: boolean;
}

/**
 * The one producer for a leader broker, and the partitions that wait for it. One send is outstanding at a time; whatever is queued
 * meanwhile goes together with the next. A broker that hangs stalls its own lane only.
 */
export class ProducerLane {
  readonly #options: ResolvedKafkaOptions;
  readonly #owner: LaneOwner;
  readonly #ready = new Set<PartitionQueue>();
  #producer: Producer | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ResolvedKafkaOptions, owner: LaneOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  add(queue: PartitionQueue): void {
    this.#ready.add(queue);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#ready.size > 0) this.add(queue);
    });
  }

  remove(queue: PartitionQueue): void {
    this.#ready.delete(queue);
  }

  /** Resolves when nothing is outstanding any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async destroy(): Promise<void> {
    await this.#producer?.destroy();
  }

  async #run(): Promise<void> {
    await nextTurn(); // what is appended in the same turn goes together
    while (this.#ready.size > 0) {
      const batches = this.#take();
      if (batches.length > 0) await this.#send(batches);
    }
  }

  #take(): TakenBatch[] {
    const batches: TakenBatch[] = [];
    let left = this.#options.produceBytesMax;
    for (const queue of [...this.#ready]) {
      if (left <= 0) break;
      this.#ready.delete(queue);
      const records = queue.take(Math.min(left, 1_048_576));
      if (records.length === 0) continue;
      queue.taken = true;
      for (const { bodyBytes } of records) left -= bodyBytes;
      batches.push({ queue, topic: queue.topic, partition: queue.partition, records, settled: false });
    }
    return batches;
  }

  async #send(batches: readonly TakenBatch[]): Promise<void> {
    this.#producer ??= this.#createProducer();
    try {
      await this.#producer.send(batches);
    } catch (error) {
      const producer = this.#producer;
      this.#producer = undefined;
      this.#failAll(batches, error);
      await producer.destroy();
    }
  }

  /** The fate of a batch is unknown: it, and all that waits behind it here, fails; none of what waits was sent. */
  #failAll(batches: readonly TakenBatch[], error: unknown): void {
    const waiting = [...this.#ready];
    this.#ready.clear();
    for (const { queue, records, settled } of batches) {
      if (settled) continue;
      for (const { call } of records) call.fail(error);
      queue.failAll(error);
      queue.taken = false;
    }
    for (const queue of waiting) queue.failAll(error);
  }

  #createProducer(): Producer {
    const settle = (batch: OutgoingBatch): TakenBatch => {
      const taken = batch as TakenBatch;
      taken.settled = true;
      taken.queue.taken = false;
      return taken;
    };
    return new Producer(this.#options, {
      leaderMoved: () => this.#owner.leaderMoved(),
      written: (batch, baseOffset) => {
        const { queue, records } = settle(batch);
        for (let place = 0; place < records.length; place++) {
          const queued = records[place];
          queued?.call.written(queued.index, baseOffset + place);
        }
        this.#owner.released(queue);
      },
      refused: (batch, error) => {
        const { queue, records } = settle(batch);
        const guilty = records[0]?.call;
        if (guilty !== undefined && records.every(({ call }) => call === guilty)) guilty.refuse(error);
        else queue.putBack(records);
        this.#owner.released(queue);
      },
    });
  }
}
