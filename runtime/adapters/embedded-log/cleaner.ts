import type { Clock } from '../../ports/clock.ts';
import { compactPartition } from './compaction.ts';
import type { LogFiles } from './log-files.ts';
import type { PartitionLog } from './partition-log.ts';
import type { Segment } from './segment.ts';
import type { StoredTopic, TopicStore } from './topic-store.ts';

export interface CleanerOptions {
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** A partition is compacted when this much was appended since the last time, and half of it may be old. */
  readonly compactBytesMin: number;
  readonly tombstoneMs: number;
  truncate(partition: PartitionLog, offset: number): Promise<void>;
  /** Cleaning failed; it is tried again after the interval. */
  failed(error: unknown): void;
}

/** Retention and compaction, one partition at a time, in the background. */
export class Cleaner {
  readonly #topics: TopicStore;
  readonly #options: CleanerOptions;
  readonly #compactedBytes = new WeakMap<PartitionLog, number>();
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(topics: TopicStore, options: CleanerOptions) {
    this.#topics = topics;
    this.#options = options;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  #schedule(): void {
    if (this.#closed) return;
    const { clock, intervalMs } = this.#options;
    this.#cancel = clock.after(intervalMs, () => {
      this.#running = this.#clean()
        .catch((error: unknown) => this.#options.failed(error))
        .finally(() => this.#schedule());
    });
  }

  async #clean(): Promise<void> {
    for (const topic of [...this.#topics.all()])
      for (const partition of topic.partitions) {
        if (this.#closed) return;
        await this.#expire(topic, partition);
        if (topic.config.cleanup === 'compact') await this.#compact(partition);
      }
  }

  async #expire({ config }: StoredTopic, partition: PartitionLog): Promise<void> {
    if (config.retentionMs === undefined || partition.start >= partition.end) return;
    const offset = firstSince(partition, this.#options.clock.now() - config.retentionMs);
    if (offset > partition.start) await this.#options.truncate(partition, offset);
  }

  async #compact(partition: PartitionLog): Promise<void> {
    const { files, clock, compactBytesMin, tombstoneMs } = this.#options;
    const compacted = this.#compactedBytes.get(partition) ?? compactedBytes(partition);
    const appended = partition.sizeBytes - compacted;
    if (appended <= 0 || appended < compactBytesMin || appended < compacted) return;
    const done = await compactPartition(partition, {
      files,
      tombstonesBeforeMs: clock.now() - tombstoneMs,
      cancelled: () => this.#closed,
    });
    if (done) this.#compactedBytes.set(partition, partition.sizeBytes);
  }
}

/** The first offset that was appended at `timeMs` or later; the end when there is none. */
function firstSince(partition: PartitionLog, timeMs: number): number {
  for (const segment of partition.segments) {
    const next = partition.segments[partition.segments.indexOf(segment) + 1];
    if (next !== undefined && next.baseOffset <= partition.start) continue;
    const found = firstInSegment(segment, partition, timeMs);
    if (found !== undefined) return found;
  }
  return partition.end;
}

function firstInSegment(segment: Segment, { start, end }: PartitionLog, timeMs: number): number | undefined {
  for (let position = segment.locate(start); position < segment.sizeBytes; ) {
    const batches = segment.readBatches(position);
    for (const { baseOffset, timestampMs, bytes } of batches) {
      if (baseOffset >= end) return end;
      if (timestampMs >= timeMs) return baseOffset;
      position += bytes.length;
    }
  }
  return undefined;
}

const compactedBytes = ({ segments }: PartitionLog): number =>
  segments.reduce((sum, { path, sizeBytes }) => sum + (path.endsWith('.compacted') ? sizeBytes : 0), 0);
