/**
 * A Log in memory, for tests and simulations: the storage outlives the Log objects that are opened on it, so a "process" can die and
 * another one start on what was acknowledged.
 */
import { MillraceError } from '../ports/errors.ts';
import {
  type Log,
  type LogRecord,
  type OutgoingRecord,
  partitionName,
  type StartPosition,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionHandler,
  type TopicConfig,
  type TopicPartition,
} from '../ports/log.ts';

interface StoredPartition {
  start: number;
  records: LogRecord[];
}

/** What is "on disk": shared by the Log objects that are opened on it. */
export class MemoryLogStorage {
  readonly topics = new Map<string, { config: TopicConfig; partitions: StoredPartition[] }>();
  readonly committed = new Map<string, Map<string, number>>();
  readonly groups = new Map<string, { members: Member[]; generation: number }>();
  readonly waiting = new Set<() => void>();

  partition({ topic, partition }: TopicPartition): StoredPartition {
    const stored = this.topics.get(topic)?.partitions[partition];
    if (stored === undefined)
      throw new MillraceError('NOT_FOUND', `there is no partition ${topic}/${partition}: create the topic first`);
    return stored;
  }

  wake(): void {
    for (const wake of [...this.waiting]) wake();
  }
}

export interface MemoryLogOptions {
  readonly storage?: MemoryLogStorage;
  /** Append time. @default Date.now */
  readonly now?: () => number;
  /** Records one delivery holds at most. @default 500 */
  readonly deliveryRecords?: number;
}

export function createMemoryLog(options: MemoryLogOptions = {}): Log {
  return new MemoryLog(
    options.storage ?? new MemoryLogStorage(),
    options.now ?? Date.now,
    options.deliveryRecords ?? 500,
  );
}

class MemoryLog implements Log {
  readonly #storage: MemoryLogStorage;
  readonly #now: () => number;
  readonly #deliveryRecords: number;
  readonly #members = new Set<Member>();
  #closed = false;

  constructor(storage: MemoryLogStorage, now: () => number, deliveryRecords: number) {
    this.#storage = storage;
    this.#now = now;
    this.#deliveryRecords = deliveryRecords;
  }

  ensureTopics(topics: readonly TopicConfig[]): Promise<void> {
    return attempt(() => {
      for (const config of topics) {
        const known = this.#storage.topics.get(config.name);
        if (known !== undefined && known.partitions.length !== config.partitions) {
          throw new MillraceError(
            'TOPIC_MISMATCH',
            `${config.name} has ${known.partitions.length} partitions, expected ${config.partitions}`,
          );
        }
        if (known === undefined) {
          const partitions = Array.from({ length: config.partitions }, () => ({ start: 0, records: [] }));
          this.#storage.topics.set(config.name, { config, partitions });
        }
      }
    });
  }

