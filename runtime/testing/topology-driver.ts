/**
 * Runs one topology synchronously, without log, store or clock: records are piped in by hand and time is cranked. It is the same
 * {@link FoldCore} as in production, over a state in memory that is frozen, so a fold that changes a value in place is found.
 */
import { EventCodec, PoisonError } from '../../schemas/codec/event-codec.ts';
import type { AnyEvent, EventName, EventTopic } from '../../schemas/events.ts';
import type { EventData } from '../../schemas/events.generated.ts';
import { type TopicName, topics } from '../../schemas/topics.ts';
import { type DecodedRecord, FoldCore, type WorkingState } from '../engine/fold-core.ts';
import { foldTarget, idWindowOf, isRaw } from '../engine/fold-target.ts';
import { Receiver } from '../engine/receiver.ts';
import { decodeMeta, freshMeta, metaEntry, type TaskMeta } from '../engine/task-meta.ts';
import { type StoredTimer, TimerIndex } from '../engine/timers.ts';
import type { AnyTopology, RawTopology, Reads, Topology } from '../engine/topology.ts';
import { decodeValue, encodeValue } from '../engine/value-codec.ts';
import type { LogRecord, OutgoingRecord } from '../ports/log.ts';

export interface DriverOptions {
  /** Input partition that the driver plays. @default 0 */
  readonly partition?: number;
  /** Partition counts other than the catalogue's. */
  readonly partitions?: Partial<Record<TopicName, number>>;
  /** Append time of the first record. @default 1_700_000_000_000 */
  readonly startMs?: number;
  /** State to begin with, from `snapshot()` of another driver. */
  readonly snapshot?: DriverSnapshot;
}

export interface DriverSnapshot {
  readonly position: number;
  readonly meta: Uint8Array;
  readonly values: readonly (readonly [string, Uint8Array])[];
  readonly timers: readonly (readonly [string, Uint8Array])[];
}

export type DriverOutput = AnyEvent & { readonly key: string; readonly partition: number; readonly id: string };

export interface PipedEvent<T extends EventTopic, E extends EventName<T>> {
  readonly type: E;
  readonly data: EventData[T][E];
  readonly key: string;
  /** @default a new one for each record */
  readonly id?: string;
  /** Append time; the driver's clock moves to it. @default now */
  readonly timeMs?: number;
  readonly traceparent?: string;
}

/** A registry of its own: ids by order of registration. */
async function createCodec(): Promise<EventCodec> {
  const schemas: string[] = [];
  return await EventCodec.create({
    register: (_, schema) => {
      const known = schemas.indexOf(schema);
      if (known >= 0) return Promise.resolve(known + 1);
      return Promise.resolve(schemas.push(schema));
    },
    schema: (id) => Promise.resolve(schemas[id - 1] ?? '"null"'),
  });
}

let codec: EventCodec | undefined;

/** Makes a driver; the first one of a process parses the schemas. */
export async function createTopologyDriver<T extends EventTopic>(
  topology: Topology<T> | RawTopology,
  options: DriverOptions = {},
): Promise<TopologyDriver<T>> {
  codec ??= await createCodec();
  return new TopologyDriver<T>(topology, codec, options);
}

export class TopologyDriver<T extends EventTopic> {
  readonly #raw: boolean;
  readonly #inputTopic: TopicName;
  readonly #partition: number;
  readonly #codec: EventCodec;
  readonly #state: MapState;
  readonly #timers = new TimerIndex();
  readonly #meta: TaskMeta;
  readonly #receiver: Receiver;
  readonly #core: FoldCore;
  #outputs: OutgoingRecord[] = [];
  #offset: number;
  #nowMs: number;

