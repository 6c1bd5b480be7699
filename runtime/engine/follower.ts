import type { EventTopic } from '../../schemas/events.ts';
import { messageOf } from '../ports/errors.ts';
import type { LogRecord, Subscription, TopicPartition } from '../ports/log.ts';
import type { EngineContext } from './engine-context.ts';
import { textHeader, header } from './envelope.ts';
import { Receiver } from './receiver.ts';
import type { FollowedEvent, FollowOptions, Running } from './runtime.ts';

const idWindow = 10_000;

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

  constructor(context: EngineContext, topic: T, options: FollowOptions<T>) {
    this.#context = context;
    this.#topic = topic;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { log, logger } = this.#context.parts;
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
        records: (partition, records) => {
          this.#work = this.#work.then(() => this.#deliver(partition, records));
        },
        failed: (error) => logger.error({ topic, error: messageOf(error) }, 'following has stopped'),
      },
    );
  }

  /** Resolves when everything that was there at the start was delivered. */
  async ready(): Promise<void> {
    await this.catchUp(this.#ends);
  }

  /** Resolves when every partition was delivered up to these ends. */
  async catchUp(ends: readonly number[]): Promise<void> {
    const behind = (): boolean => ends.some((end, partition) => (this.#positions.get(partition) ?? 0) < end);
    while (behind() && !this.#abort.signal.aborted) await new Promise<void>((resolve) => setTimeout(resolve, 2));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#subscription?.close();
    await this.#work.catch(() => undefined);
  }

  async #deliver({ partition }: TopicPartition, records: readonly LogRecord[]): Promise<void> {
    const { onEvent, onPoison } = this.#options;
    const { logger } = this.#context.parts;
    if (this.#abort.signal.aborted) return;
    const receiver = this.#receiver(partition);
    const tombstones = records.filter(({ value }) => value === null);
    const decoded = await this.#context.decoder.decode(records, this.#topic, 0, this.#abort.signal);
    for (const item of decoded) {
      const { record } = item;
      if (this.#abort.signal.aborted) return;
      this.#positions.set(partition, record.offset + 1);
      if (item.control === 'tick' || item.control === 'replay') continue;
      const verdict = receiver.judge(item.id, record.offset);
      if (verdict.type === 'repeat' || verdict.type === 'stale-branch') continue;
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
