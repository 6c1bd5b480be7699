import type { LogRecord, RecordHeaders } from '../../ports/log.ts';
import { batchHeaderBytes, type Batch } from './batch.ts';
import { encodeName, internName } from './header-names.ts';

/**
 * A record in a batch:
 *
 * | | |
 * |---|---|
 * | uint32 | bytes of the record after this field |
 * | uint32 | offset − base offset of the batch |
 * | length + 1, bytes | key; 0 is none |
 * | length + 1, bytes | value; 0 is none |
 * | number | headers, each: length, name in UTF-8; length, value |
 *
 * Lengths and numbers are LEB128 varints. Key, value and headers are parsed when they are asked for: they are views into the
 * batch and keep its bytes alive.
 */
export class StoredRecord implements LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly #bytes: Buffer;
  /** Where the key's length lies. */
  readonly #start: number;
  #key: Buffer | null | undefined;
  #value: Buffer | null | undefined;
  #headers: RecordHeaders | undefined;
  #valueAt = 0;
  #headersAt = 0;

  constructor(topic: string, partition: number, offset: number, timestampMs: number, bytes: Buffer, start: number) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestampMs = timestampMs;
    this.#bytes = bytes;
    this.#start = start;
  }

  get key(): Buffer | null {
    if (this.#key === undefined) {
      const length = readVarint(this.#bytes, this.#start) - 1;
      const from = varintEnd(this.#bytes, this.#start);
      this.#key = length < 0 ? null : this.#bytes.subarray(from, from + length);
      this.#valueAt = from + Math.max(0, length);
    }
    return this.#key;
  }

  get value(): Buffer | null {
    if (this.#value === undefined) {
      const at = this.#locateValue();
      const length = readVarint(this.#bytes, at) - 1;
      const from = varintEnd(this.#bytes, at);
      this.#value = length < 0 ? null : this.#bytes.subarray(from, from + length);
      this.#headersAt = from + Math.max(0, length);
    }
    return this.#value;
  }

  get headers(): RecordHeaders {
    this.#headers ??= parseHeaders(this.#bytes, this.#locateHeaders());
    return this.#headers;
  }

  keyText(): string {
    const length = readVarint(this.#bytes, this.#start) - 1;
    if (length <= 0) return '';
    const from = varintEnd(this.#bytes, this.#start);
    return this.#bytes.toString('utf8', from, from + length);
  }

  headerText(name: string): string | undefined {
    const bytes = this.#bytes;
    const wanted = encodeName(name);
    let at = this.#locateHeaders();
    let count = readVarint(bytes, at);
    at = varintEnd(bytes, at);
    for (; count > 0; count--) {
      const nameLength = readVarint(bytes, at);
      const nameAt = varintEnd(bytes, at);
      const valueLengthAt = nameAt + nameLength;
      const valueLength = readVarint(bytes, valueLengthAt);
      const valueAt = varintEnd(bytes, valueLengthAt);
      at = valueAt + valueLength;
      if (nameLength === wanted.length && isAt(bytes, nameAt, wanted)) return bytes.toString('utf8', valueAt, at);
    }
    return undefined;
  }

  /** Bytes of key, value, headers and framing. */
  get sizeBytes(): number {
    return this.#bytes.readUInt32LE(this.#start - 8) + 4;
  }

  /** The record as it lies in its batch, for copying it into another. */
  get encoded(): Buffer {
    return this.#bytes.subarray(this.#start - 8, this.#start - 8 + this.sizeBytes);
  }

  #locateValue(): number {
    if (this.#valueAt === 0) {
      const length = readVarint(this.#bytes, this.#start) - 1;
      this.#valueAt = varintEnd(this.#bytes, this.#start) + Math.max(0, length);
    }
    return this.#valueAt;
  }

  #locateHeaders(): number {
    if (this.#headersAt === 0) {
      const at = this.#locateValue();
      const length = readVarint(this.#bytes, at) - 1;
      this.#headersAt = varintEnd(this.#bytes, at) + Math.max(0, length);
    }
    return this.#headersAt;
  }
}

/** Where the records of a batch begin, in its bytes. */
export const firstRecordAt = batchHeaderBytes;

/** Where the record after the one at `at` begins. */
export const nextRecordAt = (bytes: Buffer, at: number): number => at + 4 + readUInt32(bytes, at);

export const offsetAt = ({ bytes, baseOffset }: Batch, at: number): number => baseOffset + readUInt32(bytes, at + 4);

export function recordAt(topic: string, partition: number, batch: Batch, at: number): StoredRecord {
  return new StoredRecord(topic, partition, offsetAt(batch, at), batch.timestampMs, batch.bytes, at + 8);
}

/** All records of a batch. */
export function recordsOf(topic: string, partition: number, batch: Batch): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (let at = firstRecordAt; at < batch.bytes.length; at = nextRecordAt(batch.bytes, at))
    records.push(recordAt(topic, partition, batch, at));
  return records;
}

function parseHeaders(bytes: Buffer, start: number): RecordHeaders {
  const headers: Record<string, Buffer> = {};
  let count = readVarint(bytes, start);
  let at = varintEnd(bytes, start);
  for (; count > 0; count--) {
    const nameLength = readVarint(bytes, at);
    const nameAt = varintEnd(bytes, at);
    const valueLengthAt = nameAt + nameLength;
    const valueLength = readVarint(bytes, valueLengthAt);
    const valueAt = varintEnd(bytes, valueLengthAt);
    headers[internName(bytes, nameAt, nameLength)] = bytes.subarray(valueAt, valueAt + valueLength);
    at = valueAt + valueLength;
  }
  return headers;
}

/** From behind: names differ there rather than in front. */
function isAt(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let index = wanted.length - 1; index >= 0; index--) if (bytes[at + index] !== wanted[index]) return false;
  return true;
}

// Batches passed their checksum, so an index beyond the end would be a defect of the writer: `?? 0` is for the compiler.
function readVarint(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return first;
  let value = first & 0x7f;
  let scale = 128;
  for (let next = at + 1; ; next++) {
    const byte = bytes[next] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
}

function varintEnd(bytes: Buffer, at: number): number {
  let next = at;
  while ((bytes[next] ?? 0) >= 0x80) next++;
  return next + 1;
}

const readUInt32 = (bytes: Buffer, at: number): number =>
  ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)) + (bytes[at + 3] ?? 0) * 0x1000000;
