import { MillraceError } from '../../ports/errors.ts';
import {
  type Log,
  type LogRecord,
  type OutgoingRecord,
  partitionName,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionHandler,
  type TopicConfig,
  type TopicPartition,
} from '../../ports/log.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { resolveKafkaOptions, type KafkaLogOptions, type ResolvedKafkaOptions } from './kafka-options.ts';
import { KafkaSubscription } from './kafka-subscription.ts';
import { committedOffsets, listOffsets, offsetOf } from './offsets.ts';
import { readRange } from './read-range.ts';
import { retrying } from './retrying.ts';
import { Sender } from './sender.ts';
import { ensureTopics } from './topic-admin.ts';
import { TopicDirectory } from './topic-directory.ts';

export { type KafkaClientLog, type KafkaLogOptions, type KafkaSasl } from './kafka-options.ts';

/**
 * Opens a Log on Apache Kafka (3.9 and 4.x). No transactions are used or needed.
 *
 * @throws MillraceError UNAVAILABLE when no broker answers in `operationTimeoutMs`; FORBIDDEN when the credentials are refused.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const resolved = resolveKafkaOptions(options);
  const control = new KafkaCluster(resolved);
  try {
    await retrying(`connecting to ${resolved.brokers.join(', ')}`, resolved.operationTimeoutMs, () =>
      control.refresh([]),
    );
  } catch (error) {
    await control.destroy();
    throw error;
  }
  return new KafkaLog(resolved, control);
}

class KafkaLog implements Log {
  readonly #options: ResolvedKafkaOptions;
  readonly #control: KafkaCluster;
  /** Reads hold a broker's answers up, so they have connections of their own. */
  readonly #reader: KafkaCluster;
  readonly #directory: TopicDirectory;
  readonly #sender: Sender;
  readonly #subscriptions = new Set<KafkaSubscription>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedKafkaOptions, control: KafkaCluster) {
    this.#options = options;
    this.#control = control;
    this.#reader = new KafkaCluster(options);
    this.#directory = new TopicDirectory(control, options.operationTimeoutMs);
    this.#sender = new Sender(options, this.#directory);
  }

  async ensureTopics(topics: readonly TopicConfig[]): Promise<void> {
    this.#refuseClosed();
    await ensureTopics(this.#control, this.#directory, this.#options, topics);
  }

  async partitions(topic: string): Promise<number> {
    this.#refuseClosed();
    return (await this.#directory.facts(topic)).partitions;
  }

  append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    return this.#sender.append(records);
  }

  async subscribe(options: SubscribeOptions, handler: SubscriptionHandler): Promise<Subscription> {
    this.#refuseClosed();
    const partitions = (await Promise.all(options.topics.map((topic) => this.#partitionsOf(topic)))).flat();
    this.#refuseClosed();
    const subscription = new KafkaSubscription(this.#options, options, handler, () =>
      this.#subscriptions.delete(subscription),
    );
    this.#subscriptions.add(subscription);
    subscription.start(partitions);
    return subscription;
  }

  startOffsets(topic: string): Promise<readonly number[]> {
    return this.#edges(topic, 'start');
  }

  endOffsets(topic: string): Promise<readonly number[]> {
    return this.#edges(topic, 'end');
  }

  async *read(
    where: TopicPartition,
    range: { readonly from: number; readonly to?: number },
  ): AsyncGenerator<readonly LogRecord[]> {
    this.#refuseClosed();
    await this.#refuseUnknown(where);
    yield* readRange(this.#reader, this.#options, where, range);
  }

  async committed(group: string, topic: string): Promise<readonly (number | undefined)[]> {
    this.#refuseClosed();
    const partitions = await this.#partitionsOf(topic);
    const offsets = await this.#repeated(`looking up offsets of group "${group}"`, () =>
      committedOffsets(this.#control, group, partitions),
    );
    return partitions.map((where) => offsets.get(partitionName(where)));
  }

  async truncateBefore(where: TopicPartition, offset: number): Promise<void> {
    this.#refuseClosed();
    await this.#refuseUnknown(where);
    await this.#repeated(`truncating ${partitionName(where)}`, async () => {
      const start = await offsetOf(this.#control, where, 'start');
      const end = await offsetOf(this.#control, where, 'end');
      const before = Math.min(offset, end);
      if (before <= start) return;
      const broker = await this.#control.broker(this.#control.leader(where) ?? -1);
      const partitions = [{ partition: where.partition, offset: String(before) }];
      await broker.deleteRecords({ topics: [{ topic: where.topic, partitions }] });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await this.#sender.close();
    await Promise.all([this.#control.destroy(), this.#reader.destroy()]);
  }

  async #edges(topic: string, edge: 'start' | 'end'): Promise<readonly number[]> {
    this.#refuseClosed();
    const partitions = await this.#partitionsOf(topic);
    const offsets = await this.#repeated(`looking up offsets of "${topic}"`, () =>
      listOffsets(this.#control, partitions, edge),
    );
    return partitions.map((where) => offsets.get(partitionName(where)) ?? 0);
  }

  async #partitionsOf(topic: string): Promise<readonly TopicPartition[]> {
    const { partitions } = await this.#directory.facts(topic);
    return Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  }

  async #refuseUnknown({ topic, partition }: TopicPartition): Promise<void> {
    const { partitions } = await this.#directory.facts(topic);
    if (partition >= 0 && partition < partitions) return;
    throw new MillraceError(
      'NOT_FOUND',
      `Topic "${topic}" has ${partitions} partitions; there is no partition ${partition}.`,
    );
  }

  #repeated<T>(doing: string, work: () => Promise<T>): Promise<T> {
    return retrying(doing, this.#options.operationTimeoutMs, work);
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw new MillraceError('CLOSED', 'The Kafka log was closed before the call.');
  }
}
