/**
 * The file of a seal: JSON lines that need nothing else to be read. The first line says what the file holds, with the Avro schemas of its
 * values by id; each further line is a record of the source partition, bytes in base64. A record that was redacted has its digest and
 * what may still be known in their place.
 */
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import { plainJson } from '../../schemas/codec/plain-json.ts';
import type { SealDue } from '../../schemas/events.ts';
import { chainNext, recordDigest } from '../../topologies/audit-chain.ts';

export const sealFormat = 'millrace-audit-seal/1';

/** The part of a chain that a seal covers. */
export type SealedSpan = SealDue;

export interface WholeRecord {
  readonly offset: number;
  /** Running maximum of append times, milliseconds. */
  readonly timeMs: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RedactedRecord {
  readonly offset: number;
  readonly timeMs: number;
  /** Digest of the record as it was, hex. */
  readonly redacted: string;
  /** What may still be known; null: nothing. */
  readonly event: { readonly id: string; readonly type: string; readonly data: unknown } | null;
}

export type SealedRecord = WholeRecord | RedactedRecord;

export interface SealFile {
  readonly span: SealedSpan;
  /** Avro schemas by the id that values are framed with. */
  readonly schemas: Readonly<Record<string, unknown>>;
  readonly records: readonly SealedRecord[];
}

export function writeSealFile({ span, schemas, records }: SealFile): Buffer {
  const lines = [{ format: sealFormat, ...span, schemas }, ...records].map((line) => plainJson(line));
  return Buffer.from(`${lines.join('\n')}\n`);
}

/** CORRUPT with the line that is none. */
export function readSealFile(bytes: Uint8Array): SealFile {
  const lines = Buffer.from(bytes).toString('utf8').split('\n').slice(0, -1);
  const parsed = lines.map((line, index): unknown => {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw new MillraceError('CORRUPT', `line ${index + 1} of the sealed file is no JSON`, { cause });
    }
  });
  const [first, ...records] = parsed as [SealedSpan & { format: string; schemas: object }, ...SealedRecord[]];
  if (first?.format !== sealFormat)
    throw new MillraceError('CORRUPT', `the sealed file does not begin with the format '${sealFormat}'`);
  const { format: _, schemas, ...span } = first;
  return { span, schemas: schemas as SealFile['schemas'], records };
}

export function wholeRecord({ offset, key, value, headers }: LogRecord, timeMs: number): WholeRecord {
  const base64 = (bytes: Uint8Array | null): string | null =>
    bytes === null ? null : Buffer.from(bytes).toString('base64');
  return {
    offset,
    timeMs,
    key: base64(key),
    value: base64(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, base64(bytes) ?? ''])),
  };
}

/** The record as it lay on the log. */
export function logRecord({ topic, partition }: SealedSpan, record: WholeRecord): LogRecord {
  const bytes = (base64: string | null): Buffer | null => (base64 === null ? null : Buffer.from(base64, 'base64'));
  const { offset, timeMs, key, value } = record;
  const headers = Object.fromEntries(
    Object.entries(record.headers).map(([name, text]) => [name, Buffer.from(text, 'base64')]),
  );
  return { topic, partition, offset, timestampMs: timeMs, key: bytes(key), value: bytes(value), headers };
}

export function digestOf(span: SealedSpan, record: SealedRecord): string {
  if ('redacted' in record) return record.redacted;
  const { topic, partition, offset, key, value, headers } = logRecord(span, record);
  return recordDigest({
    topic,
    partition,
    offset,
    timeMs: record.timeMs,
    keyBytes: key,
    valueBytes: value,
    headers,
  });
}

/** Where the chain stands after these records. */
export function chainOf(previous: string, digests: readonly string[]): string {
  return digests.reduce((digest, record) => chainNext(digest, record), previous);
}
