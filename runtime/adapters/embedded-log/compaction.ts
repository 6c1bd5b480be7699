import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { batchHeaderBytes, type Batch, sealBatch } from './batch.ts';
import { type LogFiles, writeAll } from './log-files.ts';
import { recordsOf, type StoredRecord } from './log-record.ts';
import type { PartitionLog } from './partition-log.ts';
import { compactedName, Segment } from './segment.ts';

export interface CompactionOptions {
  readonly files: LogFiles;
  /** Tombstones appended before this time go as well. */
  readonly tombstonesBeforeMs: number;
  /** True when the log is closing: the work is given up, nothing has changed. */
  cancelled(): boolean;
}

/**
 * Rewrites everything before the newest segment into one file with the newest record of each key; records without a key stay.
 * Offsets never change. The rename of the file is the moment at which it counts.
 * False when nothing was done: an append was under way, or the log closes.
 */
export async function compactPartition(log: PartitionLog, options: CompactionOptions): Promise<boolean> {
  if (!log.fullyPublished) return false;
  log.roll();
  const old = log.segments.slice(0, -1);
  const [first, end] = [old[0], log.segments.at(-1)?.baseOffset];
  if (first === undefined || end === undefined) return false;
  const newest = await newestOffsets(log, old, options);
  if (newest === undefined) return false;

  const { files } = options;
  const path = join(log.directory, compactedName(first.baseOffset, end));
  const part = `${path}.part`;
  const file = files.open(part, 'write');
  let sizeBytes = 0;
  let whole = false;
  try {
    files.truncate(file, 0);
    for (const batch of batchesOf(old)) {
      if (options.cancelled()) return false;
      const kept = recordsOf(log.topic, log.partition, batch).filter((record) => isKept(record, newest, options));
      if (kept.length > 0) {
        const bytes = rewrite(batch, kept);
        writeAll(files, file, bytes, sizeBytes);
        sizeBytes += bytes.length;
      }
      await nextTurn();
    }
    await files.sync(file);
    whole = !options.cancelled();
  } finally {
    files.close(file);
    // also when the disk is full, which half a file would make worse
    if (!whole) files.remove(part);
  }
  if (!whole) return false;
  files.rename(part, path);
  files.syncDirectory(log.directory);
  const segment = new Segment(files, path, first.baseOffset);
  segment.sizeBytes = sizeBytes;
  log.replaceSegments(old, [segment]);
  log.tail.forgetBelow(end);
  return true;
}

async function newestOffsets(
  log: PartitionLog,
  segments: readonly Segment[],
  options: CompactionOptions,
): Promise<ReadonlyMap<string, number> | undefined> {
  const newest = new Map<string, number>();
  for (const batch of batchesOf(segments)) {
    if (options.cancelled()) return undefined;
    for (const { key, offset } of recordsOf(log.topic, log.partition, batch))
      if (key !== null) newest.set(key.toString('latin1'), offset);
    await nextTurn();
  }
  return newest;
}

function isKept(record: StoredRecord, newest: ReadonlyMap<string, number>, options: CompactionOptions): boolean {
  const { key } = record;
  if (key === null) return true;
  if (newest.get(key.toString('latin1')) !== record.offset) return false;
  return record.value !== null || record.timestampMs >= options.tombstonesBeforeMs;
}

function rewrite({ baseOffset, timestampMs }: Batch, kept: readonly StoredRecord[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(batchHeaderBytes), ...kept.map(({ encoded }) => encoded)]);
  const lastOffset = kept.at(-1)?.offset ?? baseOffset;
  return sealBatch(bytes, { count: kept.length, baseOffset, lastOffset, timestampMs }).bytes;
}

function* batchesOf(segments: readonly Segment[]): Generator<Batch> {
  for (const segment of segments) {
    for (let position = 0; position < segment.sizeBytes; ) {
      for (const batch of segment.readBatches(position)) {
        yield batch;
        position += batch.bytes.length;
      }
    }
  }
}
