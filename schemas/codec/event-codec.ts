import avro from 'avsc';
import { type EventName, type EventOf, type EventTopic, subjectOf } from '../events.ts';
import { schemaTexts } from '../events.generated.ts';
import { topics } from '../topics.ts';
import { framingBytes, schemaIdOf, writeFraming } from './framing.ts';
import { numberArrayOf } from './number-arrays.ts';
import { readAvro } from './read-avro.ts';

/** What the codec needs of a schema registry. */
export interface SchemaSource {
  register(subject: string, schema: string): Promise<number>;
  schema(id: number): Promise<string>;
}

/** The bytes contradict what they claim to be. Final for these bytes. */
export class PoisonError extends Error {
  override readonly name = 'PoisonError';
}

/** Registrations under way at once: a registry of one's own writes them together, a remote one is not flooded. */
const registeredAtOnce = 64;
/** Of the catalogue, by text: the same in every codec of a process. */
const compiled = new Map<string, avro.Type>();

class KnownEvent {
  readonly topic: EventTopic;
  readonly type: string;
  readonly schemaId: number;
  readonly #text: string;
  #avro: avro.Type | undefined;

  constructor(topic: EventTopic, type: string, text: string, schemaId: number) {
    this.topic = topic;
    this.type = type;
    this.schemaId = schemaId;
    this.#text = text;
  }

