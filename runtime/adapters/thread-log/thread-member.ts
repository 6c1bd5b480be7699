import type { LogRecord, StartPosition, SubscriptionHandler, TopicPartition } from '../../ports/log.ts';
import { partitionName } from '../../ports/log.ts';
import type { AssignedPartition, SentError } from './messages.ts';
import { sentError } from './sent-errors.ts';

type Flow = { readonly type: 'pause' | 'resume' | 'taken' } & AssignedPartition;

interface Held {
  readonly records: readonly LogRecord[];
  readonly endOffset: number;
}

/** One subscription on this side. What is under way when a partition is paused is held here until it goes on. */
export class ThreadMember {
  readonly #handler: SubscriptionHandler;
  readonly #tell: (flow: Flow) => void;
  readonly #paused = new Map<string, Held[]>();
  /** Of the last assignment of each partition. */
  readonly #generations = new Map<string, number>();
  #left = false;

  constructor(handler: SubscriptionHandler, tell: (flow: Flow) => void) {
    this.#handler = handler;
    this.#tell = tell;
  }

  leave(): void {
    this.#left = true;
    this.#paused.clear();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const name = partitionName(partition);
      if (!this.#paused.has(name)) this.#paused.set(name, []);
      this.#say('pause', partition);
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const name = partitionName(partition);
      const held = this.#paused.get(name) ?? [];
      this.#paused.delete(name);
      // The handler may pause again with the first of them.
      for (const { records, endOffset } of held) this.records(partition, records, endOffset);
      if (!this.#paused.has(name)) this.#say('resume', partition);
    }
  }

  async assigned(
    partitions: readonly TopicPartition[],
    generation: number,
  ): Promise<{ readonly positions: readonly StartPosition[] } | { readonly error: SentError } | undefined> {
    if (this.#left) return undefined;
    for (const partition of partitions) this.#generations.set(partitionName(partition), generation);
    try {
      return { positions: await this.#handler.assigned(partitions, generation) };
    } catch (error) {
      return { error: sentError(error) };
    }
  }

  revoked(partitions: readonly TopicPartition[], generation: number): void {
    for (const partition of partitions) this.#paused.delete(partitionName(partition));
    if (!this.#left) this.#handler.revoked(partitions, generation);
  }

  records(partition: TopicPartition, records: readonly LogRecord[], endOffset: number): void {
    if (this.#left) return;
    const held = this.#paused.get(partitionName(partition));
    if (held === undefined) this.#handler.records(partition, records, endOffset);
    else held.push({ records, endOffset });
  }

  failed(error: Error): void {
    if (!this.#left) this.#handler.failed(error);
  }

  /** A delivery has come; it is in a queue, or held here. */
  taken(partition: TopicPartition, generation: number): void {
    if (!this.#left) this.#tell({ type: 'taken', partition, generation });
  }

  #say(type: 'pause' | 'resume', partition: TopicPartition): void {
    this.#tell({ type, partition, generation: this.#generations.get(partitionName(partition)) ?? 0 });
  }
}
