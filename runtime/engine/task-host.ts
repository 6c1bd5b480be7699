import { mayHeal, messageOf } from '../ports/errors.ts';
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
  /** Offsets in which no records lie, the last such range of each partition. */
  readonly #empty = new Map<string, { readonly from: number; readonly to: number }>();
  readonly #stopping = new Set<Promise<void>>();
  /** By partition, for as long as it is this process's; under '' the subscription's. */
  readonly #failures = new Map<string, unknown>();
  /** Of partitions of this process that nobody works on, since their state cannot be opened: how they look from outside. */
  readonly #unopened = new Map<string, TaskStats>();
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
        passed: (partition, from, to) => {
          const name = partitionName(partition);
          const known = this.#empty.get(name);
          this.#empty.set(name, known?.to === from ? { from: known.from, to } : { from, to });
        },
        failed: (error) => {
          this.#isCutOff = true;
          this.#failures.set('', error);
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
      for (const error of this.#failures.values()) throw error;
      const behind = [...this.#tasks].some(([name, task]) => this.#isBehind(name, task));
      if (this.#assignedOnce && this.#opening.size === 0 && !behind) return;
      await new Promise<void>((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Whether records are left that were there at the start. */
  #isBehind(name: string, { position }: HostedTask): boolean {
    const end = this.#endsAtStart.get(name) ?? 0;
    const empty = this.#empty.get(name);
    const isEmptyToEnd = empty !== undefined && empty.from <= position && empty.to >= end;
    return position < end && !isEmptyToEnd;
  }

  /** Of every partition that this process was given, also those whose state is being opened or cannot be: they must be seen most of all. */
  stats(): readonly TaskStats[] {
    const tasks = [...this.#tasks.values(), ...this.#opening.values()];
    return [...tasks.map((task) => task.stats()), ...this.#unopened.values()];
  }

  stopped(): readonly string[] {
    if (this.#closed) return [];
    const failed = this.stats().filter(({ status }) => status === 'failed');
    return [...failed.map(({ task }) => task), ...(this.#isCutOff ? [`the subscription of ${this.#group}`] : [])];
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
      this.#failures.set(partitionName(partition), error);
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
      failed: (error) => this.#failures.set(name, error),
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
      if (!isWanted()) return await this.#giveUp(task, partition);
      this.#unopened.set(name, { ...task.stats(), status: 'failed' });
      throw error;
    } finally {
      if (this.#opening.get(name) === task) this.#opening.delete(name);
    }
  }

  /** The partition went while its state was opened: a task that runs on would take the state from the next owner again and again. */
  async #giveUp(task: HostedTask, partition: TopicPartition): Promise<TopicPartition & { offset: number }> {
    await task.close();
    return { ...partition, offset: 0 };
  }

  /** Another owner that opens at the same time, a store that is away for a moment, or a full disk, is no reason to give a partition up. */
  async #openPatiently(task: HostedTask, partition: TopicPartition, isWanted: () => boolean): Promise<number> {
    const { clock, logger } = this.#context.parts;
    for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        return await task.open();
      } catch (error) {
        if (!isWanted() || !mayHeal(error)) throw error;
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
    this.#failures.delete(name);
    this.#empty.delete(name);
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
