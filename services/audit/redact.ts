/** A sealed record whose personal fields are forgotten: its digest stays, so that chain, tree and signature still hold. */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { plainJson } from '../../schemas/codec/plain-json.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { digestOf, logRecord, type RedactedRecord, type SealedRecord, type SealedSpan } from './seal-file.ts';

export const redactedText = '[redacted]';

/**
 * @param fields paths into the event's data, joined by dots (`truth`, `inputs.0.data`); none: nothing of the event stays
 * INVALID_ARGUMENT when the event has no such field.
 */
export async function redactRecord(
  span: SealedSpan,
  record: SealedRecord,
  fields: readonly string[],
  runtime: Pick<Runtime, 'decode'>,
): Promise<RedactedRecord> {
  const { offset, timeMs } = record;
  const redacted = digestOf(span, record);
  if (fields.length === 0) return { offset, timeMs, redacted, event: null };
  const event =
    'redacted' in record ? record.event : await runtime.decode(span.topic as EventTopic, logRecord(span, record));
  if (event === null)
    throw new MillraceError('INVALID_ARGUMENT', `nothing is left of record ${placeOf(span, offset)} to redact`);
  const data = JSON.parse(plainJson(event.data)) as unknown;
  for (const field of fields) forget(data, field, placeOf(span, offset));
  return { offset, timeMs, redacted, event: { id: event.id, type: event.type, data } };
}

function forget(data: unknown, field: string, place: string): void {
  const names = field.split('.');
  const last = names.pop() ?? '';
  let holder: unknown = data;
  for (const name of names) holder = isHolder(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
  if (!isHolder(holder) || !Object.hasOwn(holder, last))
    throw new MillraceError('INVALID_ARGUMENT', `record ${place} has no field '${field}'`);
  holder[last] = redactedText;
}

const isHolder = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const placeOf = ({ topic, partition }: SealedSpan, offset: number): string => `${topic}/${partition}@${offset}`;
