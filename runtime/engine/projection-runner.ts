import type { EventTopic } from '../../schemas/events.ts';
import { hasCode, MillraceError, mayHeal, messageOf } from '../ports/errors.ts';
import { type LogRecord, partitionName, type Subscription, type TopicPartition } from '../ports/log.ts';
import type { QueryStore, RowChange } from '../ports/query-store.ts';
import { crashPoint } from './crash-points.ts';
import type { EngineContext } from './engine-context.ts';
import type { ProjectedEvent, Projection, RunningProjection } from './projection.ts';
import { ProjectionProgress } from './projection-progress.ts';
import { ProjectionSource } from './projection-source.ts';
import type { PublishedAt, TaskStats } from './runtime.ts';

/** Events of one transaction, about. While it catches up many are worth their number: each page is written once for all of them. */
const eventsPerWrite = 5_000;
/** Writes that wait or are under way while the next events are read: one is made ready while one is written. */
const writesAhead = 2;
/** Records that are decoded at once: of a few, all but the rows dies young. */
const recordsPerTake = 500;
const queueRecords = 8_000;
/** A transaction costs much more than a row: as long as nobody waits for the tables, they wait for more. */
const lingerMs = 100;

/** Records of a source on their way into the tables. */
interface Taken {
  readonly source: ProjectionSource;
  readonly records: LogRecord[];
}

/** What one write takes, by source, and its end. */
interface UnderWay {
  readonly taken: ReadonlyMap<string, Taken>;
  readonly done: Promise<void>;
}

/**
 * Keeps the tables of one projection in step with the log. Rows, positions and the receivers' watermarks of all partitions that have
 * something move in one transaction, by compare-and-set: a crash leaves all of it or nothing, a repeat is dropped by its ordinal, and
 * of two instances that write the same records one is refused, reads where the other came to, and goes on from there. While one
 * transaction is under way the next is made ready; each follows from the one before, so that after one that failed none succeeds.
 *
 * A store of one's own is filled from all partitions. A shared one is filled by a consumer group: each partition by one instance.
 */
export class ProjectionRunner implements RunningProjection {
  readonly #context: EngineContext;
  readonly #projection: Projection;
  readonly #store: QueryStore;
  readonly #sources = new Map<string, ProjectionSource>();
  readonly #topics = new Map<string, EventTopic>();
  readonly #progress: ProjectionProgress;
  readonly #abort = new AbortController();
  readonly #endsAtStart = new Map<string, number>();
  #subscription: Subscription | undefined;
  #wake: (() => void) | undefined;
  /** Ends a linger. */
  #hurry: (() => void) | undefined;
  #awaited = 0;
  #loop: Promise<void> = Promise.resolve();
  #underWay: UnderWay[] = [];
  /** Records to write one by one. */
  #careful = 0;
  #indexed: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #status: TaskStats['status'] = 'opening';
  #commits = 0;
  #commitMsSum = 0;

