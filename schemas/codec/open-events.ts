/**
 * What outsiders write on open topics, in any of three forms: Avro with Confluent framing, plain JSON, or a CloudEvent (binary mode
 * in headers around either, or structured mode as JSON). Nothing that a header claims about the platform is believed here.
 * Source: CloudEvents 1.0 Kafka protocol binding, §3.2 (binary) and §3.3 (structured).
 */
import { type EventCodec, PoisonError } from './event-codec.ts';

/** The parts of a record that matter here; a `LogRecord` fits. */
export interface OpenRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
  /** One header as text, when that is cheaper than `headers`. */
  headerText?(name: string): string | undefined;
}

/** CloudEvents attributes, as far as the producer gave them. */
export interface OpenAttributes {
  readonly id: string | undefined;
  readonly source: string | undefined;
  readonly type: string | undefined;
  readonly subject: string | undefined;
  /** RFC 3339. */
  readonly time: string | undefined;
  /** All attributes by name, extensions included, as texts; gathered when asked for, since predictions never do. */
  readonly attributes: () => Readonly<Record<string, string>>;
}

export type OpenEvent = OpenAttributes &
  (
    | { readonly format: 'json'; readonly data: unknown }
    | { readonly format: 'avro'; readonly name: string; readonly data: unknown }
  );

const depthMax = 32;

/**
 * Parses one record; PoisonError says what is wrong and where. Call `codec.prepare` with the value before. Both forms are written out: a spread of
 * the attributes cost more than all the rest of a small request.
 */
export function parseOpen(record: OpenRecord, codec: EventCodec): OpenEvent {
  const { value } = record;
  if (value === null || value.length === 0) throw new PoisonError('the record has no value');
  if (value[0] === 0) {
    const decoded = codec.decodeAny(value);
    return {
      attributes: () => headerAttributes(record),
      id: headerText(record, 'ce_id'),
      source: headerText(record, 'ce_source'),
      type: headerText(record, 'ce_type'),
      subject: headerText(record, 'ce_subject'),
      time: headerText(record, 'ce_time'),
      format: 'avro',
      name: decoded.kind === 'event' ? `${decoded.topic}/${decoded.type}` : decoded.name,
      data: decoded.data,
    };
  }
  const json = parseJson(value);
  const contentType = headerText(record, 'content-type') ?? '';
  if (contentType.startsWith('application/cloudevents') || isStructured(json)) return structured(json);
  return {
    attributes: () => headerAttributes(record),
    id: headerText(record, 'ce_id'),
    source: headerText(record, 'ce_source'),
    type: headerText(record, 'ce_type'),
    subject: headerText(record, 'ce_subject'),
    time: headerText(record, 'ce_time'),
    format: 'json',
    data: json,
  };
}

/** A trigger: any object. `attributes` are the CloudEvents attributes that it brings. Its name is the CloudEvent's type, else its `name` property, else the record's key. */
export interface OpenTrigger {
  readonly id: string | undefined;
  readonly source: string | undefined;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

export function parseTrigger(record: OpenRecord, codec: EventCodec): OpenTrigger {
  const event = parseOpen(record, codec);
  if (event.format === 'avro' && event.name === 'triggers/triggered') {
    const {
      name,
      payload,
      attributes: given,
    } = event.data as {
      readonly name: string;
      readonly payload: string;
      readonly attributes: Readonly<Record<string, string>>;
    };
    // What came over HTTP as a CloudEvent keeps its attributes in the value: the headers are those of this record.
    const attributes = { ...event.attributes(), ...given };
    const source = given['source'] ?? event.source;
    return { id: event.id, source, name, attributes, payload: objectOf(parseJson(Buffer.from(payload)), 'payload') };
  }
  const payload = objectOf(event.data, 'value');
  const ownName = payload['name'];
  const key = record.key === null ? undefined : Buffer.from(record.key).toString('utf8');
  const name = event.type ?? (typeof ownName === 'string' ? ownName : key);
  if (name === undefined || name === '') {
    throw new PoisonError('the trigger has no name: set the header ce_type, a property `name`, or the record key');
  }
  return { id: event.id, source: event.source, name, attributes: event.attributes(), payload };
}

/** A header as text; undefined when absent. */
export function headerText(record: OpenRecord, name: string): string | undefined {
  if (record.headerText !== undefined) return record.headerText(name);
  const value = record.headers[name];
  return value === undefined ? undefined : Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
}

const attributesMax = 50;

function isStructured(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'specversion' in json && 'type' in json && 'source' in json;
}

function structured(json: unknown): OpenEvent {
  const event = objectOf(json, 'cloud event');
  for (const required of ['id', 'source', 'type', 'specversion'] as const) {
    if (typeof event[required] !== 'string' || event[required] === '') {
      throw new PoisonError(`the cloud event's attribute '${required}' must be a text that is not empty`);
    }
  }
  if (event['specversion'] !== '1.0')
    throw new PoisonError(`specversion must be '1.0', got '${String(event['specversion'])}'`);
  const base64 = event['data_base64'];
  if (base64 !== undefined && typeof base64 !== 'string') throw new PoisonError(`'data_base64' must be a text`);
  const data = base64 === undefined ? event['data'] : parseJson(Buffer.from(base64, 'base64'));
  return {
    attributes: () => structuredAttributes(event),
    id: event['id'] as string,
    source: event['source'] as string,
    type: event['type'] as string,
    subject: typeof event['subject'] === 'string' ? event['subject'] : undefined,
    time: typeof event['time'] === 'string' ? event['time'] : undefined,
    format: 'json',
    data,
  };
}

function headerAttributes(record: OpenRecord): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const header of Object.keys(record.headers).slice(0, 2 * attributesMax)) {
    if (header.startsWith('ce_')) attributes[header.slice(3)] = headerText(record, header) ?? '';
  }
  return attributes;
}

function structuredAttributes(event: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(event).slice(0, attributesMax)) {
    if (name === 'data' || name === 'data_base64' || typeof value === 'object' || value === undefined) continue;
    attributes[name] = String(value);
  }
  return attributes;
}

function parseJson(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let value: unknown;
  try {
    value = JSON.parse(buffer.toString('utf8'));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new PoisonError(`the value is neither framed Avro nor JSON: ${message.slice(0, 120)}`, { cause });
  }
  if (depthOf(value, 0) > depthMax) throw new PoisonError(`the JSON is nested deeper than ${depthMax}`);
  return value;
}

function depthOf(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null || depth > depthMax) return depth;
  let deepest = depth + 1;
  if (Array.isArray(value) && typeof value[0] === 'number' && value.every((item) => typeof item === 'number'))
    return deepest;
  for (const item of Object.values(value) as unknown[]) {
    if (typeof item === 'object' && item !== null) deepest = Math.max(deepest, depthOf(item, depth + 1));
  }
  return deepest;
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new PoisonError(`the ${what} must be a JSON object`);
  return value as Readonly<Record<string, unknown>>;
}
