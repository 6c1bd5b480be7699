import { hasCode, messageOf } from '../ports/errors.ts';
import { type LogRecord, partitionName, type Subscription, type TopicPartition } from '../ports/log.ts';
import type { EngineContext } from './engine-context.ts';
import type { Running, TaskStats } from './runtime.ts';

/** What the host drives: one task per partition. */
export interface HostedTask {
  readonly position: number;
  open(): Promise<number>;
  start(): void;
  enqueue(records: readonly LogRecord[], endOffset: number): void;
  noteEnd(endOffset: number): void;
  stop(): void;
  close(): Promise<void>;
  stats(): TaskStats;
}

export interface TaskEnvironment {
  readonly group: string;
  readonly partition: TopicPartition;
  readonly flow: { pause(): void; resume(): void };
  report(position: number): void;
  failed(error: unknown): void;
}

/**
 * Runs one task per partition that the consumer group gives to this process: opens its state when it comes, stops it when it goes,
 * and hands over what is delivered.
 */
export class TaskHost implements Running {
  readonly #context: EngineContext;
  readonly #group: string;
  readonly #topics: readonly string[];
  readonly #create: (environment: TaskEnvironment) => HostedTask;
  readonly #tasks = new Map<string, HostedTask>();
  /** Tasks whose state is being opened: their partition may go again before that is done. */
  readonly #opening = new Map<string, HostedTask>();
  readonly #endsAtStart = new Map<string, number>();
  readonly #stopping = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  /** Partitions of this process that nobody works on, since their state cannot be opened. */
  readonly #unopened = new Set<string>();
  #isCutOff = false;
  #subscription: Subscription | undefined;
  #assignedOnce = false;
  #closed = false;

  constructor(
    context: EngineContext,
    group: string,
    topics: readonly string[],
    create: (environment: TaskEnvironment) => HostedTask,
  ) {
    this.#context = context;
    this.#group = group;
    this.#topics = topics;
    this.#create = create;
  }

  async start(): Promise<void> {
    this.#subscription = await this.#context.parts.log.subscribe(
      { group: this.#group, topics: this.#topics, start: 'earliest' },
      {
        assigned: async (partitions) => {
          const starts = await Promise.all(partitions.map((partition) => this.#assignOrReport(partition)));
          // All of them may have gone again meanwhile: then another assignment is on its way.
          const hosted = (where: TopicPartition): boolean => this.#tasks.has(partitionName(where));
          if (partitions.length === 0 || partitions.some(hosted)) this.#assignedOnce = true;
          return starts;
        },
        revoked: (partitions) => {
          for (const partition of partitions) this.#revoke(partition);
        },
        records: (partition, records, endOffset) =>
          this.#tasks.get(partitionName(partition))?.enqueue(records, endOffset),
        failed: (error) => {
          this.#isCutOff = true;
          this.#failures.push(error);
          this.#context.parts.logger.error(
            { group: this.#group, error: messageOf(error) },
            'the subscription has stopped',
          );
        },
      },
    );
  }

  async ready(): Promise<void> {
    while (!this.#closed) {
      if (this.#failures.length > 0) throw this.#failures[0];
      const behind = [...this.#tasks].some(([name, task]) => task.position < (this.#endsAtStart.get(name) ?? 0));
      if (this.#assignedOnce && this.#opening.size === 0 && !behind) return;
      await new Promise<void>((resolve) => setTimeout(resolve, 5));
    }
  }

  stats(): readonly TaskStats[] {
    return [...this.#tasks.values()].map((task) => task.stats());
  }

  stopped(): readonly string[] {
    if (this.#closed) return [];
    const failed = this.stats().filter(({ status }) => status === 'failed');
    return [
      ...failed.map(({ task }) => task),
      ...[...this.#unopened].map((partition) => `${this.#group}/${partition}`),
      ...(this.#isCutOff ? [`the subscription of ${this.#group}`] : []),
    ];
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const task of [...this.#tasks.values(), ...this.#opening.values()]) task.stop();
    await Promise.all([...this.#tasks.values()].map((task) => task.close()));
    await Promise.all(this.#stopping);
    await this.#subscription?.close();
  }

  /** A task that cannot open must not keep the others from opening: it is reported, and its partition waits for a person. */
  async #assignOrReport(partition: TopicPartition): Promise<TopicPartition & { offset: number }> {
    try {
      return await this.#assign(partition);
    } catch (error) {
      this.#failures.push(error);
      this.#unopened.add(partitionName(partition));
      this.#context.parts.logger.error(
        { group: this.#group, ...partition, error: messageOf(error) },
        'a task cannot be opened',
      );
      const end = (await this.#context.parts.log.endOffsets(partition.topic))[partition.partition] ?? 0;
      return { ...partition, offset: end };
    }
  }

  async #assign(partition: TopicPartition): Promise<TopicPartition & { offset: number }> {
    const name = partitionName(partition);
    const { logger, log } = this.#context.parts;
    this.#revoke(partition);
    const task = this.#create({
      group: this.#group,
      partition,
      flow: {
        pause: () => this.#subscription?.pause([partition]),
        resume: () => this.#subscription?.resume([partition]),
      },
      report: (offset) => {
        this.#subscription?.commit([{ ...partition, offset }]).catch((error: unknown) => {
          if (!this.#closed)
            logger.debug(
              { group: this.#group, ...partition, error: messageOf(error) },
              'the position could not be reported',
            );
        });
      },
      failed: (error) => this.#failures.push(error),
    });
    const isWanted = (): boolean => this.#opening.get(name) === task && !this.#closed;
    this.#opening.set(name, task);
    try {
      const offset = await this.#openPatiently(task, partition, isWanted);
      const end = (await log.endOffsets(partition.topic))[partition.partition] ?? 0;
      if (!isWanted()) return await this.#giveUp(task, partition);
      task.noteEnd(end);
      this.#endsAtStart.set(name, end);
      this.#tasks.set(name, task);
      task.start();
      return { ...partition, offset };
    } catch (error) {
      if (isWanted()) throw error;
      return await this.#giveUp(task, partition);
    } finally {
      if (this.#opening.get(name) === task) this.#opening.delete(name);
    }
  }

  /** The partition went while its state was opened: a task that runs on would take the state from the next owner again and again. */
  async #giveUp(task: HostedTask, partition: TopicPartition): Promise<TopicPartition & { offset: number }> {
    await task.close();
    return { ...partition, offset: 0 };
  }

  /** Another owner that opens at the same time, or a store that is away for a moment, is no reason to give a partition up. */
  async #openPatiently(task: HostedTask, partition: TopicPartition, isWanted: () => boolean): Promise<number> {
    const { clock, logger } = this.#context.parts;
    for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        return await task.open();
      } catch (error) {
        if (!isWanted() || !hasCode(error, 'FENCED', 'UNKNOWN_OUTCOME', 'UNAVAILABLE', 'TIMEOUT')) throw error;
        logger.warn(
          { group: this.#group, ...partition, error: messageOf(error) },
          'a task could not be opened; it is tried again',
        );
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }

  #revoke(partition: TopicPartition): void {
    const name = partitionName(partition);
    this.#unopened.delete(name);
    this.#opening.get(name)?.stop();
    this.#opening.delete(name);
    const task = this.#tasks.get(name);
    if (task === undefined) return;
    this.#tasks.delete(name);
    task.stop();
    const closing = task.close().catch(() => undefined);
    this.#stopping.add(closing);
    void closing.then(() => this.#stopping.delete(closing));
  }
}
