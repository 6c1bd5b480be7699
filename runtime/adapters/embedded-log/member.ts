import { MillraceError } from '../../ports/errors.ts';
import { partitionName, type StartPosition, type SubscriptionHandler, type TopicPartition } from '../../ports/log.ts';
import type { PartitionLog } from './partition-log.ts';
import { PartitionReader, type ReadLimits } from './partition-reader.ts';

interface Cursor {
  readonly log: PartitionLog;
  readonly where: TopicPartition;
  readonly reader: PartitionReader;
  readonly wake: () => void;
  /** Delivery has begun: the member answered where. */
  ready: boolean;
  paused: boolean;
}

export interface MemberOptions {
  readonly handler: SubscriptionHandler;
  readonly topics: readonly string[];
  readonly limits: ReadLimits;
  /** The member gets nothing any more: it was stopped, or it failed. */
  stopped(): void;
  /** Where a partition starts when the member does not say. */
  startOf(partition: PartitionLog): number;
}

/** One member's side of delivery: a cursor per partition that it owns, and a loop that is fair to all of them. */
export class Member {
  readonly topics: readonly string[];
  readonly #options: MemberOptions;
  readonly #cursors = new Map<string, Cursor>();
  #scheduled: NodeJS.Immediate | undefined;
  /** The cursor that comes first in the next round. */
  #turn = 0;
  #stopped = false;
  readonly #onStop: (() => void)[] = [];

  constructor(options: MemberOptions) {
    this.#options = options;
    this.topics = options.topics;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  owns(partition: TopicPartition): boolean {
    return this.#cursors.has(partitionName(partition));
  }

  /** Takes partitions away, at once. */
  revoke(partitions: readonly PartitionLog[], generation: number): void {
    const revoked = partitions.flatMap((log) => {
      const cursor = this.#cursors.get(partitionName(log));
      if (cursor === undefined) return [];
      this.#drop(cursor);
      return [cursor.where];
    });
    if (revoked.length > 0 && !this.#stopped) this.#guarded(() => this.#options.handler.revoked(revoked, generation));
  }

  /** Gives partitions; resolves when the member answered, or left. */
  async assign(partitions: readonly PartitionLog[], generation: number): Promise<void> {
    const cursors = partitions.map((log) => this.#createCursor(log));
    const answered = this.#options.handler.assigned(
      cursors.map(({ where }) => where),
      generation,
    );
    const left = new Promise<undefined>((resolve) => this.#onStop.push(() => resolve(undefined)));
    try {
      const starts = await Promise.race([answered, left]);
      if (starts === undefined || this.#stopped) {
        answered.catch(() => undefined);
        return;
      }
      for (const cursor of cursors) this.#begin(cursor, starts);
    } catch (error) {
      this.fail(error);
    }
    this.#schedule();
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const cursor = this.#cursors.get(partitionName(partition));
      if (cursor !== undefined) cursor.paused = true;
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const cursor = this.#cursors.get(partitionName(partition));
      if (cursor !== undefined) cursor.paused = false;
    }
    this.#schedule();
  }

  /** No more is delivered from now on. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearImmediate(this.#scheduled);
    for (const cursor of [...this.#cursors.values()]) this.#drop(cursor);
    for (const stopped of this.#onStop) stopped();
    this.#options.stopped();
  }

  fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.handler.failed(error);
  }

  #createCursor(log: PartitionLog): Cursor {
    const wake = (): void => this.#schedule();
    const where = { topic: log.topic, partition: log.partition };
    const reader = new PartitionReader(log, 0);
    const cursor = { log, where, reader, wake, ready: false, paused: false };
    this.#cursors.set(partitionName(log), cursor);
    return cursor;
  }

  #begin(cursor: Cursor, starts: readonly StartPosition[]): void {
    const { log, where } = cursor;
    if (this.#cursors.get(partitionName(where)) !== cursor) return;
    const answered = starts.find(({ topic, partition }) => topic === where.topic && partition === where.partition);
    const position = answered?.offset ?? this.#options.startOf(log);
    if (position > log.end) throw aheadOfLog(where, position, log.end);
    cursor.reader.seek(position);
    cursor.ready = true;
    log.listeners.add(cursor.wake);
  }

  #drop(cursor: Cursor): void {
    this.#cursors.delete(partitionName(cursor.where));
    cursor.log.listeners.delete(cursor.wake);
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#guarded(() => this.#round());
    });
  }

  /** One delivery per partition that has something; then the others of the process have their turn. */
  #round(): void {
    const cursors = [...this.#cursors.values()];
    this.#turn = cursors.length === 0 ? 0 : (this.#turn + 1) % cursors.length;
    let more = false;
    for (let index = 0; index < cursors.length; index++) {
      const cursor = cursors[(index + this.#turn) % cursors.length];
      // An earlier delivery of this round may have paused or stopped it.
      if (cursor === undefined || !this.#isReadable(cursor)) continue;
      const { end } = cursor.log;
      const records = cursor.reader.next(end, this.#options.limits);
      if (records.length > 0) this.#options.handler.records(cursor.where, records, end);
      more ||= this.#isReadable(cursor);
    }
    if (more) this.#schedule();
  }

  #isReadable(cursor: Cursor): boolean {
    return (
      cursor.ready &&
      !cursor.paused &&
      cursor.reader.position < cursor.log.end &&
      this.#cursors.get(partitionName(cursor.where)) === cursor
    );
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fail(error);
    }
  }
}

function aheadOfLog(where: TopicPartition, position: number, end: number): MillraceError {
  return new MillraceError(
    'STATE_AHEAD_OF_LOG',
    `${partitionName(where)} ends at ${end}, but is read at ${position}: the log shrank or was created anew.`,
    { details: { ...where, position, end } },
  );
}