  constructor(topology: Topology<T> | RawTopology, eventCodec: EventCodec, options: DriverOptions) {
    const whole = topology as unknown as AnyTopology;
    const target = foldTarget(whole);
    this.#raw = isRaw(whole);
    this.#inputTopic = target.input;
    this.#partition = options.partition ?? 0;
    this.#codec = eventCodec;
    this.#nowMs = options.startMs ?? 1_700_000_000_000;
    const { snapshot } = options;
    this.#offset = snapshot?.position ?? 0;
    this.#meta = snapshot === undefined ? freshMeta(target.version) : decodeMeta(snapshot.meta, target.version);
    this.#nowMs = Math.max(this.#nowMs, this.#meta.timeMs);
    this.#state = new MapState(snapshot?.values ?? []);
    for (const [name, bytes] of snapshot?.timers ?? []) this.#timers.set(name, decodeValue(bytes) as StoredTimer);
    this.#receiver = new Receiver(this.#meta.watermarks, idWindowOf(whole));
    this.#core = new FoldCore({
      target,
      task: `${target.name}/${target.input}/${this.#partition}`,
      partition: this.#partition,
      meta: this.#meta,
      timers: this.#timers,
      state: this.#state,
      receiver: this.#receiver,
      context: {
        codec: eventCodec,
        blobs: noBlobs,
        topic: (name) => name,
        partitions: (name) => options.partitions?.[name as TopicName] ?? topics[name as TopicName].partitions,
      },
    });
  }

  /** Time on the axis of append times, milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Offset that the next record gets. */
  get position(): number {
    return this.#offset;
  }

  /** Folds one event; answers its id. */
  pipe<E extends EventName<T>>(event: PipedEvent<T, E>): string {
    const timeMs = event.timeMs ?? this.#nowMs;
    this.#nowMs = Math.max(this.#nowMs, timeMs);
    const id = event.id ?? `piped-${this.#offset}`;
    const value = this.#codec.encode(this.#inputTopic as T, event.type, event.data);
    const headers: Record<string, Buffer> = { ce_id: Buffer.from(id) };
    if (event.traceparent !== undefined) headers['traceparent'] = Buffer.from(event.traceparent);
    this.pipeRecord({ key: Buffer.from(event.key), value, headers, timestampMs: timeMs });
    return id;
  }

  /** Folds a record as it lies on the log: for raw topologies, poison, ticks and replays. */
  pipeRecord(record: Pick<LogRecord, 'key' | 'value' | 'headers'> & { readonly timestampMs?: number }): void {
    const whole: LogRecord = {
      topic: this.#inputTopic,
      partition: this.#partition,
      offset: this.#offset,
      timestampMs: record.timestampMs ?? this.#nowMs,
      key: record.key,
      value: record.value,
      headers: record.headers,
    };
    this.#offset += 1;
    const decoded = this.#decode(whole);
    this.#fireDue(whole.offset, decoded.timeMs);
    this.#core.take(decoded);
    this.#outputs.push(...this.#core.takeOutputs());
    this.#core.takeTimerChanges();
  }

  /** In one go what a task fires in several batches. */
  #fireDue(offset: number, timeMs: number): void {
    for (let all = false; !all; ) {
      all = this.#core.fireDue(offset, timeMs, () => true);
      this.#outputs.push(...this.#core.takeOutputs());
    }
  }

  /** Moves time and folds a tick, so that due timers fire. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
    if (this.#raw) {
      this.#fireDue(this.#offset, this.#nowMs);
      return;
    }
    this.pipeRecord({ key: null, value: Buffer.alloc(0), headers: { 'millrace-control': Buffer.from('tick') } });
  }

  /** Decoded outputs since the last call, in order; dead letters are not among them. */
  takeOutputs(): DriverOutput[] {
    const outputs = this.#outputs;
    this.#outputs = outputs.filter(({ topic }) => topic === 'dead-letters');
    return outputs.filter(({ topic }) => topic !== 'dead-letters').map((record) => this.#decodeOutput(record));
  }

  /** Dead letters since the last call. */
  takeDeadLetters(): OutgoingRecord[] {
    const letters = this.#outputs.filter(({ topic }) => topic === 'dead-letters');
    this.#outputs = this.#outputs.filter(({ topic }) => topic !== 'dead-letters');
    return letters;
  }

  state<V>(key: string): V | undefined {
    return this.#state.peek(key) as V | undefined;
  }

  stateKeys(prefix = ''): string[] {
    return this.#state.keys().filter((key) => key.startsWith(prefix));
  }

  timerCount(): number {
    return this.#timers.size;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#meta.counters };
  }

  /** The committed state as bytes; equal states give equal bytes. */
  snapshot(): DriverSnapshot {
    this.#meta.watermarks = this.#receiver.watermarks();
    return {
      position: this.#offset,
      meta: metaEntry(this.#meta)[1],
      values: this.#state.keys().map((key) => [key, encodeValue(this.#state.peek(key))] as const),
      timers: this.#timers
        .due(Number.MAX_SAFE_INTEGER)
        .map(({ name, dueMs, reads, data }) => [name, encodeValue({ dueMs, reads, data })] as const),
    };
  }

  #decode(record: LogRecord): DecodedRecord {
    const timeMs = Math.max(this.#meta.timeMs, record.timestampMs);
    const id = record.headers['ce_id']?.toString('utf8') ?? `${record.offset}`;
    const control = this.#raw ? undefined : record.headers['millrace-control']?.toString('utf8');
    const base = {
      record,
      timeMs,
      id,
      traceparent: record.headers['traceparent']?.toString('utf8'),
      control,
      error: undefined,
    };
    const { topic, partition, offset, key, value, headers } = record;
    if (this.#raw)
      return { ...base, input: { topic, partition, offset, timeMs, keyBytes: key, valueBytes: value, headers } };
    if (control === 'tick') return { ...base, input: undefined };
    try {
      if (value === null) throw new PoisonError('a record of a folded topic needs a value');
      const event = this.#codec.decode(this.#inputTopic as T, value);
      const meta = {
        topic,
        partition,
        offset,
        timeMs,
        key: key?.toString('utf8') ?? '',
        id,
        traceparent: base.traceparent,
      };
      return { ...base, input: Object.assign(meta, event) };
    } catch (error) {
      return { ...base, input: undefined, error };
    }
  }

  #decodeOutput(record: OutgoingRecord): DriverOutput {
    const topic = record.topic as EventTopic;
    const headers = record.headers as Record<string, string>;
    const id = headers['ce_id'] ?? '';
    const base = { topic, key: String(record.key), partition: record.partition, id };
    if (record.value === null) return { ...base, type: 'tombstone', data: null } as unknown as DriverOutput;
    return Object.assign(base, this.#codec.decode(topic, record.value)) as DriverOutput;
  }
}

const noBlobs = new Proxy({} as never, {
  get: () => () => Promise.reject(new Error('the driver has no blob store')),
});

/** State in memory; every value goes through its bytes, as in production, and comes out frozen. */
class MapState implements WorkingState {
  readonly #values: Map<string, unknown>;
  #pending = new Map<string, unknown>();
  #declared: Reads = {};

  constructor(values: readonly (readonly [string, Uint8Array])[]) {
    this.#values = new Map(values.map(([key, bytes]) => [key, deepFreeze(decodeValue(bytes))]));
  }

  begin(declared: Reads): void {
    this.#declared = declared;
    this.#pending = new Map();
  }

  put(key: string, value: unknown): void {
    this.#pending.set(key, deepFreeze(decodeValue(encodeValue(value))));
  }

  delete(key: string): void {
    this.#pending.set(key, undefined);
  }

  keep(): void {
    for (const [key, value] of this.#pending) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
    this.#pending = new Map();
  }

  get<V>(key: string): V | undefined {
    if (!(this.#declared.keys ?? []).includes(key))
      throw new Error(`the topology read key '${key}' without declaring it in reads`);
    return this.#values.get(key) as V | undefined;
  }

  range<V>(prefix: string): readonly (readonly [key: string, value: V])[] {
    const declared = (this.#declared.ranges ?? []).find((range) => range.prefix === prefix);
    if (declared === undefined)
      throw new Error(`the topology read the range '${prefix}' without declaring it in reads`);
    return this.keys()
      .filter((key) => key.startsWith(prefix))
      .slice(0, declared.limit)
      .map((key) => [key, this.#values.get(key) as V] as const);
  }

  peek(key: string): unknown {
    return this.#values.get(key);
  }

  keys(): string[] {
    return [...this.#values.keys()].sort((a, b) => (a < b ? -1 : 1));
  }
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
