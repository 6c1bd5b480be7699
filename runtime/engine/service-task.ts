import { topics } from '../../schemas/topics.ts';
import { hasCode, MillraceError, mayHeal, messageOf } from '../ports/errors.ts';
import type { LogRecord, OutgoingRecord, TopicPartition } from '../ports/log.ts';
import { crashPoint } from './crash-points.ts';
import { deadLetter } from './dead-letter.ts';
import { gapFact, refusedOutput } from './engine-facts.ts';
import type { EngineContext } from './engine-context.ts';
import { header, metaOf, textHeader } from './envelope.ts';
import type { DecodedRecord } from './fold-core.ts';
import { InputQueue } from './input-queue.ts';
import { outboxEntry, outboxKey } from './outbox.ts';
import { checkClaims } from './output-encoder.ts';
import { encodeIdentifiedInto } from './publisher.ts';
import type { TaskStats } from './runtime.ts';
import type {
  IdentifiedOutput,
  Service,
  ServiceRecord,
  ServiceRest,
  ServiceResult,
  ServiceTask as ServiceTaskPort,
} from './service.ts';
import { upperBound } from './state-cache.ts';
import type { HostedTask, TaskEnvironment } from './task-host.ts';
import { acceptReplay, count, fingerprintOf, metaEntry, noteDead } from './task-meta.ts';
import { openKeptState } from './state-opening.ts';
import { type OpenedTask, openTask } from './task-opening.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

const own = 'k/';
/** Records of a partition over which a service remembers a repeated id. */
export const serviceIdWindow = 1_000;
const pageEntries = 1_000;

/** What becomes of a batch before the service sees it. */
interface Sorted {
  readonly records: ServiceRecord[];
  readonly letters: OutgoingRecord[];
  readonly facts: IdentifiedOutput[];
}

/**
 * One input partition of a service: the same receive and commit cycle as a fold's, around code that may do I/O. Batches are handled
 * one after the other; `handle` itself may work on many records at once.
 */
export class ServiceTask implements HostedTask, ServiceTaskPort {
  readonly name: string;
  readonly partition: TopicPartition;
  readonly #context: EngineContext;
  readonly #service: Service;
  readonly #environment: TaskEnvironment;
  /** Catalogue name of the input. */
  readonly #topic: keyof typeof topics;
  readonly #queue: InputQueue;
  readonly #abort = new AbortController();
  #opened: OpenedTask | undefined;
  #expected: number | undefined;
  #position = 0;
  #reported = -1;
  #status: TaskStats['status'] = 'opening';
  #commits = 0;
  #commitMsSum = 0;
  #takenRecords = 0;
  #loop: Promise<void> = Promise.resolve();
  #changed = false;
  /** The service is being told that the partition is open. */
  #tells = false;

  constructor(
    context: EngineContext,
    service: Service,
    topic: keyof typeof topics,
    name: string,
    environment: TaskEnvironment,
  ) {
    this.#context = context;
    this.#service = service;
    this.#topic = topic;
    this.#environment = environment;
    this.name = name;
    this.partition = environment.partition;
    this.#queue = new InputQueue(4 * this.#batchRecords, environment.flow);
  }

  get position(): number {
    return this.#position;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get again(): boolean {
    return this.#position < this.#handledBelow;
  }

