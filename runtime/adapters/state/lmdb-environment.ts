import { type Database, open, type RootDatabase } from 'lmdb';
import { type BootGuard, guardAgainstPowerLoss, guardOfAnother } from './lmdb-boot-guard.ts';
import { commitErrorOf, ignoreRejections, notWritten } from './lmdb-errors.ts';
import { decodeMark, encodeMark, endOfPrefix, latin1Keys, type Mark, newVersion } from './lmdb-mark.ts';
import { closed, unknownOutcome } from './state-checks.ts';

export type ReadTransaction = ReturnType<Database['useReadTransaction']>;

const clearPageKeys = 2_000;

/**
 * So many writes are made on the caller's thread. Waking the library's writing thread and hearing back from it costs as much as ten writes
 * without a sync do; more writes than these are better made beside the caller.
 */
const writesAtOnceMax = 16;

/** Threads that have one file open draw the prefixes of tasks from ranges of their own. */
const sharedPrefixes = 0x8000_0000;

/** The LMDB file of a state store: the marks of its tasks, and their values under each task's prefix. */
export class LmdbEnvironment {
  readonly marks: Database<Buffer, string>;
  readonly values: Database<Buffer, string>;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #waitsForDisk: boolean;
  readonly #syncs: boolean;
  readonly #closedCleanly: () => void;
  readonly #prefixesFrom: number;
  #nextPrefix: number;
  #closing: Promise<void> | undefined;

  /**
   * `onDiscarded` is called when a power loss had torn the file, and it begins anew. `shared`: another thread of this process has opened
   * the file before, has looked after it, and closes it last.
   */
  constructor(
    directory: string,
    durability: 'process' | 'disk',
    shared: boolean,
    onDiscarded: (directory: string) => void,
  ) {
    this.#waitsForDisk = durability === 'disk';
    const guard: BootGuard = shared
      ? guardOfAnother(this.#waitsForDisk)
      : guardAgainstPowerLoss(directory, this.#waitsForDisk);
    if (guard.discarded) onDiscarded(directory);
    this.#prefixesFrom = shared ? sharedPrefixes : 1;
    this.#nextPrefix = this.#prefixesFrom;
    const { syncs } = guard;
    this.#syncs = syncs;
    this.#closedCleanly = guard.closedCleanly;
    this.#root = open<Buffer, string>({
      path: directory,
      noSubdir: false,
      encoding: 'binary',
      keyEncoder: latin1Keys,
      maxDbs: 2,
      noMemInit: true,
      // With it the library holds promises of its own, whose rejections nobody could handle.
      eventTurnBatching: false,
      ...(syncs ? { overlappingSync: true, separateFlushed: true } : { noSync: true }),
    });
    // The library's types leave keyEncoder out here.
    const options = { encoding: 'binary', keyEncoder: latin1Keys } as const;
    this.marks = this.#root.openDB('tasks', { ...options, useVersions: true } as object);
    this.values = this.#root.openDB('values', options as object);
  }

  checkOpen(): void {
    if (this.#closing !== undefined) throw closed('state store');
  }

  markOf(task: string, transaction?: ReadTransaction): Mark | undefined {
    const bytes = this.marks.get(task, transaction === undefined ? {} : { transaction });
    return bytes === undefined ? undefined : decodeMark(bytes);
  }

  *allMarks(): Iterable<readonly [task: string, mark: Mark]> {
    for (const { key, value } of this.marks.getRange({ start: '' })) yield [key, decodeMark(value)];
  }

  newPrefix(): string {
    const number = this.#nextPrefix++;
    return String.fromCharCode((number >>> 24) & 255, (number >>> 16) & 255, (number >>> 8) & 255, number & 255);
  }

  /** Replaces a task's mark by what `change` makes of it, in one step; answers the mark before and after, and the new version. */
  changeMark<M extends Mark | undefined>(
    task: string,
    change: (before: Mark | undefined) => M,
  ): { readonly before: Mark | undefined; readonly after: M; readonly version: number } {
    const version = newVersion();
    try {
      return this.marks.transactionSync(() => {
        const before = this.markOf(task);
        const after = change(before);
        if (after !== undefined) this.marks.putSync(task, encodeMark(after), version);
        return { before, after, version };
      });
    } catch (error) {
      throw notWritten(task, error);
    }
  }

  /**
   * Writes under the condition that the task's mark still has `version`; false when it has another. `write` returns the promises of
   * its writes, `writes` many: they all settle as the batch does.
   */
  async writeIf(
    task: string,
    version: number,
    writes: number,
    write: () => readonly Promise<boolean>[],
  ): Promise<boolean> {
    try {
      if (!this.#syncs && writes <= writesAtOnceMax)
        return this.marks.transactionSync(() => this.marks.getEntry(task)?.version === version && write().length >= 0);
      const writing = this.marks.ifVersion(task, version, () => ignoreRejections(write()));
      const done = await writing;
      if (done && this.#waitsForDisk) await (writing as FlushedPromise).flushed;
      return done;
    } catch (error) {
      const cause = await commitErrorOf(error);
      this.marks.resetReadTxn();
      if (this.marks.getEntry(task)?.version !== version) throw unknownOutcome(task, cause);
      throw notWritten(task, cause);
    }
  }

  /** Writes without a condition, for what no mark refers to. */
  async write(task: string, write: () => readonly Promise<boolean>[]): Promise<void> {
    try {
      await this.values.batch(() => ignoreRejections(write()));
    } catch (error) {
      throw notWritten(task, await commitErrorOf(error));
    }
  }

  /** Removes a prefix's keys, a page a transaction so that other tasks' commits get their turns. */
  async clear(task: string, prefix: string): Promise<void> {
    for (;;) {
      const keys = [...this.values.getKeys({ start: prefix, end: endOfPrefix(prefix), limit: clearPageKeys })];
      if (keys.length === 0) return;
      await this.write(task, () => keys.map((key) => this.values.remove(key)));
    }
  }

  /** Finds the first free prefix; answers those in use. */
  findPrefixes(): ReadonlySet<string> {
    const live = new Set<string>();
    for (const [, { prefix }] of this.allMarks()) {
      live.add(prefix);
      const number = Buffer.from(prefix, 'latin1').readUInt32BE();
      if (number >= sharedPrefixes === this.#prefixesFrom >= sharedPrefixes)
        this.#nextPrefix = Math.max(this.#nextPrefix, number + 1);
    }
    return live;
  }

  /** Clears what a reset or a restore that did not come to its end left. */
  async sweep(live: ReadonlySet<string>): Promise<void> {
    let from = '';
    for (;;) {
      const [key] = [...this.values.getKeys({ start: from, limit: 1 })];
      if (key === undefined) return;
      const prefix = key.slice(0, 4);
      if (!live.has(prefix)) await this.clear('that is no longer there', prefix);
      from = endOfPrefix(prefix);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#root.flushed;
    await this.#root.close();
    this.#closedCleanly();
  }
}

/** `flushed` is there because of `separateFlushed`; the library's types leave it out. */
interface FlushedPromise extends Promise<boolean> {
  readonly flushed?: Promise<boolean>;
}
