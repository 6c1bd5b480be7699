import type { EventTopic } from '../../schemas/events.ts';
import { hasCode, messageOf } from '../ports/errors.ts';
import type { LogRecord, TopicPartition } from '../ports/log.ts';
import { partitionName } from '../ports/log.ts';
import type { SourceMove } from '../ports/query-store.ts';
import type { EngineContext } from './engine-context.ts';
import { InputQueue } from './input-queue.ts';
import type { ProjectedEvent } from './projection.ts';
import { Receiver, type Watermarks } from './receiver.ts';
import type { TaskStats } from './runtime.ts';
import { fingerprintOf } from './task-meta.ts';
import { rememberIds } from './task-opening.ts';

/** Ids of services within so many records are recognised as repeats. */
const idWindow = 1_000;

/** What is kept beside the position of a source, in its transaction. */
interface Marks {
  readonly watermarks: Watermarks;
  readonly timeMs: number;
  /** Of the record before the position. */
  readonly fingerprint: string;
}

/** One partition that a projection reads: its position, its receiver, and what was delivered and not written yet. */
export class ProjectionSource {
  readonly name: string;
  readonly partition: TopicPartition;
  readonly queue: InputQueue;
  readonly #context: EngineContext;
  readonly #projection: string;
  readonly #topic: EventTopic;
  readonly #counters = { in: 0, projected: 0, repeats: 0, gaps: 0, poison: 0 };
  #receiver = new Receiver({}, idWindow);
  /** Everything before this offset was delivered: it will not come by itself again. */
  #delivered = 0;
  /** Where the log said last that no record lies. */
  #empty = { from: 0, to: 0 };
  /** Of the prepared records that no write has yet. */
  #last: LogRecord | undefined;
  #prepared = 0;
  /** What the store says when all writes under way are done. */
  #stored: number | undefined;
  #position = 0;
  /** Offset of the record to prepare next. */
  #next = 0;
  #timeMs = 0;

  constructor(
    context: EngineContext,
    projection: string,
    topic: EventTopic,
    partition: TopicPartition,
    flow: { pause(): void; resume(): void },
    queueRecords: number,
  ) {
    this.#context = context;
    this.#projection = projection;
    this.#topic = topic;
    this.partition = partition;
    this.name = partitionName(partition);
    this.queue = new InputQueue(queueRecords, flow);
  }

  /** Offset of the next record; everything before it is in the tables. */
  get position(): number {
    return this.#position;
  }

  enqueue(records: readonly LogRecord[], endOffset: number): void {
    this.queue.push(records, endOffset);
    this.#delivered = Math.max(this.#delivered, (records.at(-1)?.offset ?? -1) + 1);
  }

  /** No record lies in `[from, to)`. */
  passed(from: number, to: number): void {
    this.#empty = { from: this.#empty.to === from ? this.#empty.from : from, to };
    this.#delivered = Math.max(this.#delivered, to);
  }

  /** Whether `take` has more to give, or to pass over. */
  get hasMore(): boolean {
    return this.queue.size > 0 || this.#next < this.#delivered;
  }

