import type { TopicName } from '../../schemas/topics.ts';
import type { LogRecord, OutgoingRecord } from '../ports/log.ts';
import { deadLetter, deadTimer } from './dead-letter.ts';
import { gapOutput } from './engine-facts.ts';
import { envelopeHeaders, header, textHeader } from './envelope.ts';
import { type EncodedOutput, type EncodingContext, encodeOutput } from './output-encoder.ts';
import type { Receiver } from './receiver.ts';
import { stampPrefix } from './stamp.ts';
import { checkEffects, checkTogether, bytesOf } from './effect-checks.ts';
import { outboxBytesMax } from './outbox.ts';
import { acceptReplay, type CatchingUp, count, noteDead, type TaskMeta } from './task-meta.ts';
import type { StoredTimer, TimerIndex } from './timers.ts';
import type { DueTimer, Effects, Output, Reads, StateView, TimerSpec } from './topology.ts';
import { encodeValue } from './value-codec.ts';

const noOutputs: readonly EncodedOutput[] = [];

/** Timers that fire before one commit at most. */
const timersPerBatchMax = 10_000;

/** A fold with its kind of input hidden: decoded events, or raw records. */
export interface FoldTarget {
  readonly name: string;
  readonly version: number;
  readonly input: TopicName;
  reads(input: unknown): Reads;
  fold(input: unknown, state: StateView): Effects;
  onTimer(timer: DueTimer, state: StateView): Effects;
}

/** The state that a fold works on; its writes count after `keep`. */
export interface WorkingState extends StateView {
  begin(declared: Reads): void;
  put(key: string, value: unknown): void;
  delete(key: string): void;
  keep(): void;
}

/** A record, decoded as far as that went. */
export interface DecodedRecord {
  readonly record: LogRecord;
  readonly timeMs: number;
  readonly id: string;
  readonly traceparent: string | undefined;
  readonly control: string | undefined;
  /** What the fold gets; undefined for a tick or a record that could not be decoded. */
  readonly input: unknown;
  readonly error: unknown;
}

/** An output partition: under what its ordinals are counted, how its stamps begin, and the topic's real name. */
interface Place {
  readonly place: string;
  readonly prefix: string;
  readonly topic: string;
}

export interface FoldCoreParts {
  readonly target: FoldTarget;
  readonly task: string;
  readonly partition: number;
  readonly meta: TaskMeta;
  readonly timers: TimerIndex;
  readonly state: WorkingState;
  readonly receiver: Receiver;
  readonly context: EncodingContext;
}

/**
 * The synchronous heart of a task: one record after the other through stamp check, due timers, fold and encoding. It does no I/O; what is to
 * be committed and sent collects here until the caller takes it. The same code runs in production and in the test driver.
 */
export class FoldCore {
  readonly #parts: FoldCoreParts;
  #outputs: OutgoingRecord[] = [];
  #outputBytes = 0;
  #timerChanges = new Map<string, Uint8Array | undefined>();
  /** During a rebuild: outputs of earlier offsets were said before. */
  #silent = false;
  #knownDead: ReadonlySet<number>;
  /** By catalogue topic and partition, as stamps of `#placesOfBranch` begin. */
  readonly #places = new Map<string, Place[]>();
  #placesOfBranch = 0;

  constructor(parts: FoldCoreParts) {
    this.#parts = parts;
    this.#knownDead = new Set(parts.meta.rebuild?.dead);
  }

  get outputBytes(): number {
    return this.#outputBytes;
  }

  /**
   * Fires what is due before the record at `offset` with time `timeMs`. False: the batch must end before the record, since a due timer's
   * reads were not fetched, or much has collected; called again after the commit it goes on.
   */
  fireDue(offset: number, timeMs: number, isFetched: (timer: TimerSpec) => boolean): boolean {
    const { meta, timers } = this.#parts;
    if (meta.rebuild !== null) this.#followRebuild(offset, meta.rebuild);
    meta.timeMs = Math.max(meta.timeMs, timeMs);
    for (let fired = 0; ; fired++) {
      const timer = timers.nextDueMs() > meta.timeMs ? undefined : timers.peek();
      if (timer === undefined) return true;
      if (!isFetched(timer) || fired === timersPerBatchMax || this.#outputBytes > outboxBytesMax) return false;
      this.#clearTimer(timer.name);
      this.#fire(timer);
    }
  }

  /** Takes one record, whose due timers were fired before; `reads` are its topology's, when the caller has asked already. */
  take(decoded: DecodedRecord, reads?: Reads): void {
    const { meta, receiver } = this.#parts;
    count(meta, 'in');
    if (decoded.control === 'tick') {
      count(meta, 'ticks');
      return;
    }
    if (decoded.control === 'replay') {
      this.#replay(decoded, reads);
      return;
    }
    const verdict = receiver.judge(decoded.id, decoded.record.offset);
    switch (verdict.type) {
      case 'repeat':
        count(meta, 'repeats');
        return;
      case 'stale-branch':
        count(meta, 'staleBranches');
        return;
      case 'gap':
        count(meta, 'gaps');
        this.#emit([gapOutput(this.#parts.task, verdict)], undefined);
        break;
      case 'taken':
        break;
    }
    this.#fold(decoded, 1, reads);
  }

  /** Outputs since the last call, stamped, in order. */
  takeOutputs(): OutgoingRecord[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    this.#outputBytes = 0;
    return outputs;
  }

  /** Timers set, encoded (or cleared: undefined), since the last call. */
  takeTimerChanges(): Map<string, Uint8Array | undefined> {
    const changes = this.#timerChanges;
    this.#timerChanges = new Map();
    return changes;
  }

  #fold(decoded: DecodedRecord, attempt: number, reads?: Reads): void {
    const { target, meta, state } = this.#parts;
    if (decoded.error !== undefined || this.#knownDead.has(decoded.record.offset)) {
      this.#die(decoded, decoded.error ?? new Error('dead by an earlier verdict'), attempt);
      return;
    }
    try {
      state.begin(reads ?? target.reads(decoded.input));
      this.#apply(target.fold(decoded.input, state), decoded.traceparent);
      count(meta, 'folded');
    } catch (error) {
      this.#die(decoded, error, attempt);
    }
  }

