import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../ports/errors.ts';
import { type TopicPartition, partitionName } from '../../ports/log.ts';
import { unknownOutcome, type QueuedRecord } from './append-call.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { asMillraceError, isLasting, mayBeAppended, produceFate, refusal } from './kafka-errors.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { produce, type PartitionAnswer } from './produce-request.ts';
import { writeRecordBatch } from './record-batch-writer.ts';
import { backoffMs } from './retrying.ts';

export interface OutgoingBatch extends TopicPartition {
  readonly records: readonly QueuedRecord[];
}

export interface BatchOutcomes {
  written(batch: OutgoingBatch, baseOffset: number): void;
  /** Nothing of the batch was written. */
  refused(batch: OutgoingBatch, error: Error): void;
  /** The leader may be another node than was thought. */
  leaderMoved(): void;
}

/** A batch whose bytes are fixed: it is repeated as it is until its fate is known. */
interface OpenBatch {
  readonly batch: OutgoingBatch;
  readonly bytes: Buffer;
  /** An attempt may have appended it. */
  doubtful: boolean;
}

/**
 * An idempotent producer with its own connections. Batches carry sequence numbers, so that the broker recognises a repeated one and
 * answers with the offsets of the first. The caller sends one set of batches at a time.
 *
 * kafkajs' producer is not used: it gives sequence numbers to whatever is sent next after a failure: one of two concurrent
 * sends is then acknowledged and never written; and it says of a request with several partitions only
 * the first error.
 */
export class Producer {
  readonly #options: ResolvedKafkaOptions;
  readonly #outcomes: BatchOutcomes;
  readonly #cluster: KafkaCluster;
  readonly #sequences = new Map<string, number>();
  #identity: { readonly id: bigint; readonly epoch: number } | undefined;

  constructor(options: ResolvedKafkaOptions, outcomes: BatchOutcomes) {
    this.#options = options;
    this.#outcomes = outcomes;
    this.#cluster = new KafkaCluster(options);
  }

  /**
   * Resolves when the fate of every batch is known and was reported. Rejects with UNKNOWN_OUTCOME when that could not be learnt in time, or
   * the broker says that the sequence is broken; this producer must then be thrown away.
   */
  async send(batches: readonly OutgoingBatch[]): Promise<void> {
    const deadline = performance.now() + this.#options.deliveryTimeoutMs;
    let open: readonly OpenBatch[] = [];
    let unsent = batches;
    let cause: unknown;
    for (let attempt = 0; unsent.length + open.length > 0; attempt++) {
      if (attempt > 0) await sleep(backoffMs(attempt - 1));
      if (performance.now() > deadline)
        throw this.#unknown(unsent, open, `no answer within ${this.#options.deliveryTimeoutMs} ms`, cause);
      try {
        await this.#connect(batches, attempt);
        if (unsent.length > 0) open = unsent.map((batch) => this.#fix(batch));
        unsent = [];
        open = await this.#sendOnce(open);
      } catch (error) {
        cause = error;
        if (!isLasting(error)) continue;
        if (open.some(({ doubtful }) => doubtful)) throw this.#unknown(unsent, open, messageOf(error), error);
        throw asMillraceError(error, `appending to ${batches.map(partitionName).join(', ')}`);
      }
    }
  }

  async destroy(): Promise<void> {
    await this.#cluster.destroy();
  }

  async #connect(batches: readonly OutgoingBatch[], attempt: number): Promise<void> {
    const topics = [...new Set(batches.map(({ topic }) => topic))];
    await (attempt === 0 ? this.#cluster.know(topics) : this.#cluster.refresh(topics));
    if (this.#identity !== undefined) return;
    const broker = await this.#cluster.anyBroker();
    const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: 60_000 });
    this.#identity = { id: BigInt(producerId), epoch: producerEpoch };
  }

  #fix(batch: OutgoingBatch): OpenBatch {
    const { id, epoch } = this.#identity ?? { id: -1n, epoch: -1 };
    const name = partitionName(batch);
    const first = this.#sequences.get(name) ?? 0;
    const records = batch.records.map(({ record }) => record);
    const bodyBytes = batch.records.map((queued) => queued.bodyBytes);
    const bytes = writeRecordBatch(records, bodyBytes, { producerId: id, producerEpoch: epoch, first });
    return { batch, bytes, doubtful: false };
  }

  /** One attempt with each leader; answers what is still open. */
  async #sendOnce(open: readonly OpenBatch[]): Promise<readonly OpenBatch[]> {
    const byLeader = new Map<number, OpenBatch[]>();
    const still: OpenBatch[] = [];
    for (const entry of open) {
      const leader = this.#cluster.leader(entry.batch);
      if (leader === undefined) still.push(entry);
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), entry]);
    }
    for (const [leader, entries] of byLeader) {
      const broker = await this.#cluster.broker(leader).catch(() => undefined);
      if (broker === undefined) {
        this.#outcomes.leaderMoved();
        still.push(...entries);
        continue;
      }
      const parts = entries.map(({ batch, bytes }) => ({ topic: batch.topic, partition: batch.partition, bytes }));
      try {
        const answers = await produce(broker, parts, Math.max(1_000, this.#options.requestTimeoutMs - 1_000));
        still.push(...this.#judge(entries, answers));
      } catch {
        // The connection broke, or no answer came: the broker may have appended all of them.
        for (const entry of entries) entry.doubtful = true;
        this.#outcomes.leaderMoved();
        still.push(...entries);
      }
    }
    return still;
  }

  #judge(entries: readonly OpenBatch[], answers: readonly PartitionAnswer[]): readonly OpenBatch[] {
    const still: OpenBatch[] = [];
    for (const entry of entries) {
      const { batch } = entry;
      const answer = answers.find(({ topic, partition }) => topic === batch.topic && partition === batch.partition);
      const code = answer?.code ?? -1;
      switch (produceFate(code)) {
        case 'written':
          this.#advance(batch);
          this.#outcomes.written(batch, answer?.baseOffset ?? -1);
          break;
        case 'again':
          entry.doubtful ||= mayBeAppended(code);
          this.#outcomes.leaderMoved();
          still.push(entry);
          break;
        case 'unknown':
          throw this.#unknown([batch], [], `the broker answered with the Kafka code ${code}`, undefined);
        case 'refused':
          if (entry.doubtful)
            throw this.#unknown([batch], [], `the broker first kept silent, then answered with ${code}`, undefined);
          this.#outcomes.refused(batch, refusal(code, partitionName(batch)));
          break;
      }
    }
    return still;
  }

  #advance(batch: OutgoingBatch): void {
    const name = partitionName(batch);
    const next = (this.#sequences.get(name) ?? 0) + batch.records.length;
    this.#sequences.set(name, next % 2 ** 31); // the sequence wraps, as the protocol says
  }

  #unknown(unsent: readonly OutgoingBatch[], open: readonly OpenBatch[], why: string, cause: unknown): Error {
    const names = [...unsent, ...open.map(({ batch }) => batch)].map(partitionName);
    return unknownOutcome(names.join(', '), why, cause);
  }
}
