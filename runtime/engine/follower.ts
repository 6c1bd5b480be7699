import type { EventTopic } from '../../schemas/events.ts';
import { topics } from '../../schemas/topics.ts';
import { messageOf } from '../ports/errors.ts';
import type { LogRecord, Subscription, TopicPartition } from '../ports/log.ts';
import type { EngineContext } from './engine-context.ts';
import { textHeader, header } from './envelope.ts';
import { NewestRows } from './newest-rows.ts';
import { Receiver } from './receiver.ts';
import type { FollowedEvent, FollowOptions, Running } from './runtime.ts';

const idWindow = 10_000;
/** Delivery is paused above this. */
const waitingRecordsMax = 10_000;

/**
 * Follows all partitions of a topic without a group. The first record of a `ce_id` is the fact; repeats are dropped. Events come in
 * offset order per partition, one at a time.
 */
export class Follower<T extends EventTopic> implements Running {
  readonly #context: EngineContext;
  readonly #topic: T;
  readonly #options: FollowOptions<T>;
  readonly #receivers = new Map<number, Receiver>();
  readonly #abort = new AbortController();
  readonly #positions = new Map<number, number>();
  #ends: readonly number[] = [];
  #subscription: Subscription | undefined;
  #work: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  /** Records that were delivered and not yet handed on. */
  #waiting = 0;
  readonly #paused = new Map<number, TopicPartition>();
  /** Compacted topics only. */
  readonly #rows: NewestRows | undefined;

  constructor(context: EngineContext, topic: T, options: FollowOptions<T>) {
    this.#context = context;
    this.#topic = topic;
    this.#options = options;
    this.#rows = topics[topic].cleanup === 'compact' ? new NewestRows() : undefined;
  }

  async start(): Promise<void> {
    const { log } = this.#context.parts;
    const topic = this.#context.encoding.topic(this.#topic);
    const { from = 'latest' } = this.#options;
    this.#ends = await log.endOffsets(topic);
    const starts = from === 'latest' ? this.#ends : from === 'earliest' ? await log.startOffsets(topic) : from;
    this.#subscription = await log.subscribe(
      { topics: [topic], start: 'earliest' },
      {
        assigned: async (partitions) =>
          partitions.map((partition) => {
            const offset = this.#positions.get(partition.partition) ?? starts[partition.partition] ?? 0;
            this.#positions.set(partition.partition, offset);
            return { ...partition, offset };
          }),
        revoked: () => undefined,
        records: (partition, records) => this.#enqueue(partition, records),
        passed: ({ partition }, _, to) => {
          this.#work = this.#work.then(() => void this.#positions.set(partition, to));
        },
        failed: (error) => this.#fail(error),
      },
    );
  }

  /** Resolves when everything that was there at the start was delivered. */
  async ready(): Promise<void> {
    await this.catchUp(this.#ends);
  }

  /** Resolves when every partition was delivered up to these ends; rejects when they will never come. */
  async catchUp(ends: readonly number[]): Promise<void> {
    const behind = (): boolean => ends.some((end, partition) => (this.#positions.get(partition) ?? 0) < end);
    while (behind() && !this.#abort.signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Its own name, when nothing more will come and no one else was told. */
  stopped(): readonly string[] {
    const isSilent =
      this.#failure !== undefined && !this.#abort.signal.aborted && this.#options.onStopped === undefined;
    return isSilent ? [`what follows ${this.#topic}`] : [];
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#subscription?.close();
    await this.#work.catch(() => undefined);
  }

  #fail(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.#failure = error instanceof Error ? error : new Error(messageOf(error));
    this.#context.parts.logger.error({ topic: this.#topic, error: messageOf(error) }, 'following has stopped');
    this.#options.onStopped?.(error);
  }

  /** Bounded: while the decoder waits for a schema, its partition is paused. */
  #enqueue(partition: TopicPartition, records: readonly LogRecord[]): void {
    const { logger } = this.#context.parts;
    this.#waiting += records.length;
    if (this.#waiting > waitingRecordsMax) {
      this.#paused.set(partition.partition, partition);
      this.#subscription?.pause([partition]);
    }
    this.#work = this.#work
      .then(() => this.#deliver(partition, records))
      .catch((error: unknown) => {
        if (this.#abort.signal.aborted) return;
        logger.error({ ...partition, error: messageOf(error) }, 'following failed on a batch');
      })
      .then(() => this.#done(records.length));
  }

  #done(records: number): void {
    this.#waiting -= records;
    if (this.#paused.size === 0 || this.#waiting > waitingRecordsMax / 2) return;
    const paused = [...this.#paused.values()];
    this.#paused.clear();
    this.#subscription?.resume(paused);
  }

  async #deliver({ partition }: TopicPartition, records: readonly LogRecord[]): Promise<void> {
    const { onEvent, onPoison } = this.#options;
    const { logger } = this.#context.parts;
    if (this.#abort.signal.aborted) return;
    const receiver = this.#receiver(partition);
    const rows = this.#rows;
    const tombstones = records.filter(({ value }) => value === null);
    const decoded = await this.#context.decoder.decode(records, this.#topic, 0, this.#abort.signal);
    for (const item of decoded) {
      const { record } = item;
      if (this.#abort.signal.aborted) return;
      this.#positions.set(partition, record.offset + 1);
      if (item.control === 'tick' || item.control === 'replay') continue;
      if (rows?.isOld(record.key, item.id) ?? isRepeat(receiver, item.id, record.offset)) continue;
      try {
        if (tombstones.includes(record)) this.#options.onTombstone?.(record.key?.toString('utf8') ?? '');
        else if (item.error === undefined) onEvent(item.input as FollowedEvent<T>);
        else if (onPoison === undefined)
          logger.warn(
            {
              topic: record.topic,
              partition,
              offset: record.offset,
              id: textHeader(record, header.id),
              error: messageOf(item.error),
            },
            'a record cannot be read',
          );
        else onPoison(record, item.error);
      } catch (error) {
        logger.error(
          { topic: record.topic, partition, offset: record.offset, error: messageOf(error) },
          'a follower threw',
        );
      }
    }
  }

  #receiver(partition: number): Receiver {
    const known = this.#receivers.get(partition);
    if (known !== undefined) return known;
    const receiver = new Receiver({}, idWindow);
    this.#receivers.set(partition, receiver);
    return receiver;
  }
}

function isRepeat(receiver: Receiver, id: string, offset: number): boolean {
  const { type } = receiver.judge(id, offset);
  return type === 'repeat' || type === 'stale-branch';
}
