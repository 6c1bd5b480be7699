import { join } from 'node:path';
import type { TopicPartition } from '../../ports/log.ts';
import { partitionName } from '../../ports/log.ts';
import { type LogFiles, readWhole, replaceWhole } from './log-files.ts';
import type { PartitionLog } from './partition-log.ts';

interface CleanEnd {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  readonly end: number;
}

interface MarkContent {
  readonly boot: string;
  readonly clean: boolean;
  /** The log synced what it acknowledged. */
  readonly synced: boolean;
  /** The boot at whose start records may have been lost. */
  readonly lostAt?: string;
  /** What that left. */
  readonly lostEnds?: Readonly<Record<string, number>>;
  readonly ends: Readonly<Record<string, CleanEnd>>;
}

/**
 * `opened.json` says how the log was left: closed cleanly, with the ends of its partitions, so that they need not be searched; or
 * open. It also names the boot of the machine: what was not synced in an earlier boot may have been lost with the power.
 */
export class ClosingMark {
  readonly #files: LogFiles;
  readonly #directory: string;
  readonly #boot: string;
  readonly #syncs: boolean;
  readonly #before: MarkContent | undefined;
  #lost: Pick<MarkContent, 'lostAt' | 'lostEnds'>;

  constructor(files: LogFiles, directory: string, boot: string, syncs: boolean) {
    this.#files = files;
    this.#directory = directory;
    this.#boot = boot;
    this.#syncs = syncs;
    this.#before = parse(readWhole(files, this.#path));
    // Without it, the next one could take an earlier clean close for the last thing that happened.
    const lost = this.powerLost && this.#before?.synced !== true;
    const { lostAt, lostEnds } = this.#before ?? {};
    if (lost) this.#lost = { lostAt: boot };
    else if (lostAt !== boot) this.#lost = {};
    else this.#lost = lostEnds === undefined ? { lostAt } : { lostAt, lostEnds };
    this.#writeOpened();
  }

  /** The partitions are searched, and nothing was appended yet: where they end after a loss is kept for as long as that is known. */
  recovered(partitions: Iterable<PartitionLog>): void {
    if (!this.lostTail || this.#lost.lostEnds !== undefined) return;
    this.#lost = {
      ...this.#lost,
      lostEnds: Object.fromEntries([...partitions].map((one) => [partitionName(one), one.end])),
    };
    this.#writeOpened();
  }

  get recoveredEnds(): Readonly<Record<string, number>> {
    return this.#lost.lostEnds ?? {};
  }

  /** The power went in an earlier boot, and took records that were acknowledged. */
  get lostTail(): boolean {
    return this.#lost.lostAt !== undefined;
  }

  get powerLost(): boolean {
    const before = this.#before;
    return before !== undefined && before.boot !== this.#boot && !(before.clean && before.synced);
  }

  cleanEnd(where: TopicPartition): CleanEnd | undefined {
    return this.#before?.clean === true && !this.powerLost ? this.#before.ends[partitionName(where)] : undefined;
  }

  closedCleanly(partitions: Iterable<PartitionLog>): void {
    const ends: Record<string, CleanEnd> = {};
    for (const partition of partitions) {
      const newest = partition.segments.at(-1);
      if (newest === undefined) continue;
      const { baseOffset, sizeBytes } = newest;
      ends[partitionName(partition)] = { baseOffset, sizeBytes, end: partition.end };
    }
    this.#write({ boot: this.#boot, clean: true, synced: this.#syncs, ends, ...this.#lost }, this.#syncs);
  }

  #writeOpened(): void {
    this.#write({ boot: this.#boot, clean: false, synced: this.#syncs, ends: {}, ...this.#lost }, true);
  }

  get #path(): string {
    return join(this.#directory, 'opened.json');
  }

  #write(content: MarkContent, syncs: boolean): void {
    replaceWhole(this.#files, this.#directory, this.#path, Buffer.from(`${JSON.stringify(content)}\n`), { syncs });
  }
}

/** Nothing but a power loss leaves a mark that cannot be read: it counts as one of an earlier boot. */
const damaged: MarkContent = { boot: 'unknown', clean: false, synced: false, ends: {} };

function parse(bytes: Buffer | undefined): MarkContent | undefined {
  if (bytes === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof content === 'object' && content !== null && 'ends' in content ? (content as MarkContent) : damaged;
  } catch {
    return damaged;
  }
}