  constructor(context: EngineContext, projection: Projection, store: QueryStore) {
    this.#context = context;
    this.#projection = projection;
    this.#store = store;
    this.#progress = new ProjectionProgress(context.parts.clock, projection.name, store, {
      positionOf: (name) => this.#sources.get(name)?.position,
      check: () => {
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#abort.signal.aborted)
          throw new MillraceError('CLOSED', `the projection ${projection.name} was closed`);
      },
    });
    for (const name of projection.inputs) this.#topics.set(context.encoding.topic(name), name);
  }

  async start(): Promise<void> {
    const { parts, encoding } = this.#context;
    const topics = [...this.#topics.keys()];
    for (const topic of topics) {
      const ends = await parts.log.endOffsets(topic);
      ends.forEach((end, partition) => this.#endsAtStart.set(partitionName({ topic, partition }), end));
    }
    const group = this.#store.shared ? encoding.topic(`projection-${this.#projection.name}`) : undefined;
    this.#status = 'running';
    this.#loop = this.#run();
    this.#subscription = await parts.log.subscribe(
      { group, topics, start: 'earliest' },
      {
        assigned: (partitions) => this.#assign(partitions),
        revoked: (partitions) => {
          for (const partition of partitions) this.#sources.delete(partitionName(partition));
        },
        records: (partition, records, end) => {
          this.#sources.get(partitionName(partition))?.enqueue(records, end);
          this.#wake?.();
        },
        passed: (partition, from, to) => {
          this.#sources.get(partitionName(partition))?.passed(from, to);
          this.#wake?.();
        },
        failed: (error) => this.#fail(error, 'the subscription of a projection has stopped'),
      },
    );
    this.#indexWhenFilled();
  }

  /** Of a shared store no instance knows when it is filled. */
  #indexWhenFilled(): void {
    if (this.#store.shared) return;
    this.#indexed = this.#reach(this.#endsAtStart).then(
      () => this.#store.filled(),
      () => undefined,
    );
    this.#indexed.catch((error: unknown) => {
      const facts = { projection: this.#projection.name, error: messageOf(error) };
      this.#context.parts.logger.warn(facts, 'tables stay without indexes until the next start');
    });
  }

  async ready(): Promise<void> {
    await this.#reach(this.#endsAtStart);
    await this.#indexed.catch(() => undefined);
  }

  async passed(places: readonly PublishedAt[], timeoutMs: number): Promise<void> {
    const ends = new Map<string, number>();
    for (const { topic, partition, offset } of places) {
      const name = partitionName({ topic: this.#context.encoding.topic(topic), partition });
      ends.set(name, Math.max(ends.get(name) ?? 0, offset + 1));
    }
    await this.#reach(ends, timeoutMs);
  }

  async caughtUp(timeoutMs: number, topics: readonly string[] = this.#projection.inputs): Promise<void> {
    const ends = new Map<string, number>();
    await Promise.all(
      topics.map(async (name) => {
        const topic = this.#context.encoding.topic(name);
        const offsets = await this.#context.parts.log.endOffsets(topic);
        offsets.forEach((end, partition) => ends.set(partitionName({ topic, partition }), end));
      }),
    );
    await this.#reach(ends, timeoutMs);
  }

  async #reach(ends: ReadonlyMap<string, number>, timeoutMs?: number): Promise<void> {
    this.#awaited += 1;
    this.#hurry?.();
    try {
      await this.#progress.reach(ends, timeoutMs);
    } finally {
      this.#awaited -= 1;
    }
  }

  stats(): readonly TaskStats[] {
    return [...this.#sources.values()].map((source) => source.stats(this.#status, this.#commits, this.#commitMsSum));
  }

  stopped(): readonly string[] {
    return this.#failure === undefined || this.#abort.signal.aborted ? [] : [`the projection ${this.#projection.name}`];
  }

  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return await this.#loop;
    this.#abort.abort();
    this.#wake?.();
    this.#hurry?.();
    await this.#subscription?.close();
    await this.#loop;
    await Promise.allSettled(this.#underWay.map(({ done }) => done));
    if (this.#status !== 'failed') this.#status = 'closed';
  }

  async #assign(partitions: readonly TopicPartition[]): Promise<readonly (TopicPartition & { offset: number })[]> {
    const opened: ProjectionSource[] = [];
    for (const partition of partitions) {
      const topic = this.#topics.get(partition.topic);
      if (topic === undefined) continue;
      const flow = {
        pause: () => this.#subscription?.pause([partition]),
        resume: () => this.#subscription?.resume([partition]),
      };
      opened.push(new ProjectionSource(this.#context, this.#projection.name, topic, partition, flow, queueRecords));
    }
    await this.#open(opened);
    for (const source of opened) this.#sources.set(source.name, source);
    this.#wake?.();
    return opened.map(({ partition, position }) => ({ ...partition, offset: position }));
  }

  /** The tables tell of another log than this one: a power loss, or topics that were made anew. */
  async #startAgain(sources: readonly ProjectionSource[], guilty: ProjectionSource | undefined): Promise<void> {
    const { logger } = this.#context.parts;
    const facts = { projection: this.#projection.name, source: guilty?.name, position: guilty?.position };
    if (this.#store.shared) {
      throw new MillraceError(
        'STATE_AHEAD_OF_LOG',
        `the query store ${this.#projection.name} was filled from another log: ${guilty?.name} does not hold what was read up to ${guilty?.position}. Remove its tables and start again`,
      );
    }
    logger.warn(facts, 'the tables were filled from another log; they are filled again');
    await this.#store.reset();
    for (const source of sources) await source.open(undefined);
    if (this.#subscription !== undefined) this.#indexWhenFilled();
  }

  async #run(): Promise<void> {
    const { logger, clock } = this.#context.parts;
    let waitMs = 0;
    let commits = 0;
    while (!this.#abort.signal.aborted) {
      try {
        if (this.#status === 'reopening') await this.#reopen();
        crashPoint('before-poll');
        if (!(await this.#step())) await this.#rest();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (!mayHeal(error)) return this.#fail(error, 'a projection has stopped');
        const facts = { projection: this.#projection.name, error: messageOf(error) };
        if (hasCode(error, 'FENCED'))
          logger.debug(facts, 'another instance has written; a projection reads its positions again');
        else logger.warn(facts, 'a projection reads its positions again');
        this.#status = 'reopening';
        // A step begins a write and does not wait for it: only one that was committed says that the store is well again.
        const isNew = this.#commits > commits || waitMs === 0 || hasCode(error, 'FENCED');
        waitMs = isNew ? 20 : Math.min(2 * waitMs, 2_000);
        commits = this.#commits;
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }

  async #reopen(): Promise<void> {
    await this.#open([...this.#sources.values()]);
    this.#status = 'running';
  }

  /** A store that is away for a moment is no reason to give the partitions up. */
  async #open(sources: readonly ProjectionSource[]): Promise<void> {
    const { clock, logger } = this.#context.parts;
    for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        const stored = await this.#store.positions();
        const agreed = await Promise.all(
          sources.map((source) => source.open(stored.find((position) => position.source === source.name))),
        );
        if (agreed.includes(false)) await this.#startAgain(sources, sources[agreed.indexOf(false)]);
        return;
      } catch (error) {
        if (this.#abort.signal.aborted || !hasCode(error, 'UNAVAILABLE', 'TIMEOUT', 'UNKNOWN_OUTCOME')) throw error;
        logger.warn(
          { projection: this.#projection.name, error: messageOf(error) },
          'positions cannot be read; tried again',
        );
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }

  /** Begins to write what is there; false when there was nothing, and nothing is under way. */
  async #step(): Promise<boolean> {
    const careful = this.#careful > 0;
    const taken = new Map<string, Taken>();
    const changes: RowChange[] = [];
    let hasWaited = false;
    try {
      if (careful) await this.#settle(0);
      await this.#collect(taken, changes, careful);
      if (careful) this.#careful -= 1;
      // What is empty at the end of a source is passed over once all before it is written: then it is looked at again.
      hasWaited = this.#underWay.length > 0;
      this.#begin(taken, changes, careful);
      await this.#settle(careful || taken.size === 0 ? 0 : writesAhead - 1);
    } catch (error) {
      const failed = this.#underWay;
      this.#underWay = [];
      // Each follows from the one before, so none of the later ones will have been done.
      await Promise.allSettled(failed.map(({ done }) => done));
      const back = [...failed.map((write) => write.taken), ...(failed.at(-1)?.taken === taken ? [] : [taken])];
      for (const { source, records } of back.reverse().flatMap((each) => [...each.values()]))
        source.queue.putBack(records);
      if (!hasCode(error, 'INVALID_ARGUMENT') || careful) throw error;
      // Some event among these makes a row that does not fit. One by one, it alone loses its rows.
      this.#careful = back.reduce(
        (sum, each) => [...each.values()].reduce((records, mine) => records + mine.records.length, sum),
        0,
      );
      await this.#reopen();
    }
    return taken.size > 0 || hasWaited;
  }

  /** Waits until so many writes are left; throws why the oldest has failed, which stays. */
  async #settle(left: number): Promise<void> {
    for (let oldest = this.#underWay[0]; oldest !== undefined && this.#underWay.length > left; ) {
      await oldest.done;
      this.#underWay.shift();
      oldest = this.#underWay[0];
    }
  }

  /** In turns, a little of each source, until nothing is left or it is enough for one write. */
  async #collect(taken: Map<string, Taken>, changes: RowChange[], careful: boolean): Promise<void> {
    let events = 0;
    for (let more = true; more && events < eventsPerWrite; ) {
      more = false;
      for (const source of this.#sources.values()) {
        const records = await source.take(careful ? 1 : recordsPerTake);
        if (records.length === 0) continue;
        let mine = taken.get(source.name);
        if (mine === undefined) {
          mine = { source, records: [] };
          taken.set(source.name, mine);
        }
        mine.records.push(...records);
        for (const event of await source.prepare(records, this.#abort.signal)) {
          this.#append(changes, event);
          events += 1;
        }
        if (careful) return;
        more = true;
      }
    }
  }

  #begin(taken: ReadonlyMap<string, Taken>, changes: readonly RowChange[], careful: boolean): void {
    const done = this.#write([...taken.values()], changes, careful);
    // Whoever settles hears of it.
    done.catch(() => undefined);
    this.#underWay.push({ taken, done });
  }

  async #write(taken: readonly Taken[], changes: readonly RowChange[], careful: boolean): Promise<void> {
    const moving = taken.flatMap(({ source }) => {
      const move = source.move();
      return move === undefined ? [] : [{ source, move }];
    });
    if (moving.length === 0) return;
    const moves = moving.map(({ move: { events: _events, ...move } }) => move);
    crashPoint('before-commit');
    const began = performance.now();
    try {
      await this.#store.write({ moves, changes });
    } catch (error) {
      if (!careful || !hasCode(error, 'INVALID_ARGUMENT')) throw error;
      this.#complain(taken[0]?.records[0], error);
      await this.#store.write({ moves, changes: [] });
    }
    this.#commitMsSum += performance.now() - began;
    this.#commits += 1;
    crashPoint('after-commit');
    for (const { source, move } of moving) source.written(move);
  }

  #append(changes: RowChange[], event: ProjectedEvent<EventTopic>): void {
    try {
      for (const change of this.#projection.rowsOf(event)) changes.push(change);
    } catch (error) {
      this.#complain(event, error);
    }
  }

  #complain(about: { topic: string; partition: number; offset: number } | undefined, error: unknown): void {
    const at = about === undefined ? '' : `${partitionName(about)}@${about.offset}`;
    const facts = { projection: this.#projection.name, at, error: messageOf(error) };
    this.#context.parts.logger.error(facts, 'an event has no rows');
  }

  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#abort.signal.aborted || [...this.#sources.values()].some(({ hasMore }) => hasMore)) resolve();
    });
    if (this.#awaited > 0 || this.#abort.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#context.parts.clock.after(lingerMs, resolve);
      this.#hurry = () => {
        cancel();
        resolve();
      };
    });
    this.#hurry = undefined;
  }

  #fail(error: unknown, message: string): void {
    if (this.#abort.signal.aborted) return;
    this.#failure ??= error instanceof Error ? error : new Error(messageOf(error));
    this.#status = 'failed';
    this.#context.parts.logger.error({ projection: this.#projection.name, error: messageOf(error) }, message);
  }
}