  /** What is next: from the queue; or from the log, when the position went back behind what was delivered. */
  async take(max: number): Promise<readonly LogRecord[]> {
    const taken = this.queue.take(max);
    const from = this.#next;
    const to = taken[0]?.offset ?? this.#delivered;
    if (to <= from) return taken;
    if (this.#empty.from > from || this.#empty.to < to) {
      for await (const missed of this.#context.parts.log.read(this.partition, { from, to })) {
        this.queue.putBack(taken);
        return missed.slice(0, max);
      }
    }
    // Nothing is there, or no longer: a mark of a transaction, compacted, or expired.
    if (taken.length === 0 && this.#next === this.#position) this.#position = this.#next = to;
    return taken;
  }

  /** Goes to what the store says. False when the log does not hold the record that was projected last: it is another log. */
  async open(stored: { readonly position: number; readonly marks: string } | undefined): Promise<boolean> {
    const { log } = this.#context.parts;
    const marks = stored === undefined ? undefined : (JSON.parse(stored.marks) as Marks);
    this.#last = undefined;
    this.#prepared = 0;
    this.#stored = stored?.position;
    this.#position = this.#next = stored?.position ?? 0;
    this.#timeMs = marks?.timeMs ?? 0;
    this.#receiver = new Receiver(marks?.watermarks ?? {}, idWindow);
    if (stored !== undefined && marks !== undefined && !(await this.#isOf(marks.fingerprint))) return false;
    const start = (await log.startOffsets(this.partition.topic))[this.partition.partition] ?? 0;
    if (start > this.#position) this.#skipTo(start);
    await rememberIds(log, this.#receiver, this.partition, this.#position, idWindow);
    return true;
  }

  /** Decodes and judges. The position stays until they are `written`, or `open` goes back to the stored one. */
  async prepare(records: readonly LogRecord[], signal: AbortSignal): Promise<readonly ProjectedEvent<EventTopic>[]> {
    const fresh = records.filter(({ offset }) => offset >= this.#next);
    const last = fresh.at(-1);
    if (last === undefined) return [];
    const decoded = await this.#context.decoder.decode(fresh, this.#topic, this.#timeMs, signal);
    const events: ProjectedEvent<EventTopic>[] = [];
    for (const { record, id, control, input, error } of decoded) {
      this.#counters.in += 1;
      if (control === 'tick' || control === 'replay') continue;
      const verdict = this.#receiver.judge(id, record.offset);
      if (verdict.type === 'repeat' || verdict.type === 'stale-branch') {
        this.#counters.repeats += 1;
        continue;
      }
      if (verdict.type === 'gap') this.#counters.gaps += 1;
      if (error === undefined) events.push(Object.assign(input as never, { catalogueTopic: this.#topic }));
      else this.#passOver(record, error);
    }
    this.#timeMs = decoded.at(-1)?.timeMs ?? this.#timeMs;
    this.#last = last;
    this.#next = last.offset + 1;
    this.#prepared += events.length;
    return events;
  }

  /** Where the prepared records lead, for a write that begins now; undefined when there are none. */
  move(): (SourceMove & { readonly events: number }) | undefined {
    const last = this.#last;
    if (last === undefined) return undefined;
    const watermarks = this.#receiver.watermarks();
    const marks = JSON.stringify({
      watermarks,
      timeMs: this.#timeMs,
      fingerprint: fingerprintOf(last),
    } satisfies Marks);
    const move = {
      source: this.name,
      expected: this.#stored,
      position: last.offset + 1,
      marks,
      events: this.#prepared,
    };
    this.#stored = move.position;
    this.#last = undefined;
    this.#prepared = 0;
    return move;
  }

  written({ position, events }: { readonly position: number; readonly events: number }): void {
    this.#position = position;
    this.#counters.projected += events;
  }

  stats(status: TaskStats['status'], commits: number, commitMsSum: number): TaskStats {
    return {
      task: `${this.#projection}/${this.name}`,
      position: this.#position,
      endOffset: this.queue.endOffset,
      queuedRecords: this.queue.size,
      takenRecords: this.#prepared,
      timers: 0,
      counters: { ...this.#counters },
      commits,
      commitMsSum,
      timeMs: this.#timeMs,
      status,
    };
  }

  #passOver({ offset }: LogRecord, error: unknown): void {
    this.#counters.poison += 1;
    const facts = { projection: this.#projection, at: `${this.name}@${offset}`, error: messageOf(error) };
    this.#context.parts.logger.warn(facts, 'a record cannot be read and has no rows');
  }

  /** What expired before it was read has no rows. */
  #skipTo(start: number): void {
    if (this.#stored !== undefined) {
      const facts = { projection: this.#projection, source: this.name, from: this.#position, to: start };
      this.#context.parts.logger.warn(facts, 'records expired before they were projected');
    }
    this.#position = this.#next = start;
  }

  async #isOf(fingerprint: string): Promise<boolean> {
    const { log } = this.#context.parts;
    const end = (await log.endOffsets(this.partition.topic))[this.partition.partition] ?? 0;
    if (this.#position > end) return false;
    if (this.#position === 0) return true;
    try {
      for await (const records of log.read(this.partition, { from: this.#position - 1, to: this.#position })) {
        const record = records.find(({ offset }) => offset === this.#position - 1);
        if (record !== undefined) return fingerprintOf(record) === fingerprint;
      }
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error;
    }
    // Expired or compacted since: nothing speaks against it.
    return true;
  }
}
