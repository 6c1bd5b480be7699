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
  /** Everything was synced before this was written. */
  readonly synced: boolean;
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

  constructor(files: LogFiles, directory: string, boot: string, syncs: boolean) {
    this.#files = files;
    this.#directory = directory;
    this.#boot = boot;
    this.#syncs = syncs;
    this.#before = parse(readWhole(files, this.#path));
    // Without it, the next one could take an earlier clean close for the last thing that happened.
    this.#write({ boot, clean: false, synced: false, ends: {} }, true);
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
    this.#write({ boot: this.#boot, clean: true, synced: this.#syncs, ends }, this.#syncs);
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
