import { join } from 'node:path';
import type { OutgoingRecord, TopicPartition } from '../../ports/log.ts';
import type { Batch } from './batch.ts';
import { BatchBuilder } from './batch-builder.ts';
import { type LogFiles, writeAll } from './log-files.ts';
import { logName, Segment } from './segment.ts';
import type { RecoveredPartition } from './segment-recovery.ts';
import { PartitionTail, type TailCache } from './tail-cache.ts';

export interface PartitionStorage {
  readonly files: LogFiles;
  readonly segmentBytes: number;
  readonly syncs: boolean;
  readonly tails: TailCache;
}

/** A state of the files to which an append that failed goes back. */
interface Mark {
  readonly end: number;
  readonly segment: Segment | undefined;
  readonly sizeBytes: number;
}

/**
 * One partition: its segments, its recent batches, and its ends. Records go through four steps: `add` encodes, `write` puts them
 * into the file, `publish` shows them to readers (once acknowledged), `rollBack` undoes what was not published.
 */
export class PartitionLog implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly directory: string;
  readonly tail = new PartitionTail();
  /** Called when there is more to read. */
  readonly listeners = new Set<() => void>();
  readonly #storage: PartitionStorage;
  readonly #builder = new BatchBuilder();
  #segments: Segment[];
  /** First offset that is still there. */
  start: number;
  #end: number;
  #nextOffset: number;
  #written: Mark;
  #published: Mark;
  #unpublished: Batch[] = [];
  /** What a rollback could not take off the files yet. */
  #untrimmed: { readonly mark: Mark; readonly later: readonly Segment[] } | undefined;

  constructor(where: TopicPartition, directory: string, storage: PartitionStorage, recovered: RecoveredPartition) {
    this.topic = where.topic;
    this.partition = where.partition;
    this.directory = directory;
    this.#storage = storage;
    this.#segments = recovered.segments;
    this.start = recovered.segments[0]?.baseOffset ?? 0;
    this.#end = recovered.end;
    this.#nextOffset = recovered.end;
    this.#written = this.#mark();
    this.#published = this.#written;
  }

  /** End of what is acknowledged: readers see nothing beyond. */
  get end(): number {
    return this.#end;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get fullyPublished(): boolean {
    return this.#nextOffset === this.#end;
  }

  /** Encodes a record, and answers the offset that it will have. */
  add(record: OutgoingRecord, timestampMs: number, bytesBound: number): number {
    const offset = this.#nextOffset++;
    this.#builder.add(record, offset, timestampMs, bytesBound);
    return offset;
  }

  /** Writes what was added. After an error the caller rolls back. */
  write(timestampMs: number): void {
    const batches = this.#builder.take(timestampMs);
    this.#trim();
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.sizeBytes >= this.#storage.segmentBytes || segment.path.endsWith('.compacted'))
      segment = this.#newSegment(batches[0]?.baseOffset ?? this.#nextOffset);
    const file = segment.openForWriting();
    let position = segment.sizeBytes;
    for (const bytes of contiguous(batches)) {
      writeAll(this.#storage.files, file, bytes, position);
      position += bytes.length;
    }
    for (const batch of batches) {
      segment.grew(batch);
      this.#unpublished.push(batch);
    }
  }

  /** What was written so far stays, also when a later write fails. */
  keepWritten(): void {
    this.#written = this.#mark();
  }

  /** Undoes what was added or written since `keepWritten`. Throws when the file cannot be truncated now. */
  rollBack(): void {
    this.#builder.take(0);
    this.#goBackTo(this.#written);
  }

  /** Undoes everything that was not published. Throws when the file cannot be truncated now. */
  rollBackUnpublished(): void {
    this.#builder.take(0);
    this.#written = this.#published;
    this.#goBackTo(this.#published);
  }

  /** Up to which offset `sync` makes things durable. */
  get writtenEnd(): number {
    return this.#written.end;
  }

  async sync(): Promise<void> {
    const segment = this.#written.segment;
    if (segment !== undefined) await this.#storage.files.sync(segment.openForWriting());
  }

  /** Shows everything below `end` to readers. */
  publish(end: number): void {
    let count = 0;
    for (const batch of this.#unpublished) {
      if (batch.lastOffset >= end) break;
      this.#storage.tails.add(this.tail, batch);
      count++;
    }
    if (count === 0) return;
    this.#unpublished = count === this.#unpublished.length ? [] : this.#unpublished.slice(count);
    this.#end = end;
    this.#published = this.#unpublished.length === 0 ? this.#written : this.#markAt(end);
    for (const listener of this.listeners) listener();
  }

  /** Begins a new file, so that the ones before it are never written again. Only when everything is published. */
  roll(): void {
    const active = this.#segments.at(-1);
    if (active === undefined || (active.sizeBytes === 0 && !active.path.endsWith('.compacted'))) return;
    this.#newSegment(this.#end);
    this.keepWritten();
    this.#published = this.#written;
  }

  /** Puts segments in the place of the oldest ones. */
  replaceSegments(old: readonly Segment[], replacement: readonly Segment[]): void {
    this.#segments = [...replacement, ...this.#segments.filter((segment) => !old.includes(segment))];
    for (const segment of old) {
      segment.live = false;
      segment.closeFile();
      if (!replacement.some(({ path }) => path === segment.path)) this.#storage.files.remove(segment.path);
    }
  }

  close(): void {
    for (const segment of this.#segments) segment.closeFile();
    this.tail.clear();
  }

  #mark(): Mark {
    const segment = this.#segments.at(-1);
    return { end: this.#nextOffset, segment, sizeBytes: segment?.sizeBytes ?? 0 };
  }

  /** The mark at `end`, which lies in the newest segment or in one before it, and behind which something is unpublished. */
  #markAt(end: number): Mark {
    const place = this.#segments.findLastIndex(({ baseOffset }) => baseOffset < end);
    const segment = this.#segments[place];
    const nextBase = this.#segments[place + 1]?.baseOffset ?? Infinity;
    let sizeBytes = segment?.sizeBytes ?? 0;
    for (const { baseOffset, bytes } of this.#unpublished) if (baseOffset < nextBase) sizeBytes -= bytes.length;
    return { end, segment, sizeBytes };
  }

  #newSegment(baseOffset: number): Segment {
    const { files, syncs } = this.#storage;
    const previous = this.#segments.at(-1);
    if (previous === undefined) files.makeDirectory(this.directory);
    else if (previous.sizeBytes > 0) {
      const file = previous.openForWriting();
      // Later syncs reach the newest file only. Without durability on disk it still bounds what a power loss may tear.
      if (syncs) files.syncNow(file);
      else files.sync(file).catch(() => undefined);
    }
    const segment = new Segment(files, join(this.directory, logName(baseOffset)), baseOffset);
    files.truncate(segment.openForWriting(), 0);
    if (syncs) this.#syncDirectories();
    this.#segments.push(segment);
    return segment;
  }

  /** The names of the file and of the folders above it, up to the log's own. */
  #syncDirectories(): void {
    const { files } = this.#storage;
    for (const up of ['.', '..', '../..', '../../..']) files.syncDirectory(join(this.directory, up));
  }

  #goBackTo(mark: Mark): void {
    this.#nextOffset = mark.end;
    this.#unpublished = this.#unpublished.filter(({ baseOffset }) => baseOffset < mark.end);
    const kept = mark.segment === undefined ? 0 : this.#segments.indexOf(mark.segment) + 1;
    const later = this.#segments.slice(kept);
    this.#segments.length = kept;
    mark.segment?.shrank(mark.sizeBytes);
    this.#untrimmed = { mark, later: [...(this.#untrimmed?.later ?? []), ...later] };
    this.#trim();
  }

  #trim(): void {
    if (this.#untrimmed === undefined) return;
    const { files } = this.#storage;
    const { mark, later } = this.#untrimmed;
    for (const segment of later) {
      segment.closeFile();
      files.remove(segment.path);
    }
    if (mark.segment !== undefined) files.truncate(mark.segment.openForWriting(), mark.sizeBytes);
    this.#untrimmed = undefined;
  }
}

/** Joins batches that lie side by side in memory, so that they take one write. */
function contiguous(batches: readonly Batch[]): Buffer[] {
  const joined: Buffer[] = [];
  for (const { bytes } of batches) {
    const last = joined.at(-1);
    if (last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset)
      joined[joined.length - 1] = Buffer.from(bytes.buffer, last.byteOffset, last.length + bytes.length);
    else joined.push(bytes);
  }
  return joined;
}
