import { dirname, resolve } from 'node:path';
import { hasCode, MillraceError } from '../../ports/errors.ts';
import type {
  Log,
  LogRecord,
  OutgoingRecord,
  StartPosition,
  SubscribeOptions,
  Subscription,
  SubscriptionHandler,
  TopicConfig,
  TopicPartition,
} from '../../ports/log.ts';
import { type DirectoryLock, lockDirectory } from '../directory-lock.ts';
import { bootId } from '../process-identity.ts';
import { AppendQueue } from './append-queue.ts';
import { Cleaner } from './cleaner.ts';
import { ClosingMark } from './closing-mark.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { type EmbeddedLogOptions, type ResolvedLogOptions, resolveLogOptions } from './embedded-log-options.ts';
import { Member } from './member.ts';
import { PartitionLog } from './partition-log.ts';
import { PartitionReader, type ReadLimits } from './partition-reader.ts';
import { PositionJournal } from './position-journal.ts';
import { recoverPartition } from './segment-recovery.ts';
import { TailCache } from './tail-cache.ts';
import { TopicStore } from './topic-store.ts';
import { writeRefused } from './write-errors.ts';

/** Format of the files of a log that locks its own directory. */
const logFormatVersion = 1;

/**
 * Opens a log that lies in files of this machine, for this process alone. LOCKED while another process has it, NEWER_FORMAT when a
 * newer program wrote it, CORRUPT (with file and byte) when it is damaged elsewhere than at an end that a crash cut short.
 *
 * @example
 * const log = await openEmbeddedLog({ directory: '.millrace/log', durability: 'process' });
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const resolved = resolveLogOptions(options, bootId() ?? '');
  resolved.files.makeDirectory(resolved.directory);
  const lock = resolved.lock ? await lockDirectory(resolved.directory, { formatVersion: logFormatVersion }) : undefined;
  try {
    if (resolved.durability === 'disk') resolved.files.syncDirectory(dirname(resolve(resolved.directory)));
    return new EmbeddedLog(resolved, lock);
  } catch (error) {
    lock?.release();
    throw error;
  }
}

class EmbeddedLog implements Log {
  readonly #lock: DirectoryLock | undefined;
  readonly #directory: string;
  readonly #onProblem: (error: unknown) => void;
  readonly #mark: ClosingMark;
  readonly #topics: TopicStore;
  readonly #journal: PositionJournal;
  readonly #appends: AppendQueue;
  readonly #cleaner: Cleaner;
  readonly #limits: ReadLimits;
  readonly #groups = new Map<string, ConsumerGroup>();
  readonly #members = new Set<Member>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedLogOptions, lock: DirectoryLock | undefined) {
    const { files, directory, segmentBytes, durability, clock } = options;
    const syncs = durability === 'disk';
    this.#lock = lock;
    this.#directory = directory;
    this.#onProblem = options.onProblem;
    this.#limits = { recordsMax: options.deliveryRecordsMax, bytesMax: options.deliveryBytesMax };
    this.#mark = new ClosingMark(files, directory, options.boot, syncs);
    const { powerLost } = this.#mark;
    const storage = { files, segmentBytes, syncs, tails: new TailCache(options.tailBytesMax) };
    this.#topics = new TopicStore(files, directory, (where, partitionDirectory) => {
      const recovered = recoverPartition(partitionDirectory, { files, powerLost, clean: this.#mark.cleanEnd(where) });
      return new PartitionLog(where, partitionDirectory, storage, recovered);
    });
    this.#journal = new PositionJournal(files, directory);
    this.#applyStarts();
    this.#mark.recovered([...this.#topics.all()].flatMap((topic) => topic.partitions));
    if (powerLost) this.#journal.limit((topic, partition) => this.#topics.find(topic)?.partitions[partition]?.end);
    this.#appends = new AppendQueue(this.#topics, clock, directory, syncs);
    this.#cleaner = new Cleaner(this.#topics, {
      files,
      clock,
      intervalMs: options.cleanIntervalMs,
      compactBytesMin: options.compactBytesMin,
      tombstoneMs: options.tombstoneMs,
      truncate: (partition, offset) => this.#truncate(partition, offset),
      failed: options.onProblem,
    });
  }

  get lostTail(): boolean {
    return this.#mark.lostTail;
  }

  get recoveredEnds(): Readonly<Record<string, number>> {
    return this.#mark.recoveredEnds;
  }

  async ensureTopics(topics: readonly TopicConfig[]): Promise<void> {
    this.#checkOpen();
    try {
      this.#topics.ensure(topics);
    } catch (error) {
      throw error instanceof MillraceError ? error : writeRefused(this.#directory, error);
    }
  }

  async partitions(topic: string): Promise<number> {
    this.#checkOpen();
    return this.#topics.get(topic).partitions.length;
  }

  append(records: readonly OutgoingRecord[]): Promise<readonly number[]> {
    return this.#closing === undefined ? this.#appends.append(records) : Promise.reject(closedError());
  }

  async subscribe(options: SubscribeOptions, handler: SubscriptionHandler): Promise<Subscription> {
    this.#checkOpen();
    const { group, start = 'earliest' } = options;
    const topics = [...new Set(options.topics)];
    // Whoever wants what is new means: from this call on, not from the end of a rebalance.
    const ends = new Map(topics.flatMap((name) => this.#topics.get(name).partitions).map((one) => [one, one.end]));
    const shared = this.#group(group);
    const member: Member = new Member({
      handler,
      topics,
      limits: this.#limits,
      stopped: () => {
        this.#members.delete(member);
        shared.leave(member);
      },
      startOf: (partition) => {
        if (start === 'latest') return ends.get(partition) ?? partition.end;
        const committed =
          start === 'committed' && group !== undefined
            ? this.#journal.committed(group, partition.topic)[partition.partition]
            : undefined;
        return committed ?? partition.start;
      },
    });
    this.#members.add(member);
    shared.join(member);
    return {
      pause: (partitions) => member.pause(partitions),
      resume: (partitions) => member.resume(partitions),
      commit: (positions) => this.#commit(member, group, positions),
      close: async () => member.stop(),
    };
  }

  async startOffsets(topic: string): Promise<readonly number[]> {
    this.#checkOpen();
    return this.#topics.get(topic).partitions.map(({ start }) => start);
  }

  async endOffsets(topic: string): Promise<readonly number[]> {
    this.#checkOpen();
    return this.#topics.get(topic).partitions.map(({ end }) => end);
  }

  read(
    where: TopicPartition,
    { from, to }: { readonly from: number; readonly to?: number },
  ): AsyncIterable<readonly LogRecord[]> {
    const end = this.#topics.find(where.topic)?.partitions[where.partition]?.end ?? 0;
    return this.#read(where, from, Math.min(to ?? end, end));
  }

  async *#read(where: TopicPartition, from: number, to: number): AsyncGenerator<readonly LogRecord[]> {
    this.#checkOpen();
    const reader = new PartitionReader(this.#topics.partition(where), from);
    while (reader.position < to) {
      const records = reader.next(to, this.#limits);
      if (records.length > 0) yield records;
      this.#checkOpen();
    }
  }

  async committed(group: string, topic: string): Promise<readonly (number | undefined)[]> {
    this.#checkOpen();
    const offsets = this.#journal.committed(group, topic);
    return this.#topics.get(topic).partitions.map(({ partition }) => offsets[partition]);
  }

  async truncateBefore(where: TopicPartition, offset: number): Promise<void> {
    this.#checkOpen();
    await this.#truncate(this.#topics.partition(where), offset);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const member of [...this.#members]) member.stop();
    try {
      await this.#appends.drain();
      await this.#cleaner.close();
      this.#journal.close();
      const partitions = [...this.#topics.all()].flatMap((topic) => topic.partitions);
      this.#markClosed(partitions);
      for (const partition of partitions) partition.close();
    } finally {
      this.#lock?.release();
    }
  }

  /** Without the mark, the next opening searches for the ends: that is all that a full disk costs here. */
  #markClosed(partitions: readonly PartitionLog[]): void {
    try {
      this.#mark.closedCleanly(partitions);
    } catch (error) {
      this.#onProblem(error);
    }
  }

  #group(name: string | undefined): ConsumerGroup {
    if (name === undefined) return new ConsumerGroup(this.#topics);
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const group = new ConsumerGroup(this.#topics);
    this.#groups.set(name, group);
    return group;
  }

  async #commit(member: Member, group: string | undefined, positions: readonly StartPosition[]): Promise<void> {
    this.#checkOpen();
    const owned = positions.filter((position) => member.owns(position));
    for (const { topic, partition, offset } of owned)
      if (!Number.isSafeInteger(offset) || offset < 0)
        throw new MillraceError(
          'INVALID_ARGUMENT',
          `An offset is a whole number from 0, not ${offset} (${topic}/${partition}).`,
        );
    if (group !== undefined && owned.length > 0) await this.#journal.commit(group, owned);
  }

  /**
   * The start counts once it is in the journal; then files that lie below it go. On a full disk they go first, since nothing else makes
   * room: without them the partition starts at its first file, which is not above the start.
   */
  async #truncate(partition: PartitionLog, offset: number): Promise<void> {
    partition.start = Math.max(partition.start, Math.min(offset, partition.end));
    const noted = async (): Promise<void> =>
      await this.#journal.start(partition.topic, partition.partition, partition.start);
    let isNoted = true;
    try {
      await noted();
    } catch (error) {
      if (!hasCode(error, 'DISK_FULL')) throw error;
      isNoted = false;
    }
    const { segments } = partition;
    const below = segments.filter((_, index) => (segments[index + 1]?.baseOffset ?? Infinity) <= partition.start);
    if (below.length > 0) partition.replaceSegments(below, []);
    if (!isNoted) await noted();
  }

  #applyStarts(): void {
    for (const { config, partitions } of this.#topics.all()) {
      const starts = this.#journal.starts(config.name);
      for (const partition of partitions) {
        const start = Math.min(starts[partition.partition] ?? 0, partition.end);
        partition.start = Math.max(partition.start, start);
      }
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }
}

const closedError = (): MillraceError =>
  new MillraceError('CLOSED', 'The log was closed. Open it again before the next call.');
