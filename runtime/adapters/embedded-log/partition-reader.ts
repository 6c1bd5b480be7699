import type { LogRecord } from '../../ports/log.ts';
import type { Batch } from './batch.ts';
import { firstRecordAt, nextRecordAt, offsetAt, recordAt } from './log-record.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Segment } from './segment.ts';

export interface ReadLimits {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** Reads one partition in offset order: recent batches from memory, older ones from the files. */
export class PartitionReader {
  /** Next offset to read. */
  position: number;
  readonly #log: PartitionLog;
  #batch: Batch | undefined;
  /** Place in the batch. */
  #at = 0;
  /** Batches that were read from a file together. */
  #ahead: Batch[] = [];
  #place: { readonly segment: Segment; readonly position: number; readonly offset: number } | undefined;

  constructor(log: PartitionLog, position: number) {
    this.#log = log;
    this.position = position;
  }

  /** Records below `to`, which is not beyond the partition's end; none when there are none. */
  next(to: number, limits: ReadLimits): LogRecord[] {
    const records: LogRecord[] = [];
    let bytesLeft = limits.bytesMax;
    if (this.position < this.#log.start) this.seek(this.#log.start);
    while (records.length < limits.recordsMax && bytesLeft > 0) {
      const batch = this.#batch ?? this.#nextBatch(to);
      if (batch === undefined) break;
      const { bytes } = batch;
      const from = this.#at;
      let at = from;
      while (at < bytes.length && records.length < limits.recordsMax && at - from < bytesLeft) {
        const offset = offsetAt(batch, at);
        if (offset >= to) break;
        if (offset >= this.position) records.push(recordAt(this.#log.topic, this.#log.partition, batch, at));
        at = nextRecordAt(bytes, at);
      }
      bytesLeft -= at - from;
      this.#at = at;
      const last = records.at(-1);
      if (last !== undefined) this.position = last.offset + 1;
      if (at < bytes.length) break;
      this.position = Math.max(this.position, Math.min(batch.lastOffset + 1, to));
      this.#batch = undefined;
    }
    return records;
  }

  seek(position: number): void {
    this.position = position;
    this.#batch = undefined;
    this.#ahead = [];
    this.#place = undefined;
  }

  #nextBatch(to: number): Batch | undefined {
    if (this.position >= to) return undefined;
    const batch = this.#find();
    if (batch === undefined || batch.baseOffset >= to) {
      // Compaction took away what lay between.
      this.position = to;
      this.#ahead = [];
      return undefined;
    }
    this.#batch = batch;
    this.#at = firstRecordAt;
    return batch;
  }

  /** The batch that holds the position, or the first one after it. */
  #find(): Batch | undefined {
    const { start } = this.#log.tail;
    if (start !== undefined && this.position >= start) {
      this.#ahead = [];
      this.#place = undefined;
      return this.#log.tail.find(this.position);
    }
    while (true) {
      const ahead = this.#ahead.shift();
      if (ahead === undefined) {
        if (!this.#readAhead()) return undefined;
      } else if (ahead.lastOffset >= this.position) return ahead;
    }
  }

  #readAhead(): boolean {
    let place = this.#place;
    if (place === undefined || !place.segment.live || place.offset > this.position) {
      const segment =
        this.#log.segments.findLast(({ baseOffset }) => baseOffset <= this.position) ?? this.#log.segments[0];
      if (segment === undefined) return false;
      place = { segment, position: segment.locate(this.position), offset: this.position };
    }
    let { segment, position } = place;
    let batches = segment.readBatches(position);
    while (batches.length === 0) {
      const next = this.#log.segments[this.#log.segments.indexOf(segment) + 1];
      if (next === undefined) return false;
      segment = next;
      position = 0;
      batches = segment.readBatches(0);
    }
    // What is written but not acknowledged may still be taken back.
    const visible = batches.filter(({ baseOffset }) => baseOffset < this.#log.end);
    const last = visible.at(-1);
    if (last === undefined) return false;
    for (const { bytes } of visible) position += bytes.length;
    this.#ahead = visible;
    this.#place = { segment, position, offset: last.lastOffset + 1 };
    return true;
  }
}