  /** Compiled when it is needed first: most processes say and read few of the events. */
  get avro(): avro.Type {
    if (this.#avro !== undefined) return this.#avro;
    let type = compiled.get(this.#text);
    if (type === undefined) compiled.set(this.#text, (type = parseSchema(this.#text)));
    return (this.#avro = type);
  }
}

type Resolver = ReturnType<avro.Type['createResolver']>;

/** How to read what a writer wrote under one schema id. */
type Reader =
  | {
      readonly kind: 'event';
      readonly event: KnownEvent;
      readonly resolver: Resolver | undefined;
    }
  | { readonly kind: 'foreign'; readonly type: avro.Type };

/**
 * Events to bytes and back: Avro with Confluent framing. Resolvers are kept by writer id, so decoding a record of an older schema
 * costs no more than one of today's. `encode` and `decode` are synchronous; `prepare` fetches the schemas that a batch needs first.
 */
export class EventCodec {
  readonly #registry: SchemaSource;
  /** By topic, then by type. */
  readonly #events = new Map<string, Map<string, KnownEvent>>();
  readonly #bySubject = new Map<string, KnownEvent>();
  readonly #readers = new Map<number, Reader>();
  #scratch = Buffer.allocUnsafe(64 * 1024);

  private constructor(registry: SchemaSource) {
    this.#registry = registry;
  }

  /**
   * Registers every event of the catalogue (idempotent) and is ready to encode. What outsiders write is also registered under
   * `<real topic name>-value`, where serializers look by default; `prefix` is that of the topics.
   */
  static async create(registry: SchemaSource, prefix = ''): Promise<EventCodec> {
    const codec = new EventCodec(registry);
    const all = Object.entries(topics).flatMap(([topic, { events, access }]) =>
      events.map((type) => ({ topic: topic as EventTopic, type, access })),
    );
    for (let from = 0; from < all.length; from += registeredAtOnce)
      await Promise.all(
        all.slice(from, from + registeredAtOnce).map(async ({ topic, type, access }) => {
          const text = schemaTexts[`${topic}/${type}`];
          if (text === undefined) throw new Error(`no schema text for ${topic}/${type}: run the generator`);
          const subject = subjectOf(topic, type);
          const [schemaId] = await Promise.all([
            registry.register(subject, text),
            access === 'open' ? registry.register(`${prefix}${topic}-value`, text) : undefined,
          ]);
          codec.#add(subject, new KnownEvent(topic, type, text, schemaId));
        }),
      );
    return codec;
  }

  #add(subject: string, event: KnownEvent): void {
    const { topic, type, schemaId } = event;
    const events = this.#events.get(topic) ?? new Map<string, KnownEvent>();
    this.#events.set(topic, events.set(type, event));
    this.#bySubject.set(subject, event);
    this.#readers.set(schemaId, { kind: 'event', event, resolver: undefined });
  }

  /** Throws when the data does not fit the schema: the message names the field. */
  encode<T extends EventTopic, E extends EventName<T>>(topic: T, type: E, data: unknown): Buffer {
    const event = this.#events.get(topic)?.get(type);
    if (event === undefined) throw new PoisonError(`${topic} has no event '${type}'`);
    try {
      let end = event.avro.encode(data, this.#scratch, framingBytes);
      if (end < 0) {
        this.#scratch = Buffer.allocUnsafe(2 * (this.#scratch.length - end));
        end = event.avro.encode(data, this.#scratch, framingBytes);
      }
      writeFraming(this.#scratch, event.schemaId);
      return Buffer.from(this.#scratch.subarray(0, end));
    } catch (cause) {
      throw new PoisonError(
        `${topic}/${type} cannot be encoded: ${invalidFields(event.avro, data) ?? messageOf(cause)}`,
        { cause },
      );
    }
  }

  /** Fetches the schemas of values whose writer is not known yet. Rejects with the registry's error. */
  async prepare(values: Iterable<Uint8Array | null>): Promise<void> {
    for (const value of values) {
      const id = value === null ? undefined : schemaIdOf(value);
      if (id !== undefined && !this.#readers.has(id))
        this.#readers.set(id, this.#reader(await this.#registry.schema(id)));
    }
  }

  /** True when `decode` has the schema of this value at hand (or needs none). */
  isPrepared(value: Uint8Array): boolean {
    const id = schemaIdOf(value);
    return id === undefined || this.#readers.has(id);
  }

  /** Decodes an event of a topic. PoisonError when the bytes are no such event. Call `prepare` before. */
  decode<T extends EventTopic>(topic: T, value: Uint8Array): EventOf<T> {
    const reader = this.#readerOf(value);
    if (reader.kind === 'foreign' || reader.event.topic !== topic) {
      throw new PoisonError(
        `a record of ${topic} holds ${reader.kind === 'event' ? `an event of ${reader.event.topic}` : `a ${nameOf(reader)}`}`,
      );
    }
    const { event, resolver } = reader;
    return { type: event.type, data: this.#read(event.avro, value, resolver) } as EventOf<T>;
  }

  /** Decodes whatever Avro is framed here: an event of the catalogue or a foreign record. */
  decodeAny(value: Uint8Array): DecodedAvro {
    const reader = this.#readerOf(value);
    if (reader.kind === 'foreign')
      return { kind: 'foreign', name: nameOf(reader), data: this.#read(reader.type, value) };
    const { event, resolver } = reader;
    return { kind: 'event', topic: event.topic, type: event.type, data: this.#read(event.avro, value, resolver) };
  }

  #readerOf(value: Uint8Array): Reader {
    const id = schemaIdOf(value);
    if (id === undefined) throw new PoisonError('the value has no Confluent framing (a zero byte and a schema id)');
    const reader = this.#readers.get(id);
    if (reader === undefined) throw new PoisonError(`schema ${id} was not fetched`);
    return reader;
  }

  #read(type: avro.Type, value: Uint8Array, resolver?: Resolver): unknown {
    try {
      return readAvro(type, value, framingBytes, resolver);
    } catch (cause) {
      throw new PoisonError(`the bytes do not fit schema ${schemaIdOf(value)}: ${messageOf(cause)}`, { cause });
    }
  }

  #reader(text: string): Reader {
    let writer: avro.Type;
    try {
      writer = parseSchema(text);
    } catch (cause) {
      throw new PoisonError(`the registry holds a schema that is no Avro: ${messageOf(cause)}`, { cause });
    }
    const event = this.#bySubject.get(writer.name ?? '');
    if (event === undefined) return { kind: 'foreign', type: writer };
    try {
      return { kind: 'event', event, resolver: event.avro.createResolver(writer) };
    } catch {
      return { kind: 'foreign', type: writer };
    }
  }
}

export type DecodedAvro =
  | { readonly kind: 'event'; readonly topic: EventTopic; readonly type: string; readonly data: unknown }
  | { readonly kind: 'foreign'; readonly name: string; readonly data: unknown };

/** Each schema in a registry of its own: records that several events share are repeated in each of them. */
function parseSchema(text: string): avro.Type {
  return avro.Type.forSchema(JSON.parse(text) as avro.Schema, { registry: {}, typeHook: numberArrayOf });
}

function nameOf({ type }: { readonly type: avro.Type }): string {
  return type.name ?? 'value';
}

function invalidFields(type: avro.Type, data: unknown): string | undefined {
  const problems: string[] = [];
  type.isValid(data, {
    errorHook: (path, value, expected) => {
      problems.push(`${path.join('.') || 'value'} must be ${String(expected)}, got ${describe(value)}`);
    },
  });
  return problems.length === 0 ? undefined : problems.slice(0, 5).join('; ');
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
