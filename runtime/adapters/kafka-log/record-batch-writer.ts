import { type OutgoingRecord } from '../../ports/log.ts';
import { crc32c } from './crc32c.ts';
import { headerNameBytes } from './header-names.ts';
import { varintSize, writeVarint } from './varint.ts';

/** Bytes in front of the records of a batch. */
export const batchOverheadBytes = 61;
/** Largest growth of a record by its length, offset and timestamp fields. */
export const recordOverheadBytes = 12;

export interface Sequence {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the first record. */
  readonly first: number;
}

/** Bytes of the record behind its length, without the offset delta (1 to 5 more). */
export function recordBodyBytes({ key, value, headers }: OutgoingRecord): number {
  let size = 2; // attributes, timestamp delta 0
  size += sizedBytes(key === null ? -1 : Buffer.byteLength(key));
  size += sizedBytes(value === null ? -1 : value.byteLength);
  let count = 0;
  for (const name in headers) {
    const bytes = headers[name];
    if (bytes === undefined) continue;
    count++;
    size += sizedBytes(headerNameBytes(name).length) + sizedBytes(Buffer.byteLength(bytes));
  }
  return size + varintSize(count);
}

/**
 * One record batch of format v2, uncompressed. The broker sets offsets and, on topics with LogAppendTime, the time.
 * `bodyBytes` is {@link recordBodyBytes} of each record.
 */
export function writeRecordBatch(
  records: readonly OutgoingRecord[],
  bodyBytes: readonly number[],
  sequence: Sequence,
): Buffer {
  let size = batchOverheadBytes;
  for (let index = 0; index < records.length; index++) {
    const body = (bodyBytes[index] ?? 0) + varintSize(index);
    size += varintSize(body) + body;
  }
  const batch = Buffer.allocUnsafe(size);
  const now = BigInt(Date.now());
  batch.writeBigInt64BE(0n, 0); // offset of the first record: the broker's
  batch.writeInt32BE(size - 12, 8);
  batch.writeInt32BE(-1, 12); // leader epoch
  batch[16] = 2; // format
  batch.writeInt16BE(0, 21); // attributes: no compression, no transaction
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(now, 27);
  batch.writeBigInt64BE(now, 35);
  batch.writeBigInt64BE(sequence.producerId, 43);
  batch.writeInt16BE(sequence.producerEpoch, 51);
  batch.writeInt32BE(sequence.first, 53);
  batch.writeInt32BE(records.length, 57);
  let at = batchOverheadBytes;
  for (let index = 0; index < records.length; index++) {
    const record = records[index];
    if (record !== undefined) at = writeRecord(batch, at, record, index, bodyBytes[index] ?? 0);
  }
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

function writeRecord(batch: Buffer, from: number, record: OutgoingRecord, index: number, bodyBytes: number): number {
  let at = writeVarint(batch, from, bodyBytes + varintSize(index));
  batch[at++] = 0; // attributes
  batch[at++] = 0; // timestamp delta
  at = writeVarint(batch, at, index);
  at = writeBytes(batch, at, record.key);
  at = writeBytes(batch, at, record.value);
  let count = 0;
  for (const name in record.headers) if (record.headers[name] !== undefined) count++;
  at = writeVarint(batch, at, count);
  for (const name in record.headers) {
    const bytes = record.headers[name];
    if (bytes === undefined) continue;
    at = writeBytes(batch, at, headerNameBytes(name));
    at = writeBytes(batch, at, bytes);
  }
  return at;
}

function writeBytes(batch: Buffer, from: number, bytes: Uint8Array | string | null): number {
  if (bytes === null) return writeVarint(batch, from, -1);
  if (typeof bytes === 'string') {
    const at = writeVarint(batch, from, Buffer.byteLength(bytes));
    return at + batch.write(bytes, at);
  }
  const at = writeVarint(batch, from, bytes.byteLength);
  batch.set(bytes, at);
  return at + bytes.byteLength;
}

const sizedBytes = (length: number): number => varintSize(length) + Math.max(0, length);