  #fire(timer: TimerSpec): void {
    const { target, meta, state, partition } = this.#parts;
    try {
      state.begin(timer.reads ?? {});
      this.#apply(target.onTimer({ ...timer, timeMs: meta.timeMs, partition }, state), undefined);
      count(meta, 'timersFired');
    } catch (error) {
      count(meta, 'deadTimers');
      this.#push(deadTimer(timer.name, timer.dueMs, partition, error, this.#deadLetterPlace()));
    }
  }

  /** A new record that names a dead one: folded once, only while that offset is dead. */
  #replay(decoded: DecodedRecord, reads?: Reads): void {
    const { meta, task } = this.#parts;
    const verdict = acceptReplay(meta, task, textHeader(decoded.record, header.replay));
    count(meta, verdict);
    if (verdict === 'replayed') this.#fold(decoded, 2, reads);
  }

  #die(decoded: DecodedRecord, error: unknown, attempt: number): void {
    const { meta } = this.#parts;
    count(meta, 'dead');
    noteDead(meta, decoded.record.offset);
    this.#push(deadLetter(decoded.record, error, this.#deadLetterPlace(), attempt));
  }

  /** All or nothing: outputs are encoded before any write of this fold counts. */
  #apply(effects: Effects, traceparent: string | undefined): void {
    const { meta, state } = this.#parts;
    const encoded = effects.emit?.map((output) => encodeOutput(output, this.#parts.context)) ?? noOutputs;
    checkTogether(encoded);
    checkEffects(effects);
    const timers = effects.setTimers?.map(({ name, dueMs, reads, data }) => {
      const timer: StoredTimer = { dueMs, reads, data };
      return { name, timer, bytes: encodeValue(timer) };
    });
    for (const [key, value] of effects.put ?? []) state.put(key, value);
    for (const key of effects.delete ?? []) state.delete(key);
    state.keep();
    for (const name of effects.clearTimers ?? []) this.#clearTimer(name);
    for (const { name, timer, bytes } of timers ?? []) {
      this.#parts.timers.set(name, timer);
      this.#timerChanges.set(name, bytes);
    }
    for (const counter in effects.count) count(meta, counter, effects.count[counter]);
    for (const output of encoded) this.#stamp(output, traceparent);
  }

  #emit(outputs: readonly Output[], traceparent: string | undefined): void {
    for (const output of outputs) this.#stamp(encodeOutput(output, this.#parts.context), traceparent);
  }

  #stamp({ output, value, partitions }: EncodedOutput, traceparent: string | undefined): void {
    const { meta, target } = this.#parts;
    for (const partition of partitions) {
      const { place, prefix, topic } = this.#placeOf(output.topic, partition);
      const ordinal = (meta.ordinals[place] ?? 0) + 1;
      meta.ordinals[place] = ordinal;
      const id = prefix + ordinal;
      const facts = {
        id,
        by: target.name,
        topic: output.topic,
        type: output.type,
        key: output.key,
        timeMs: meta.timeMs,
        traceparent,
      };
      this.#push({
        topic,
        partition,
        key: output.key,
        value,
        headers: envelopeHeaders(facts),
      });
    }
  }

  #placeOf(topic: string, partition: number): Place {
    const { meta, target, partition: inputPartition, context } = this.#parts;
    if (meta.branch !== this.#placesOfBranch) this.#places.clear();
    this.#placesOfBranch = meta.branch;
    let places = this.#places.get(topic);
    if (places === undefined) this.#places.set(topic, (places = []));
    return (places[partition] ??= {
      place: `${topic}/${partition}`,
      prefix: stampPrefix(`${target.name}/${inputPartition}`, meta.branch, topic, partition),
      topic: context.topic(topic),
    });
  }

  /** Once past what was said before, and past the last verdict, the rebuild is over. */
  #followRebuild(offset: number, { saidBelow, dead, fork }: CatchingUp): void {
    const { meta } = this.#parts;
    this.#silent = offset < saidBelow;
    if (fork !== null && offset < fork.at) return;
    if (fork !== null) meta.branch = Math.max(meta.branch, fork.branch);
    if (this.#silent || offset <= (dead.at(-1) ?? -1)) return;
    meta.rebuild = null;
    this.#knownDead = new Set();
  }

  #push(record: OutgoingRecord): void {
    count(this.#parts.meta, 'out');
    if (this.#silent) return;
    this.#outputs.push(record);
    this.#outputBytes += bytesOf(record.value?.length ?? 0, record.key?.length ?? 0);
  }

  #clearTimer(name: string): void {
    this.#parts.timers.clear(name);
    this.#timerChanges.set(name, undefined);
  }

  #deadLetterPlace(): { task: string; topic: string } {
    return { task: this.#parts.task, topic: this.#parts.context.topic('dead-letters') };
  }
}