  partitions(topic: string): Promise<number> {
    return attempt(() => this.#topic(topic).partitions.length);
  }

  append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    return attempt(() => {
      if (this.#closed) throw new MillraceError('CLOSED', 'the log was closed');
      for (const record of records) {
        this.#storage.partition(record);
        const sizeBytes = (record.value?.length ?? 0) + (record.key?.length ?? 0);
        const { recordBytesMax } = this.#topic(record.topic).config;
        if (sizeBytes > recordBytesMax)
          throw new MillraceError(
            'TOO_LARGE',
            `a record of ${record.topic} has ${sizeBytes} bytes, at most ${recordBytesMax} are allowed`,
          );
      }
      const timestampMs = this.#now();
      const offsets = records.map((record) => {
        const stored = this.#storage.partition(record);
        const offset = stored.start + stored.records.length;
        stored.records.push(storedRecord(record, offset, timestampMs));
        return offset;
      });
      this.#storage.wake();
      return offsets;
    });
  }

  async subscribe(options: SubscribeOptions, handler: SubscriptionHandler): Promise<Subscription> {
    for (const topic of options.topics) this.#topic(topic);
    const member = new Member(this.#storage, options, handler, this.#deliveryRecords, () =>
      this.#members.delete(member),
    );
    this.#members.add(member);
    await member.join();
    return member;
  }

  startOffsets(topic: string): Promise<readonly number[]> {
    return attempt(() => this.#topic(topic).partitions.map(({ start }) => start));
  }

  endOffsets(topic: string): Promise<readonly number[]> {
    return attempt(() => this.#topic(topic).partitions.map(({ start, records }) => start + records.length));
  }

  async *read(
    partition: TopicPartition,
    range: { readonly from: number; readonly to?: number },
  ): AsyncIterable<readonly LogRecord[]> {
    const stored = this.#storage.partition(partition);
    const to = Math.min(range.to ?? Number.POSITIVE_INFINITY, stored.start + stored.records.length);
    for (let from = Math.max(range.from, stored.start); from < to; ) {
      const batch = stored.records.slice(
        from - stored.start,
        Math.min(to, from + this.#deliveryRecords) - stored.start,
      );
      if (batch.length === 0) return;
      yield await Promise.resolve(batch);
      from = (batch.at(-1)?.offset ?? to) + 1;
    }
  }

  committed(group: string, topic: string): Promise<readonly (number | undefined)[]> {
    return attempt(() => {
      const offsets = this.#storage.committed.get(group);
      return this.#topic(topic).partitions.map((_, partition) => offsets?.get(partitionName({ topic, partition })));
    });
  }

  truncateBefore(partition: TopicPartition, offset: number): Promise<void> {
    return attempt(() => {
      const stored = this.#storage.partition(partition);
      const dropped = Math.max(0, Math.min(offset - stored.start, stored.records.length));
      stored.records.splice(0, dropped);
      stored.start += dropped;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#members].map((member) => member.close()));
  }

  #topic(topic: string): { config: TopicConfig; partitions: StoredPartition[] } {
    const stored = this.#storage.topics.get(topic);
    if (stored === undefined) throw new MillraceError('NOT_FOUND', `there is no topic ${topic}: create it first`);
    return stored;
  }
}

/** One subscription; with a group, one member of it. */
class Member implements Subscription {
  readonly #storage: MemoryLogStorage;
  readonly #options: SubscribeOptions;
  readonly #handler: SubscriptionHandler;
  readonly #deliveryRecords: number;
  readonly #left: () => void;
  #positions = new Map<string, StartPosition>();
  readonly #paused = new Set<string>();
  #generation = 0;
  #delivering = false;
  #closed = false;
  readonly #wake = (): void => this.#deliver();

  constructor(
    storage: MemoryLogStorage,
    options: SubscribeOptions,
    handler: SubscriptionHandler,
    deliveryRecords: number,
    left: () => void,
  ) {
    this.#storage = storage;
    this.#options = options;
    this.#handler = handler;
    this.#deliveryRecords = deliveryRecords;
    this.#left = left;
  }

  async join(): Promise<void> {
    this.#storage.waiting.add(this.#wake);
    const { group } = this.#options;
    if (group === undefined) return await this.assign(this.allPartitions(), 1);
    const state = this.#storage.groups.get(group) ?? { members: [], generation: 0 };
    this.#storage.groups.set(group, state);
    state.members.push(this);
    await rebalance(state);
  }

  allPartitions(): TopicPartition[] {
    return this.#options.topics.flatMap((topic) =>
      (this.#storage.topics.get(topic)?.partitions ?? []).map((_, partition) => ({ topic, partition })),
    );
  }

  revoke(): void {
    const owned = [...this.#positions.values()].map(({ topic, partition }) => ({ topic, partition }));
    this.#positions = new Map();
    this.#paused.clear();
    if (owned.length > 0) this.#handler.revoked(owned, this.#generation);
  }

  async assign(partitions: readonly TopicPartition[], generation: number): Promise<void> {
    this.#generation = generation;
    const starts = await this.#handler.assigned(partitions, generation);
    if (this.#closed || this.#generation !== generation) return;
    for (const partition of partitions) {
      const given = starts.find((start) => partitionName(start) === partitionName(partition));
      const stored = this.#storage.topics.get(partition.topic)?.partitions[partition.partition];
      const end = (stored?.start ?? 0) + (stored?.records.length ?? 0);
      if (given !== undefined && given.offset > end) {
        void this.close();
        this.#handler.failed(
          new MillraceError(
            'STATE_AHEAD_OF_LOG',
            `${partitionName(partition)} ends at ${end}, but is read at ${given.offset}`,
          ),
        );
        return;
      }
      this.#positions.set(partitionName(partition), {
        ...partition,
        offset: given?.offset ?? this.#defaultStart(partition),
      });
    }
    this.#deliver();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#paused.add(partitionName(partition));
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#paused.delete(partitionName(partition));
    this.#deliver();
  }

  commit(positions: readonly StartPosition[]): Promise<void> {
    return attempt(() => {
      const { group } = this.#options;
      if (group === undefined) return;
      const offsets = this.#storage.committed.get(group) ?? new Map<string, number>();
      this.#storage.committed.set(group, offsets);
      for (const position of positions) {
        if (this.#positions.has(partitionName(position))) offsets.set(partitionName(position), position.offset);
      }
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#storage.waiting.delete(this.#wake);
    this.#positions = new Map();
    this.#left();
    const state = this.#options.group === undefined ? undefined : this.#storage.groups.get(this.#options.group);
    if (state === undefined) return;
    state.members.splice(state.members.indexOf(this), 1);
    await rebalance(state);
  }

  #defaultStart(partition: TopicPartition): number {
    const stored = this.#storage.partition(partition);
    const { start = 'earliest', group } = this.#options;
    if (start === 'latest') return stored.start + stored.records.length;
    const committed =
      group === undefined ? undefined : this.#storage.committed.get(group)?.get(partitionName(partition));
    return start === 'committed' ? (committed ?? stored.start) : stored.start;
  }

  /** One batch per partition and turn of the event loop, so that no partition starves another. */
  #deliver(): void {
    if (this.#delivering || this.#closed) return;
    this.#delivering = true;
    setImmediate(() => {
      this.#delivering = false;
      if (this.#closed) return;
      let more = false;
      for (const [name, position] of this.#positions) {
        if (this.#paused.has(name)) continue;
        const stored = this.#storage.partition(position);
        const from = Math.max(position.offset, stored.start);
        const batch = stored.records.slice(from - stored.start, from - stored.start + this.#deliveryRecords);
        const last = batch.at(-1);
        if (last === undefined) continue;
        this.#positions.set(name, { ...position, offset: last.offset + 1 });
        this.#handler.records(
          { topic: position.topic, partition: position.partition },
          batch,
          stored.start + stored.records.length,
        );
        more = true;
      }
      if (more) this.#deliver();
    });
  }
}

async function rebalance(state: { members: Member[]; generation: number }): Promise<void> {
  state.generation += 1;
  const { members, generation } = state;
  for (const member of members) member.revoke();
  const shares = members.map((): TopicPartition[] => []);
  const partitions = members[0]?.allPartitions() ?? [];
  for (const partition of partitions) shares[partition.partition % members.length]?.push(partition);
  await Promise.all(members.map((member, index) => member.assign(shares[index] ?? [], generation)));
}

function storedRecord(record: OutgoingRecord, offset: number, timestampMs: number): LogRecord {
  return {
    topic: record.topic,
    partition: record.partition,
    offset,
    timestampMs,
    key: record.key === null ? null : Buffer.from(record.key as string),
    value: record.value === null ? null : Buffer.from(record.value),
    headers: Object.fromEntries(
      Object.entries(record.headers).map(([name, value]) => [name, Buffer.from(value as string)]),
    ),
  };
}

function attempt<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}
