import type { LogRecord, OutgoingRecord, TopicPartition } from '../../ports/log.ts';
import { StoredRecord } from '../embedded-log/log-record.ts';
import { recordBytesBound, writeRecord } from '../embedded-log/record-writer.ts';

/** Records as they go from thread to thread: one piece of memory, which moves, in the layout of the embedded log. */
export interface SentRecords {
  /** Records of one partition that follow one another. */
  readonly runs: readonly (TopicPartition & { readonly count: number })[];
  /** Of each record; empty for records that are yet to be appended, as are `timesMs`. */
  readonly offsets: Float64Array;
  readonly timesMs: Float64Array;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Bytes before the key of a record: its length, and its place in a batch. */
const framingBytes = 8;
const none = new Float64Array(0);

export function packOutgoing(records: readonly OutgoingRecord[]): SentRecords {
  return { runs: runsOf(records), offsets: none, timesMs: none, bytes: bytesOf(records) };
}

export function packDelivered(records: readonly LogRecord[]): SentRecords {
  return {
    runs: runsOf(records),
    offsets: Float64Array.from(records, ({ offset }) => offset),
    timesMs: Float64Array.from(records, ({ timestampMs }) => timestampMs),
    bytes: bytesOf(records),
  };
}

/** Views into the memory that came; those that are to be appended have no offset yet. */
export function unpack({ runs, offsets, timesMs, bytes }: SentRecords): StoredRecord[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: StoredRecord[] = [];
  let at = 0;
  for (const { topic, partition, count } of runs)
    for (let left = count; left > 0; left--) {
      const index = records.length;
      records.push(
        new StoredRecord(topic, partition, offsets[index] ?? 0, timesMs[index] ?? 0, buffer, at + framingBytes),
      );
      at += 4 + buffer.readUInt32LE(at);
    }
  return records;
}

function runsOf(records: readonly TopicPartition[]): SentRecords['runs'] {
  const runs: { topic: string; partition: number; count: number }[] = [];
  for (const { topic, partition } of records) {
    const last = runs.at(-1);
    if (last?.topic === topic && last.partition === partition) last.count += 1;
    else runs.push({ topic, partition, count: 1 });
  }
  return runs;
}

/** What was read from the embedded log is copied as it lies there. */
function bytesOf(records: readonly (OutgoingRecord | LogRecord)[]): Uint8Array<ArrayBuffer> {
  let room = 0;
  for (const record of records) room += record instanceof StoredRecord ? record.sizeBytes : recordBytesBound(record);
  const buffer = Buffer.from(new ArrayBuffer(room));
  let at = 0;
  for (const record of records) {
    if (record instanceof StoredRecord) at += record.encoded.copy(buffer, at);
    else at = writeRecord(buffer, at, 0, record);
  }
  return new Uint8Array(buffer.buffer, 0, at);
}
