import { hasCode, MillraceError, mayHeal, messageOf } from '../ports/errors.ts';
import type { LogRecord, OutgoingRecord, TopicPartition } from '../ports/log.ts';
import type { StateEntry } from '../ports/state-store.ts';
import { crashPoint } from './crash-points.ts';
import type { EngineContext } from './engine-context.ts';
import { type DecodedRecord, FoldCore, type FoldTarget } from './fold-core.ts';
import { InputQueue } from './input-queue.ts';
import { LogTime } from './log-time.ts';
import { outboxBytesMax, outboxEntry, outboxKey } from './outbox.ts';
import { checkClaims } from './output-encoder.ts';
import { rebuildIfPossible } from './rebuild.ts';
import { openState } from './state-opening.ts';
import type { TaskStats } from './runtime.ts';
import { StateCache, upperBound } from './state-cache.ts';
import { fingerprintOf, metaEntry } from './task-meta.ts';
import { type OpenedTask, openTask } from './task-opening.ts';
import { type StoredTimer, TimerIndex } from './timers.ts';
import type { Reads, TimerSpec } from './topology.ts';
import { decodeValue } from './value-codec.ts';

export interface TopologyTaskOptions {
  readonly target: FoldTarget;
  /** Events are decoded for the fold; a raw topology gets records. */
  readonly raw: boolean;
  readonly idWindow: number;
  readonly task: string;
  /** Consumer group of the topology. */
  readonly group: string;
  readonly partition: TopicPartition;
  readonly batchRecords: number;
  /** How long the first record after a pause waits for others to be folded with. */
  readonly lingerMs: number;
  readonly flow: { pause(): void; resume(): void };
  /** Remembers the position for the consumer group. */
  report(position: number): void;
  failed(error: unknown): void;
}

const timerPrefix = '~t/';
const readLimit = 100_000;
/** Records of a batch that are decoded and folded together: few enough for their objects to die young. */
const sliceRecords = 64;
const reportEveryMs = 1_000;
/** A batch without effects is committed with the next one, or when so long nothing comes, milliseconds. */
const effectlessIdleMs = 50;
const nothingToRead: Reads = {};

type Writes = ReturnType<StateCache['takeWrites']>;

/**
 * One partition of one topology: takes records from its queue, folds them, commits by compare-and-set, sends the outbox. Lost
 * ownership or an unknown outcome ends in a reopen: everything that matters is in the committed state.
 */
