import { crc32 } from 'node:zlib';

/**
 * Records of one partition that were written at one time. On disk, little endian:
 *
 * | bytes | |
 * |---|---|
 * | 0–3 | magic |
 * | 4–7 | length of the batch with its header |
 * | 8–11 | CRC-32 (ISO 3309, as in zlib) of everything after it |
 * | 12–15 | number of records |
 * | 16–19 | last offset − base offset (compaction takes records away, never moves them) |
 * | 20–23 | flags, 0 |
 * | 24–31 | base offset, a float64 (exact up to 2^53) |
 * | 32–39 | append time in milliseconds since the epoch, a float64 |
 * | 40– | records, see `log-record.ts` |
 */
export interface Batch {
  readonly bytes: Buffer;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
}

export interface BatchHeader {
  readonly lengthBytes: number;
  readonly count: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
}

export const batchHeaderBytes = 40;
/** "MLR1", read as little endian. */
const magic = 0x31524c4d;
const crcAt = 8;
const checkedFrom = 12;

/** Fills in the header of a batch whose records are in place. */
export function sealBatch(bytes: Buffer, header: Omit<BatchHeader, 'lengthBytes'>): Batch {
  const { count, baseOffset, lastOffset, timestampMs } = header;
  bytes.writeUInt32LE(magic, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(count, 12);
  bytes.writeUInt32LE(lastOffset - baseOffset, 16);
  bytes.writeUInt32LE(0, 20);
  bytes.writeDoubleLE(baseOffset, 24);
  bytes.writeDoubleLE(timestampMs, 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(checkedFrom)), crcAt);
  return { bytes, baseOffset, lastOffset, timestampMs };
}

/** The header at `at`; undefined when no header can be there. */
export function parseHeader(bytes: Buffer, at: number): BatchHeader | undefined {
  if (at + batchHeaderBytes > bytes.length || bytes.readUInt32LE(at) !== magic) return undefined;
  const lengthBytes = bytes.readUInt32LE(at + 4);
  if (lengthBytes < batchHeaderBytes) return undefined;
  const baseOffset = bytes.readDoubleLE(at + 24);
  return {
    lengthBytes,
    count: bytes.readUInt32LE(at + 12),
    baseOffset,
    lastOffset: baseOffset + bytes.readUInt32LE(at + 16),
    timestampMs: bytes.readDoubleLE(at + 32),
  };
}

/** The batch at `at` when it is whole and its checksum is right. */
export function parseBatch(bytes: Buffer, at: number): Batch | undefined {
  const header = parseHeader(bytes, at);
  if (header === undefined || at + header.lengthBytes > bytes.length) return undefined;
  const batch = bytes.subarray(at, at + header.lengthBytes);
  if (crc32(batch.subarray(checkedFrom)) !== batch.readUInt32LE(crcAt)) return undefined;
  const { baseOffset, lastOffset, timestampMs } = header;
  return { bytes: batch, baseOffset, lastOffset, timestampMs };
}

/** Where the next whole batch begins, at `from` or later; -1 when there is none. */
export function findBatch(bytes: Buffer, from: number): number {
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32LE(magic);
  for (let at = bytes.indexOf(pattern, from); at >= 0; at = bytes.indexOf(pattern, at + 1))
    if (parseBatch(bytes, at) !== undefined) return at;
  return -1;
}