  /** Records before it were handled by a state that is lost. */
  get #handledBelow(): number {
    return this.#opened?.meta.rebuild?.saidBelow ?? 0;
  }

  get #batchRecords(): number {
    return this.#service.batchRecords ?? 500;
  }

  async open(): Promise<number> {
    const { log, state, logger } = this.#context.parts;
    const { group } = this.#environment;
    const { name: task, partition } = this;
    const warn = (message: string): void =>
      logger.warn({ task, message }, 'the service begins where its log can be read');
    const found =
      this.#service.keeps === true
        ? await openKeptState(this.#context, { task, group, partition, version: 1 })
        : await state.open(task);
    this.#opened = await openTask(log, found, {
      partition,
      version: 1,
      idWindow: serviceIdWindow,
      mismatch: { group, warn },
    });
    this.#expected = this.#opened.state.position;
    this.#position = this.#opened.position;
    await this.#tellOpened();
    this.#status = 'running';
    return this.#position;
  }

  /** The partition may go at any time: the last word that the service hears of it is `closed`. */
  async #tellOpened(): Promise<void> {
    this.#refuseStopped();
    this.#tells = true;
    try {
      await this.#service.opened?.(this);
    } finally {
      this.#tells = false;
      if (this.#abort.signal.aborted) this.#service.closed?.(this);
    }
    this.#refuseStopped();
  }

  #refuseStopped(): void {
    if (this.#abort.signal.aborted)
      throw new MillraceError('CLOSED', `the partition of ${this.name} went while it was being opened`);
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

  stop(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#queue.close();
    if (!this.#tells) this.#service.closed?.(this);
  }

  async close(): Promise<void> {
    this.stop();
    await this.#loop;
    if (this.#status === 'running') await this.#rest().catch((error: unknown) => this.#note(error));
    if (this.#status !== 'failed') this.#status = 'closed';
  }

  async get<V>(key: string): Promise<V | undefined> {
    const [bytes] = (await this.#opened?.state.get([own + key])) ?? [];
    return bytes === undefined ? undefined : (decodeValue(bytes) as V);
  }

  async *entries<V>(prefix: string): AsyncIterable<readonly [key: string, value: V]> {
    for (let gte = own + prefix; ; ) {
      const page = (await this.#opened?.state.range({ gte, lt: own + upperBound(prefix), limit: pageEntries })) ?? [];
      for (const [key, bytes] of page) yield [key.slice(own.length), decodeValue(bytes) as V];
      const last = page.at(-1);
      if (last === undefined || page.length < pageEntries) return;
      gte = `${last[0]}\0`;
    }
  }

  changed(): void {
    this.#changed = true;
    this.#queue.wakeUp();
  }

  pause(): void {
    this.#queue.hold();
  }

  resume(): void {
    this.#queue.release();
  }

  stats(): TaskStats {
    return {
      task: this.name,
      position: this.#position,
      endOffset: this.#queue.endOffset,
      queuedRecords: this.#queue.size,
      takenRecords: this.#takenRecords,
      timers: 0,
      counters: { ...this.#opened?.meta.counters },
      commits: this.#commits,
      commitMsSum: this.#commitMsSum,
      timeMs: this.#opened?.meta.timeMs ?? 0,
      status: this.#status,
    };
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      crashPoint('before-poll');
      const batch = this.#queue.take(this.#batchRecords);
      this.#takenRecords = batch.reduce((n, { offset }) => (offset >= this.#position ? n + 1 : n), 0);
      crashPoint('after-poll');
      if (batch.length === 0) {
        this.#report();
        if (!this.#changed) await this.#queue.wait();
        else if (!(await this.#untilDone(this.#position, () => this.#rest()))) return;
        continue;
      }
      if (!(await this.#untilDone(batch[0]?.offset ?? this.#position, () => this.#process(batch)))) return;
    }
    this.#report();
  }

  /** Works from a position on, which an opening may have to come to again. False when the task is over. */
  async #untilDone(from: number, work: () => Promise<void>): Promise<boolean> {
    const { logger, clock } = this.#context.parts;
    for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 2_000)) {
      try {
        if (this.#status === 'reopening') await this.open();
        await this.#catchUpTo(from);
        await work();
        return true;
      } catch (error) {
        if (this.#abort.signal.aborted) return false;
        if (!mayHeal(error)) {
          this.#status = 'failed';
          logger.error(
            { task: this.name, error: messageOf(error), stack: error instanceof Error ? error.stack : undefined },
            'the task has stopped',
          );
          this.#environment.failed(error);
          return false;
        }
        this.#status = 'reopening';
        logger.warn({ task: this.name, error: messageOf(error) }, 'the task reopens');
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }

  /** The state may have gone back behind what is queued: what lies between is read again. */
  async #catchUpTo(offset: number): Promise<void> {
    while (this.#position < offset && !this.#abort.signal.aborted) {
      let read = 0;
      for await (const records of this.#context.parts.log.read(this.partition, { from: this.#position, to: offset })) {
        read = records.length;
        await this.#process(records.slice(0, this.#batchRecords));
        break;
      }
      if (read === 0) return;
    }
  }

  async #process(batch: readonly LogRecord[]): Promise<void> {
    const opened = this.#opened;
    const { again } = this;
    const below = again ? this.#handledBelow : Number.POSITIVE_INFINITY;
    const fresh = batch.filter(({ offset }) => offset >= this.#position && offset < below);
    const last = fresh.at(-1);
    if (opened === undefined || last === undefined) return;
    const { meta } = opened;
    const open = topics[this.#topic].access === 'open';
    const decoded = await this.#context.decoder.decode(
      fresh,
      open ? undefined : (this.#topic as never),
      meta.timeMs,
      this.#abort.signal,
    );
    const letters: OutgoingRecord[] = [];
    const records: ServiceRecord[] = [];
    const facts: IdentifiedOutput[] = [];
    for (const item of decoded) this.#sort(item, open, { records, letters, facts });
    meta.timeMs = decoded.at(-1)?.timeMs ?? meta.timeMs;
    const result: ServiceResult = records.length === 0 ? { outputs: [] } : await this.#service.handle(records, this);
    const place = { task: this.name, topic: this.#context.encoding.topic('dead-letters') };
    for (const { record, error } of result.deadLetters ?? []) {
      count(meta, 'dead');
      if (!open) noteDead(meta, record.offset);
      letters.push(deadLetter(record, error, place));
    }
    count(meta, 'handled', records.length);
    for (const [counter, by] of Object.entries(result.count ?? {})) count(meta, counter, by);
    const outputs = again ? [] : [...this.#encode([...facts, ...result.outputs]), ...letters];
    count(meta, 'out', outputs.length);
    await checkClaims(outputs, this.#context.parts.blobs);
    if (this.#service.first === 'commit') {
      await this.#commit(last, result, outputs);
      await this.#append(outputs);
    } else {
      await this.#append(outputs);
      await this.#commit(last, result, []);
    }
    if (again && !this.again) await this.#tellOpened();
    await this.#process(batch.slice(batch.indexOf(last) + 1));
  }

  /** Repeats and ticks are passed over; what cannot be decoded becomes a dead letter; the rest goes to the service. */
  #sort(item: DecodedRecord, open: boolean, { records, letters, facts }: Sorted): void {
    const opened = this.#opened;
    if (opened === undefined) return;
    const { meta, receiver } = opened;
    count(meta, 'in');
    const { record, timeMs } = item;
    if (open) {
      records.push({ raw: record, meta: metaOf(record, timeMs), event: undefined });
      return;
    }
    if (item.control === 'tick') return count(meta, 'ticks');
    if (topics[this.#topic].cleanup === 'compact') {
      // Compaction makes gaps, and which row of a key counts is for the service to judge.
      if (record.value === null) {
        records.push({ raw: record, meta: metaOf(record, timeMs), event: undefined });
        return;
      }
    } else if (item.control === 'replay') {
      const verdict = acceptReplay(meta, this.name, textHeader(record, header.replay));
      count(meta, verdict);
      if (verdict !== 'replayed') return;
    } else {
      const verdict = receiver.judge(item.id, record.offset);
      if (verdict.type === 'repeat') return count(meta, 'repeats');
      if (verdict.type === 'stale-branch') return count(meta, 'staleBranches');
      if (verdict.type === 'gap') {
        count(meta, 'gaps');
        facts.push(gapFact(this.name, verdict));
      }
    }
    if (item.error !== undefined) {
      count(meta, 'dead');
      noteDead(meta, record.offset);
      letters.push(
        deadLetter(
          record,
          item.error,
          { task: this.name, topic: this.#context.encoding.topic('dead-letters') },
          item.control === 'replay' ? 2 : 1,
        ),
      );
      return;
    }
    const input = item.input as ServiceRecord['event'];
    records.push({ raw: record, meta: metaOf(record, timeMs), event: input });
  }

  /** An output that cannot be written, perhaps since an outsider's key is too long, must not stop the partition: it is said so. */
  #encode(outputs: readonly IdentifiedOutput[]): OutgoingRecord[] {
    const by = this.#service.name;
    const records: OutgoingRecord[] = [];
    for (const output of outputs) {
      try {
        encodeIdentifiedInto(records, output, by, this.#context);
      } catch (error) {
        if (this.#opened !== undefined) count(this.#opened.meta, 'outputsRefused');
        this.#context.parts.logger.error(
          { task: this.name, error: messageOf(error), id: output.id.slice(0, 200) },
          'an output cannot be written',
        );
        encodeIdentifiedInto(records, refusedOutput(this.name, by, output, error), by, this.#context);
      }
    }
    return records;
  }

  async #append(outputs: readonly OutgoingRecord[]): Promise<void> {
    if (outputs.length === 0) return;
    crashPoint('before-append');
    await this.#context.parts.log.append(outputs);
    crashPoint('after-append');
  }

  async #commit(last: LogRecord, result: ServiceResult, outbox: readonly OutgoingRecord[]): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined) return;
    const { meta, receiver, state } = opened;
    meta.fingerprint = fingerprintOf(last);
    meta.watermarks = receiver.watermarks();
    if (last.offset + 1 >= this.#handledBelow) meta.rebuild = null;
    const { put, delete: remove } = entriesOf(result);
    if (this.#service.first === 'commit' && outbox.length === 0) remove.push(outboxKey);
    const position = last.offset + 1;
    crashPoint('before-commit');
    const began = performance.now();
    await state.commit(this.#expected, {
      position,
      put: [...put, metaEntry(meta), ...(outbox.length === 0 ? [] : [outboxEntry(outbox)])],
      delete: remove,
    });
    this.#commitMsSum += performance.now() - began;
    this.#commits += 1;
    this.#takenRecords = 0;
    crashPoint('after-commit');
    this.#position = position;
    this.#expected = position;
    if (this.#service.keeps === true) this.#context.snapshots.consider(this.name, meta, position, state);
    result.committed?.();
  }

  /** Commits what has changed outside of batches. Another owner finds it out by itself, so that one is left alone. */
  async #rest(): Promise<void> {
    this.#changed = false;
    const change = this.#service.rest?.(this);
    const state = this.#opened?.state;
    if (change === undefined || state === undefined || this.#expected !== this.#position) return;
    try {
      await state.commit(this.#expected, { position: this.#position, ...entriesOf(change) });
    } catch (error) {
      if (!hasCode(error, 'FENCED')) throw error;
      this.#status = 'reopening';
      return;
    }
    this.#commits += 1;
    change.committed?.();
  }

  #note(error: unknown): void {
    const { logger } = this.#context.parts;
    logger.debug({ task: this.name, error: messageOf(error) }, 'what changed at the end was not committed');
  }

  #report(): void {
    if (this.#reported === this.#position) return;
    crashPoint('before-report');
    this.#reported = this.#position;
    this.#environment.report(this.#position);
    crashPoint('after-report');
  }
}

function entriesOf({ put = [], delete: remove = [] }: ServiceRest) {
  return {
    put: put.map(([key, value]) => [own + key, encodeValue(value)] as const),
    delete: remove.map((key) => own + key),
  };
}