export class TopologyTask {
  readonly #context: EngineContext;
  readonly #options: TopologyTaskOptions;
  readonly #queue: InputQueue;
  readonly #abort = new AbortController();
  #opened: OpenedTask | undefined;
  #core: FoldCore | undefined;
  #cache: StateCache | undefined;
  #timers = new TimerIndex();
  /** Everything before it is folded. */
  #position = 0;
  /** Everything before it is committed: no more than that may be reported. */
  #committed = 0;
  #reported = -1;
  /** The last record folded since the last commit, as long as none of those had an effect. */
  #effectless: LogRecord | undefined;
  #effectlessSinceMs = 0;
  #sending: Promise<unknown> = Promise.resolve();
  #outboxHeld = false;
  /** Of the stored state. */
  #expected: number | undefined;
  #tickOutstanding = false;
  readonly #logTime: LogTime;
  /** A value of some fold could not be stored: each is encoded when it is put, so that the fold dies and not the task. */
  #strict = false;
  #reportedAtMs = 0;
  #cancelTick: (() => void) | undefined;
  #status: TaskStats['status'] = 'opening';
  #commits = 0;
  #commitMsSum = 0;
  #takenRecords = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(context: EngineContext, options: TopologyTaskOptions) {
    this.#context = context;
    this.#options = options;
    this.#queue = new InputQueue(4 * options.batchRecords, options.flow);
    this.#logTime = new LogTime(context.parts.clock);
  }

  /** Everything before it is committed. */
  get position(): number {
    return this.#committed;
  }

  /** Opens the state and answers where delivery is to begin. */
  async open(): Promise<number> {
    await this.#open();
    return this.#position;
  }

  start(): void {
    this.#loop = this.#run();
  }

  enqueue(records: readonly LogRecord[], endOffset: number): void {
    this.#queue.push(records, endOffset);
  }

  noteEnd(endOffset: number): void {
    this.#queue.endOffset = Math.max(this.#queue.endOffset, endOffset);
  }

  /** Stops at the next record; does not wait. */
  stop(): void {
    this.#abort.abort();
    this.#cancelTick?.();
    this.#queue.close();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#loop;
    this.#status = this.#status === 'failed' ? 'failed' : 'closed';
  }

  stats(): TaskStats {
    return {
      task: this.#options.task,
      position: this.#committed,
      endOffset: this.#queue.endOffset,
      queuedRecords: this.#queue.size,
      takenRecords: this.#takenRecords + this.#position - this.#committed,
      timers: this.#timers.size,
      counters: { ...this.#opened?.meta.counters },
      commits: this.#commits,
      commitMsSum: this.#commitMsSum,
      timeMs: this.#opened?.meta.timeMs ?? 0,
      status: this.#status,
    };
  }

  async #open(): Promise<void> {
    const { target, task, partition, idWindow, group } = this.#options;
    const { log } = this.#context.parts;
    const opening = { partition, version: target.version, idWindow };
    const rebuilding = { task, group, partition, version: target.version };
    const opened = await openState(this.#context, rebuilding);
    try {
      this.#opened = await openTask(log, opened, opening);
    } catch (error) {
      const rebuilt = await rebuildIfPossible(this.#context, error, rebuilding);
      if (rebuilt === undefined) throw error;
      this.#opened = await openTask(log, rebuilt, opening);
    }
    const { state, meta, receiver, position } = this.#opened;
    this.#position = position;
    this.#committed = position;
    this.#expected = state.position;
    this.#effectless = undefined;
    this.#outboxHeld = true;
    this.#cache = new StateCache(state, { strict: this.#strict });
    this.#timers = new TimerIndex();
    for (let from = timerPrefix; ; ) {
      const page = await state.range({ gte: from, lt: upperBound(timerPrefix), limit: readLimit });
      for (const [key, bytes] of page)
        this.#timers.set(key.slice(timerPrefix.length), decodeValue(bytes) as StoredTimer);
      const last = page.at(-1);
      if (last === undefined || page.length < readLimit) break;
      from = `${last[0]}\0`;
    }
    this.#core = new FoldCore({
      target,
      task,
      partition: partition.partition,
      meta,
      timers: this.#timers,
      state: this.#cache,
      receiver,
      context: this.#context.encoding,
    });
    this.#tickOutstanding = false;
    this.#status = 'running';
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      crashPoint('before-poll');
      const batch = this.#queue.take(this.#options.batchRecords);
      this.#takenRecords = batch.reduce((n, { offset }) => (offset >= this.#position ? n + 1 : n), 0);
      crashPoint('after-poll');
      try {
        if (batch.length > 0) this.#queue.putBack(await this.#process(batch));
        if (batch.length === 0 || this.#queue.size === 0) await this.#idle();
      } catch (error) {
        if (this.#abort.signal.aborted) break;
        if (!(await this.#recover(error, batch))) return;
      }
    }
    // Another owner may have the state by now: then these records are folded again, to no effect.
    if (this.#status === 'running') await this.#commitEffectless().catch(() => undefined);
    // What was committed counts as done only when its outputs are on the log.
    await this.#sending.then(
      () => this.#report(),
      () => undefined,
    );
  }

  async #idle(): Promise<void> {
    await this.#sending;
    this.#report();
    this.#scheduleTick();
    const more = this.#queue.wait();
    if (this.#effectless !== undefined) await this.#commitUnless(more);
    await more;
    this.#cancelTick?.();
    await this.#linger();
  }

  /** What had no effect waits a little for a record that has one, to be committed with it. */
  async #commitUnless(more: Promise<void>): Promise<void> {
    let cancel: (() => void) | undefined;
    const idle = new Promise<boolean>((resolve) => {
      cancel = this.#context.parts.clock.after(effectlessIdleMs, () => resolve(true));
    });
    const isIdle = await Promise.race([idle, more.then(() => false)]);
    cancel?.();
    if (!isIdle) return;
    await this.#commitEffectless();
    this.#report();
  }

  async #linger(): Promise<void> {
    const { lingerMs } = this.#options;
    const { signal } = this.#abort;
    if (lingerMs === 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#context.parts.clock.after(lingerMs, () => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
      const stop = (): void => {
        cancel();
        resolve();
      };
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  /** Folds and commits these records up to where the batch must end; answers those that are left. */
  async #process(records: readonly LogRecord[]): Promise<readonly LogRecord[]> {
    const fresh = inOrder(records, this.#position);
    if (fresh.length === 0) return [];
    this.#logTime.saw(fresh);
    this.#tickOutstanding = false;
    crashPoint('before-fold');
    let folded = 0;
    for (let taken = sliceRecords; taken === sliceRecords && folded < fresh.length; folded += taken)
      taken = await this.#fold(fresh.slice(folded, folded + sliceRecords));
    crashPoint('after-fold');
    await this.#commit(fresh[folded - 1]);
    return fresh.slice(folded);
  }

  /** Folds records up to where the batch must end; answers how many. What was decoded is garbage again when it returns. */
  async #fold(records: readonly LogRecord[]): Promise<number> {
    const { raw, target } = this.#options;
    const { meta } = this.#live();
    const topic = raw ? undefined : (target.input as never);
    const decoded = await this.#context.decoder.decode(records, topic, meta.timeMs, this.#abort.signal);
    const inputs = raw ? decoded.map(rawInput) : decoded;
    // A timer that is set and due among these records has its reads fetched before it fires: that is no reason to commit.
    for (let folded = 0, taken = 1; ; folded += taken) {
      if (taken === 0 || folded === inputs.length) return folded;
      taken = await this.#foldFetched(folded === 0 ? inputs : inputs.slice(folded));
    }
  }

  /** Fetches what these records and the timers that are due among them read; folds up to the first that needs more. */
  async #foldFetched(inputs: readonly DecodedRecord[]): Promise<number> {
    const { core, cache } = this.#live();
    const due = this.#timers.due(inputs.at(-1)?.timeMs ?? 0);
    const reads = inputs.map(({ input }) => (input === undefined ? nothingToRead : this.#readsOf(input)));
    const declared = [...due.map((timer) => timer.reads), ...reads].filter((some) => some !== undefined);
    await cache.prefetch(declared);
    const fetched = new Set(due.map(({ name, dueMs }) => `${dueMs} ${name}`));
    const isFetched = (timer: TimerSpec): boolean =>
      timer.reads === undefined || (fetched.has(`${timer.dueMs} ${timer.name}`) && cache.covers(timer.reads));
    for (const [index, input] of inputs.entries()) {
      const ready = core.fireDue(input.record.offset, input.timeMs, isFetched);
      if (!ready || core.outputBytes > outboxBytesMax || !cache.covers(reads[index] ?? nothingToRead)) return index;
      core.take(input, reads[index]);
    }
    return inputs.length;
  }

  /** A fold that throws in `reads` would take the batch down: it dies alone, in its fold, where it is asked again. */
  #readsOf(input: unknown): Reads | undefined {
    try {
      return this.#options.target.reads(input);
    } catch {
      return undefined;
    }
  }

  /**
   * Commits what was folded up to a record. A batch without effects needs no commit of its own: to fold it again after a crash is to no
   * effect either, so it is committed with what comes next.
   */
  async #commit(last: LogRecord | undefined): Promise<void> {
    const { core, cache, meta } = this.#live();
    const outputs = core.takeOutputs();
    const writes = cache.takeWrites();
    for (const [name, timer] of core.takeTimerChanges()) {
      if (timer === undefined) writes.delete.push(timerPrefix + name);
      else writes.put.push([timerPrefix + name, timer] satisfies StateEntry);
    }
    const hasEffect = outputs.length + writes.put.length + writes.delete.length > 0 || meta.rebuild !== null;
    if (last === undefined || hasEffect || this.#isDue()) return await this.#write(last, writes, outputs);
    this.#effectless = last;
    this.#position = last.offset + 1;
    this.#takenRecords = 0;
  }

  /** A stream without effects is committed from time to time, so that little is folded again. */
  #isDue(): boolean {
    const nowMs = this.#context.parts.clock.now();
    if (this.#effectless === undefined) this.#effectlessSinceMs = nowMs;
    return nowMs - this.#effectlessSinceMs >= reportEveryMs;
  }

  async #commitEffectless(): Promise<void> {
    if (this.#effectless !== undefined) await this.#write(this.#effectless, { put: [], delete: [] }, []);
  }

  async #write(last: LogRecord | undefined, writes: Writes, outputs: OutgoingRecord[]): Promise<void> {
    const { meta, state, receiver } = this.#live();
    await checkClaims(outputs, this.#context.parts.blobs);
    if (last !== undefined) meta.fingerprint = fingerprintOf(last);
    meta.watermarks = receiver.watermarks();
    writes.put.push(metaEntry(meta));
    if (outputs.length > 0) writes.put.push(outboxEntry(outputs));
    else if (this.#outboxHeld) writes.delete.push(outboxKey);
    await this.#sending;
    this.#reportUnderLoad();
    const position = last === undefined ? this.#position : last.offset + 1;
    crashPoint('before-commit');
    const began = performance.now();
    await state.commit(this.#expected, { position, put: writes.put, delete: writes.delete });
    this.#commitMsSum += performance.now() - began;
    this.#commits += 1;
    this.#takenRecords = 0;
    crashPoint('after-commit');
    this.#position = position;
    this.#committed = position;
    this.#expected = position;
    this.#effectless = undefined;
    this.#outboxHeld = outputs.length > 0;
    if (outputs.length > 0) this.#send(outputs);
    this.#context.snapshots.consider(this.#options.task, meta, position, state);
  }

  /** The append overlaps the next batch's fold; the next commit waits for it. */
  #send(outputs: readonly OutgoingRecord[]): void {
    crashPoint('before-append');
    this.#sending = this.#context.parts.log.append(outputs).then(() => crashPoint('after-append'));
    this.#sending.catch(() => undefined);
  }

  #report(): void {
    if (this.#reported === this.#committed || this.#status === 'failed') return;
    crashPoint('before-report');
    this.#reported = this.#committed;
    this.#options.report(this.#committed);
    crashPoint('after-report');
  }

  /** A busy task never idles; lag and rebuilds go by what it reports. */
  #reportUnderLoad(): void {
    const nowMs = this.#context.parts.clock.now();
    if (nowMs - this.#reportedAtMs < reportEveryMs) return;
    this.#reportedAtMs = nowMs;
    this.#report();
  }

  /** Idle, caught up and something due: one tick on the own partition moves time for every topology of the topic. */
  #scheduleTick(): void {
    this.#cancelTick?.();
    const next = this.#timers.peek();
    if (next === undefined || this.#tickOutstanding || this.#position < this.#queue.endOffset) return;
    const { ticks } = this.#context;
    const { clock } = this.#context.parts;
    const jitterMs = 1 + (hashOf(this.#options.task) % 20);
    const delayMs = Math.max(0, next.dueMs - this.#logTime.now()) + jitterMs;
    this.#cancelTick = clock.after(Math.min(delayMs, 60_000), () => {
      if (this.#abort.signal.aborted || this.#queue.size > 0) return;
      if (next.dueMs > this.#logTime.now()) {
        this.#queue.wakeUp();
        return;
      }
      this.#tickOutstanding = true;
      ticks
        .write(this.#options.partition, this.#position, (id) => this.#logTime.sent(id))
        .catch((error: unknown) => {
          this.#tickOutstanding = false;
          this.#context.parts.logger.warn(
            { task: this.#options.task, error: messageOf(error) },
            'a tick could not be written',
          );
          this.#queue.wakeUp();
        });
    });
  }

  /** True when the task goes on. */
  async #recover(error: unknown, batch: readonly LogRecord[]): Promise<boolean> {
    const { logger, clock, log } = this.#context.parts;
    const { task, partition } = this.#options;
    let cause = error;
    const taken = [...batch];
    for (let waitMs = 20; !this.#abort.signal.aborted; waitMs = Math.min(2 * waitMs, 2_000)) {
      const unstorable = !this.#strict && hasCode(cause, 'INVALID_ARGUMENT', 'TOO_LARGE');
      if (unstorable) this.#strict = true;
      else if (!mayHeal(cause)) break;
      this.#status = 'reopening';
      logger.warn({ task, error: messageOf(cause) }, 'the task reopens');
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      try {
        this.#sending = Promise.resolve();
        await this.#open();
        this.#queue.putBack(taken.splice(0));
        this.#takenRecords = 0;
        await this.#fillGap(log, partition);
        return true;
      } catch (next) {
        cause = next;
      }
    }
    if (this.#abort.signal.aborted) return false;
    this.#status = 'failed';
    logger.error({ task, error: messageOf(cause) }, 'the task has stopped');
    this.#options.failed(cause);
    return false;
  }

  /**
   * The state may have gone back far behind what is queued: what lies between is read and folded again, a page at a time. What a page
   * leaves is read again and not queued: the first queued record is where the gap ends, also for the next try.
   */
  async #fillGap(log: EngineContext['parts']['log'], partition: TopicPartition): Promise<void> {
    const to = this.#queue.firstOffset ?? this.#queue.endOffset;
    while (this.#position < to && !this.#abort.signal.aborted) {
      let read = 0;
      for await (const records of log.read(partition, { from: this.#position, to })) {
        read = records.length;
        await this.#process(records.slice(0, this.#options.batchRecords));
        break;
      }
      if (read === 0) return;
    }
  }

  #live(): OpenedTask & { core: FoldCore; cache: StateCache } {
    if (this.#opened === undefined || this.#core === undefined || this.#cache === undefined) {
      throw new MillraceError('CLOSED', `${this.#options.task} is not open`);
    }
    return { ...this.#opened, core: this.#core, cache: this.#cache };
  }
}

function rawInput(decoded: DecodedRecord): DecodedRecord {
  const { record, timeMs } = decoded;
  const { topic, partition, offset, key, value, headers } = record;
  return {
    ...decoded,
    control: undefined,
    id: `${offset}`,
    input: { topic, partition, offset, timeMs, keyBytes: key, valueBytes: value, headers },
  };
}

/** What is new, once: after a reopen the same records may be queued twice. */
function inOrder(records: readonly LogRecord[], position: number): LogRecord[] {
  let next = position;
  return records.filter(({ offset }) => {
    if (offset < next) return false;
    next = offset + 1;
    return true;
  });
}

function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}
