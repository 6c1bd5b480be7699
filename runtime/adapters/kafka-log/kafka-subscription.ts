import {
  partitionName,
  type StartPosition,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionHandler,
  type TopicPartition,
} from '../../ports/log.ts';
import { Fetcher } from './fetcher.ts';
import { GroupMember } from './group-member.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { committedOffsets, listOffsets } from './offsets.ts';
import { retrying } from './retrying.ts';

/**
 * Delivery to one subscriber. Membership and reading are separate: {@link GroupMember} says what is owned, {@link Fetcher} reads it. Without
 * a group there is no membership at all: every partition is read from the start, no coordinator is asked, and nothing is left on the brokers.
 */
export class KafkaSubscription implements Subscription {
  readonly #options: ResolvedKafkaOptions;
  readonly #subscribed: SubscribeOptions;
  readonly #handler: SubscriptionHandler;
  readonly #cluster: KafkaCluster;
  readonly #fetcher: Fetcher;
  readonly #member: GroupMember | undefined;
  readonly #onClosed: () => void;
  #owned: { readonly partitions: readonly TopicPartition[]; readonly generation: number } | undefined;
  #dead = false;
  #closing: Promise<void> | undefined;

  constructor(
    options: ResolvedKafkaOptions,
    subscribed: SubscribeOptions,
    handler: SubscriptionHandler,
    onClosed: () => void,
  ) {
    this.#onClosed = onClosed;
    this.#options = options;
    this.#subscribed = subscribed;
    this.#handler = handler;
    this.#cluster = new KafkaCluster(options);
    this.#fetcher = new Fetcher(this.#cluster, options, {
      records: (partition, records, endOffset) => this.#hand(() => handler.records(partition, records, endOffset)),
      passed: (partition, from, to) => this.#hand(() => handler.passed?.(partition, from, to)),
      failed: (error) => this.#fail(error),
    });
    if (subscribed.group !== undefined) {
      this.#member = new GroupMember(subscribed.group, subscribed.topics, options, {
        joined: (partitions, generation) => void this.#assign(partitions, generation),
        lost: () => this.#revoke(),
        failed: (error) => this.#fail(error),
      });
    }
  }

  start(partitions: readonly TopicPartition[]): void {
    if (this.#member === undefined) void this.#assign(partitions, 1);
    else this.#member.start();
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#fetcher.pause(partitions);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#fetcher.resume(partitions);
  }

  async commit(positions: readonly StartPosition[]): Promise<void> {
    await this.#member?.commit(positions);
  }

  close(): Promise<void> {
    this.#dead = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#owned = undefined;
    // Cut the fetches first: a broker may hold them for long.
    await Promise.all([this.#cluster.destroy(), this.#fetcher.close(), this.#member?.close()]);
    this.#onClosed();
  }

  /** Asks the handler for positions, looks up the others, and lets delivery begin, unless all was revoked meanwhile. */
  async #assign(partitions: readonly TopicPartition[], generation: number): Promise<void> {
    const owned = { partitions, generation };
    this.#owned = owned;
    this.#fetcher.prepare(partitions);
    try {
      const answered = await this.#handler.assigned(partitions, generation);
      if (this.#owned !== owned) return;
      const positions = await this.#complete(partitions, answered);
      if (this.#owned === owned) this.#fetcher.start(positions);
    } catch (error) {
      if (this.#owned === owned) this.#fail(error);
    }
  }

  #revoke(): void {
    const owned = this.#owned;
    this.#owned = undefined;
    this.#fetcher.prepare([]);
    if (owned !== undefined && !this.#dead) this.#hand(() => this.#handler.revoked(owned.partitions, owned.generation));
  }

  /** What the handler throws ends the subscription: delivering on would skip what it did not take. */
  #hand(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#dead) return;
    void this.close();
    this.#handler.failed(error);
  }

  async #complete(partitions: readonly TopicPartition[], answered: readonly StartPosition[]): Promise<StartPosition[]> {
    const given = new Map(answered.map((position) => [partitionName(position), position.offset]));
    const missing = partitions.filter((where) => !given.has(partitionName(where)));
    const found = await this.#startOf(missing);
    return partitions.map((where) => {
      const name = partitionName(where);
      return { ...where, offset: given.get(name) ?? found.get(name) ?? 0 };
    });
  }

  async #startOf(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, number>> {
    const { group, start = 'earliest' } = this.#subscribed;
    return retrying('looking up start offsets', this.#options.operationTimeoutMs, async () => {
      await this.#cluster.know(this.#subscribed.topics);
      const committed =
        start === 'committed' && group !== undefined
          ? await committedOffsets(this.#cluster, group, partitions)
          : new Map<string, number>();
      const rest = partitions.filter((where) => !committed.has(partitionName(where)));
      const edges = await listOffsets(this.#cluster, rest, start === 'latest' ? 'end' : 'start');
      return new Map([...committed, ...edges]);
    });
  }
}
