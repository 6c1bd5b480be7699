/**
 * What a topology is: a pure fold over exactly one closed topic.
 *
 * The same records in the same order give the same state and the same outputs, always: no clock, no randomness, no I/O, no module
 * state. Values that `state` hands out must not be changed in place (the test driver freezes them): put a new value.
 * State values are plain data: null, booleans, numbers (NaN and infinities included), strings, Uint8Array, arrays and objects.
 */
import type { AnyEvent, EventOf, EventTopic } from '../../schemas/events.ts';
import type { TopicName } from '../../schemas/topics.ts';

/** Records of the partition over which a service's repeated id is remembered. */
export const idWindowDefault = 2_000;

export interface Topology<T extends EventTopic = EventTopic> {
  /** The stem that names the slice in every room; also the consumer group. */
  readonly name: string;
  /** Raised by a change that alters state or outputs; an older binary refuses newer state. */
  readonly version: number;
  readonly input: T;
  readonly outputs: readonly TopicName[];
  /** One sentence for `describe`. */
  readonly summary: string;
  /**
   * The first record after a pause waits so long for others to be folded and committed with, milliseconds: for outputs that nobody
   * waits for, since each commit costs as much as many records.
   * @default 0
   */
  readonly lingerMs?: number;
  /** Records of a service carry an id; one that was seen within this many records of the partition is dropped. @default {@link idWindowDefault} */
  readonly idWindow?: number;
  /** Keys and ranges that folding this event may read. @default none */
  reads?(event: InputEvent<T>): Reads;
  fold(event: InputEvent<T>, state: StateView): Effects;
  /** A timer that this topology set is due. Called before the record whose time made it due. */
  onTimer?(timer: DueTimer, state: StateView): Effects;
}

/** Like {@link Topology}, but over raw records of any topic, open ones included: for the audit trail. */
export interface RawTopology {
  readonly name: string;
  readonly version: number;
  readonly rawInput: TopicName;
  readonly outputs: readonly TopicName[];
  readonly summary: string;
  /**
   * The first record after a pause waits so long for others to be folded and committed with, milliseconds: for outputs that nobody
   * waits for, since each commit costs as much as many records.
   * @default 0
   */
  readonly lingerMs?: number;
  reads?(record: RawInput): Reads;
  fold(record: RawInput, state: StateView): Effects;
  onTimer?(timer: DueTimer, state: StateView): Effects;
}

/** Any topology, whatever it reads. */
export type AnyTopology = { [T in EventTopic]: Topology<T> }[EventTopic] | RawTopology;

export interface RecordMeta {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Running maximum of append times, milliseconds. */
  readonly timeMs: number;
  readonly key: string;
  /** `ce_id`: the stamp of a fold's output, or the id that a service derived. */
  readonly id: string;
  readonly traceparent: string | undefined;
}

export type InputEvent<T extends EventTopic> = RecordMeta & EventOf<T>;

export interface RawInput {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timeMs: number;
  readonly keyBytes: Uint8Array | null;
  readonly valueBytes: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
}

export interface Reads {
  readonly keys?: readonly string[];
  readonly ranges?: readonly RangeRead[];
}

export interface RangeRead {
  /** All keys that begin so, ascending. */
  readonly prefix: string;
  readonly limit: number;
}

/** What was declared, with the writes of this batch on top. Reading anything else throws: it is a defect of the topology. */
export interface StateView {
  get<V>(key: string): V | undefined;
  range<V>(prefix: string): readonly (readonly [key: string, value: V])[];
}

export interface Effects {
  readonly put?: readonly (readonly [key: string, value: unknown])[];
  readonly delete?: readonly string[];
  readonly setTimers?: readonly TimerSpec[];
  readonly clearTimers?: readonly string[];
  readonly emit?: readonly Output[];
  /** Added to the task's counters in the committed state: the ledger. */
  readonly count?: Readonly<Record<string, number>>;
}

export const nothing: Effects = {};

export interface TimerSpec {
  /** Unique in the task; setting it again moves it. */
  readonly name: string;
  /** On the time axis of `timeMs`. */
  readonly dueMs: number;
  /** What `onTimer` may read. */
  readonly reads?: Reads;
  /** Small plain data handed back. */
  readonly data?: unknown;
}

export interface DueTimer extends TimerSpec {
  /** Time at which it fires: not before `dueMs`. */
  readonly timeMs: number;
  readonly partition: number;
}

/** An event to write. The partition follows from the key unless it is given; `all` writes it to every partition. */
export type Output = AnyEvent & {
  readonly key: string;
  readonly partition?: number | 'all';
  /** Topics with `cleanup: compact`: forget the key instead of writing the data. */
  readonly tombstone?: boolean;
};
