/**
 * The envelope of a record: CloudEvents 1.0 Kafka binary mode in headers, plus what the engine says to itself.
 */
import { cloudEventType } from '../../schemas/events.ts';
import type { LogRecord } from '../ports/log.ts';
import type { RecordMeta } from './topology.ts';

export const header = {
  id: 'ce_id',
  source: 'ce_source',
  type: 'ce_type',
  subject: 'ce_subject',
  time: 'ce_time',
  specVersion: 'ce_specversion',
  contentType: 'content-type',
  traceparent: 'traceparent',
  /** On closed topics only: `tick`, or `replay`. */
  control: 'millrace-control',
  /** Of a replay: `<task>@<offset>`. */
  replay: 'millrace-replay',
  /** The value lies in the blob store: `<sha256>:<bytes>`. */
  claim: 'millrace-claim',
} as const;

export interface EnvelopeFacts {
  readonly id: string;
  /** Who says it: a topology or a service. */
  readonly by: string;
  readonly topic: string;
  readonly type: string;
  readonly key: string;
  readonly timeMs: number;
  readonly traceparent: string | undefined;
}

export function envelopeHeaders(facts: EnvelopeFacts): Record<string, string> {
  // Names as text, not by `header`: one literal of one shape for every record that is written.
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: facts.id,
    ce_source: sourceOf(facts.by),
    ce_type: eventTypeOf(facts.topic, facts.type),
    ce_subject: facts.key,
    ce_time: isoTime(facts.timeMs),
    'content-type': 'application/avro',
  };
  if (facts.traceparent !== undefined) headers[header.traceparent] = facts.traceparent;
  return headers;
}

const sources = new Map<string, string>();
function sourceOf(by: string): string {
  let source = sources.get(by);
  if (source === undefined) sources.set(by, (source = `/millrace/${by}`));
  return source;
}

/** By topic, then by event: both come from the catalogue, so they are few. */
const eventTypes = new Map<string, Map<string, string>>();
function eventTypeOf(topic: string, event: string): string {
  let ofTopic = eventTypes.get(topic);
  if (ofTopic === undefined) eventTypes.set(topic, (ofTopic = new Map()));
  let type = ofTopic.get(event);
  if (type === undefined) ofTopic.set(event, (type = cloudEventType(topic, event)));
  return type;
}

let lastMs = Number.NaN;
let lastIso = '';
/** Many outputs share a millisecond. */
function isoTime(timeMs: number): string {
  if (timeMs !== lastMs) {
    lastMs = timeMs;
    lastIso = new Date(timeMs).toISOString();
  }
  return lastIso;
}

export function textHeader(record: LogRecord, name: string): string | undefined {
  return record.headerText === undefined ? record.headers[name]?.toString('utf8') : record.headerText(name);
}

function keyText(record: LogRecord): string {
  return record.keyText === undefined ? (record.key?.toString('utf8') ?? '') : record.keyText();
}

/** It goes on from record to record, so what is no trace context (55 characters today) ends here. */
function traceparentOf(text: string | undefined): string | undefined {
  return text === undefined || text.length > 128 ? undefined : text;
}

/** Between the parts of the place that identifies a record which carries no id. */
export const placeMark = '@';

export function metaOf(record: LogRecord, timeMs: number): RecordMeta {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timeMs,
    key: keyText(record),
    id: textHeader(record, header.id) ?? [record.topic, record.partition, record.offset].join(placeMark),
    traceparent: traceparentOf(textHeader(record, header.traceparent)),
  };
}
