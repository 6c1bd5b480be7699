import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import type {
  KeyRange,
  StateBatch,
  StateEntry,
  StateSnapshot,
  StateStore,
  TaskState,
} from '../../ports/state-store.ts';
import { guardAgainstPowerLoss } from './lmdb-boot-guard.ts';
import { readOnce } from './read-once.ts';
import {
  checkBatch,
  checkEntry,
  checkKey,
  checkPosition,
  checkRange,
  checkTask,
  closed,
  fenced,
  unknownOutcome,
} from './state-checks.ts';

export interface LmdbStateStoreOptions {
  /** Made when it is missing. Belongs to one process at a time. */
  readonly directory: string;
  /**
   * 'process': a resolved commit survives kill -9 of every process; a power loss empties the store, and tasks are rebuilt.
   * 'disk': it survives power loss as well; a commit waits for the disk, one wait for all that came meanwhile.
   * @default 'process'
   */
  readonly durability?: 'process' | 'disk' | undefined;
  /** Told when a power loss was found and the state was removed. @default nobody */
  readonly onDiscarded?: ((directory: string) => void) | undefined;
}

/**
 * StateStore on LMDB: one environment for all tasks.
 *
 * `tasks` maps a task's name to its mark (epoch, nonce, position, prefix); `values` maps prefix + key to bytes. The mark carries a
 * version that no two commits share, and a commit is one conditional batch on it: it is checked and written by LMDB's own thread,
 * so the caller's thread only hands the bytes over. A version stands for epoch, nonce, position and the whole history.
 * `reset` and `restore` give the task a new prefix in one step, and clear the old one afterwards.
 */
export async function openLmdbStateStore(options: LmdbStateStoreOptions): Promise<StateStore> {
  mkdirSync(options.directory, { recursive: true });
  const guard = guardAgainstPowerLoss(options.directory);
  if (guard.discarded) options.onDiscarded?.(options.directory);
  const waitsForDisk = options.durability === 'disk';
  const syncs = waitsForDisk || !guard.canTell;
  const environment = open<Buffer, string>({
    path: options.directory,
    noSubdir: false,
    encoding: 'binary',
    keyEncoder: latin1Keys,
    maxDbs: 2,
    noMemInit: true,
    // With it the library holds promises of its own, whose rejections nobody could handle.
    eventTurnBatching: false,
    ...(syncs ? { overlappingSync: true, separateFlushed: true } : { noSync: true }),
  });
  const store = new LmdbStateStore(environment, waitsForDisk, syncs ? () => {} : guard.closedCleanly);
  await store.sweep();
  return store;
}

interface Mark {
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  /** First four characters of this task's keys in `values`. */
  readonly prefix: string;
}

const clearPageSize = 2_000;
const snapshotPageSize = 500;

class LmdbStateStore implements StateStore {
  readonly tasksByName: Database<Buffer, string>;
  readonly values: Database<Buffer, string>;
  readonly #environment: RootDatabase<Buffer, string>;
  readonly #waitsForDisk: boolean;
  readonly #closedCleanly: () => void;
  #nextPrefix = 1;
  #closing: Promise<void> | undefined;

  constructor(environment: RootDatabase<Buffer, string>, waitsForDisk: boolean, closedCleanly: () => void) {
    this.#environment = environment;
    this.#waitsForDisk = waitsForDisk;
    this.#closedCleanly = closedCleanly;
    this.tasksByName = environment.openDB('tasks', {
      useVersions: true,
      encoding: 'binary',
      keyEncoder: latin1Keys,
    } as object);
    this.values = environment.openDB('values', { encoding: 'binary', keyEncoder: latin1Keys } as object);
  }

  async open(task: string): Promise<TaskState> {
    this.checkOpen();
    checkTask(task);
    const version = newVersion();
    const mark = this.tasksByName.transactionSync(() => {
      const before = this.markOf(task);
      const opened: Mark = {
        epoch: (before?.epoch ?? 0) + 1,
        nonce: randomBytes(12).toString('hex'),
        position: before?.position,
        prefix: before?.prefix ?? this.newPrefix(),
      };
      this.tasksByName.putSync(task, encodeMark(opened), version);
      return opened;
    });
    return new LmdbTaskState(this, task, mark, version);
  }

  async reset(task: string): Promise<void> {
    this.checkOpen();
    checkTask(task);
    const before = this.tasksByName.transactionSync(() => {
      const found = this.markOf(task);
      if (found === undefined) return undefined;
      const next: Mark = { epoch: found.epoch + 1, nonce: '', position: undefined, prefix: this.newPrefix() };
      this.tasksByName.putSync(task, encodeMark(next), newVersion());
      return found;
    });
    if (before !== undefined) await this.clear(task, before.prefix);
  }

  async tasks(): Promise<readonly string[]> {
    this.checkOpen();
    return [...this.#marks()].filter(([, { position }]) => position !== undefined).map(([name]) => name);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  checkOpen(): void {
    if (this.#closing !== undefined) throw closed('state store');
  }

  markOf(task: string, transaction?: ReturnType<Database['useReadTransaction']>): Mark | undefined {
    const bytes = this.tasksByName.get(task, transaction === undefined ? {} : { transaction });
    return bytes === undefined ? undefined : decodeMark(bytes);
  }

  newPrefix(): string {
    const number = this.#nextPrefix++;
    return String.fromCharCode((number >>> 24) & 255, (number >>> 16) & 255, (number >>> 8) & 255, number & 255);
  }

  /**
   * Writes under the condition that the task's mark still has `version`; false when it has another. `write` returns the promises of
   * its writes: they all settle as the batch does.
   */
  async writeIf(task: string, version: number, write: () => readonly Promise<boolean>[]): Promise<boolean> {
    try {
      const writing = this.tasksByName.ifVersion(task, version, () => ignoreRejections(write()));
      const done = await writing;
      if (done && this.#waitsForDisk) await (writing as FlushedPromise).flushed;
      return done;
    } catch (error) {
      const cause = await commitErrorOf(error);
      if (this.tasksByName.getEntry(task)?.version !== version) throw unknownOutcome(task, cause);
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
      const keys = [...this.values.getKeys({ start: prefix, end: endOfPrefix(prefix), limit: clearPageSize })];
      if (keys.length === 0) return;
      await this.write(task, () => keys.map((key) => this.values.remove(key)));
    }
  }

  /** Clears what a reset or a restore that did not come to its end left, and finds the first free prefix. */
  async sweep(): Promise<void> {
    const live = new Set<string>();
    for (const [, { prefix }] of this.#marks()) {
      live.add(prefix);
      this.#nextPrefix = Math.max(this.#nextPrefix, Buffer.from(prefix, 'latin1').readUInt32BE() + 1);
    }
    let from = '';
    for (;;) {
      const [key] = [...this.values.getKeys({ start: from, limit: 1 })];
      if (key === undefined) return;
      const prefix = key.slice(0, 4);
      if (!live.has(prefix)) await this.clear('that is no longer there', prefix);
      from = endOfPrefix(prefix);
    }
  }

  *#marks(): Iterable<readonly [string, Mark]> {
    for (const { key, value } of this.tasksByName.getRange({ start: '' })) yield [key, decodeMark(value)];
  }

  async #close(): Promise<void> {
    await this.#environment.flushed;
    await this.#environment.close();
    this.#closedCleanly();
  }
}

class LmdbTaskState implements TaskState {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly #store: LmdbStateStore;
  #mark: Mark;
  #version: number;
  #committing = false;
  #lost = false;

  constructor(store: LmdbStateStore, task: string, mark: Mark, version: number) {
    this.#store = store;
    this.task = task;
    this.epoch = mark.epoch;
    this.nonce = mark.nonce;
    this.position = mark.position;
    this.#mark = mark;
    this.#version = version;
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#store.checkOpen();
    const { values } = this.#store;
    const { prefix } = this.#mark;
    return keys.map((key) => {
      checkKey(key);
      return values.getBinary(prefix + key);
    });
  }

  async range(range: KeyRange): Promise<readonly StateEntry[]> {
    checkRange(range);
    this.#store.checkOpen();
    if (range.gte >= range.lt) return [];
    const { prefix } = this.#mark;
    const gte = prefix + range.gte;
    const lt = prefix + range.lt;
    const bounds =
      range.reverse === true
        ? { start: lt, exclusiveStart: true, end: gte, inclusiveEnd: true, reverse: true }
        : { start: gte, end: lt };
    return entriesOf(this.#store.values.getRange({ ...bounds, limit: range.limit }));
  }

  async commit(expectedPosition: number | undefined, batch: StateBatch): Promise<void> {
    checkBatch(batch);
    this.#checkOwned(expectedPosition);
    const next: Mark = { ...this.#mark, position: batch.position };
    const { prefix } = next;
    await this.#advance(next, (version) => {
      const { values, tasksByName } = this.#store;
      const writes: Promise<boolean>[] = [];
      for (const key of batch.delete) writes.push(values.remove(prefix + key));
      for (const [key, value] of batch.put) writes.push(values.put(prefix + key, value as Buffer));
      writes.push(tasksByName.put(this.task, encodeMark(next), version));
      return writes;
    });
  }

  async snapshot(): Promise<StateSnapshot> {
    this.#store.checkOpen();
    const { values } = this.#store;
    const transaction = values.useReadTransaction();
    const mark = this.#store.markOf(this.task, transaction);
    if (mark === undefined) {
      transaction.done();
      return { position: undefined, entries: readOnce<readonly StateEntry[]>(async () => undefined) };
    }
    const end = endOfPrefix(mark.prefix);
    let start = mark.prefix;
    const nextPage = async (): Promise<readonly StateEntry[] | undefined> => {
      this.#store.checkOpen();
      const page = entriesOf(values.getRange({ start, end, limit: snapshotPageSize, transaction }));
      const last = page.at(-1);
      if (last === undefined) return undefined;
      start = `${mark.prefix}${last[0]}\0`;
      return page;
    };
    return { position: mark.position, entries: readOnce(nextPage, async () => transaction.done()) };
  }

  async restore(position: number, entries: AsyncIterable<readonly StateEntry[]>): Promise<void> {
    checkPosition(position);
    this.#checkOwned(this.#mark.position);
    const { values, tasksByName } = this.#store;
    const old = this.#mark;
    const next: Mark = { ...old, position, prefix: this.#store.newPrefix() };
    try {
      for await (const page of entries) {
        for (const entry of page) checkEntry(entry);
        await this.#store.write(this.task, () =>
          page.map(([key, value]) => values.put(next.prefix + key, value as Buffer)),
        );
      }
      await this.#advance(next, (version) => [tasksByName.put(this.task, encodeMark(next), version)]);
    } catch (error) {
      if (!this.#lost) await this.#store.clear(this.task, next.prefix).catch(() => {}); // else the next open sweeps it
      throw error;
    }
    await this.#store.clear(this.task, old.prefix);
  }

  async #advance(next: Mark, write: (version: number) => readonly Promise<boolean>[]): Promise<void> {
    const version = this.#version + 1;
    this.#committing = true;
    try {
      const done = await this.#store.writeIf(this.task, this.#version, () => write(version));
      if (!done) throw fenced(this.task, this.#whyRefused());
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'UNKNOWN_OUTCOME') this.#lost = true;
      throw error;
    } finally {
      this.#committing = false;
    }
    this.#mark = next;
    this.#version = version;
  }

  #checkOwned(expectedPosition: number | undefined): void {
    this.#store.checkOpen();
    if (this.#lost) throw fenced(this.task, 'an earlier commit of this owner had an unknown outcome');
    if (this.#committing) {
      throw new MillraceError(
        'CONFLICT',
        `A commit of task ${this.task} is under way: wait for it before the next one.`,
      );
    }
    if (expectedPosition !== this.#mark.position) {
      throw fenced(
        this.task,
        `the caller expects position ${expectedPosition}, this owner is at ${this.#mark.position}`,
      );
    }
  }

  #whyRefused(): string {
    const stored = this.#store.markOf(this.task);
    if (stored === undefined) return 'the store has lost the task';
    if (stored.epoch !== this.epoch || stored.nonce !== this.nonce) {
      return `its epoch is ${stored.epoch} now and this owner has ${this.epoch}`;
    }
    return `expected position ${this.#mark.position}, the store has ${stored.position}: it went back in time`;
  }
}

/** `flushed` is there because of `separateFlushed`; the library's types leave it out. */
interface FlushedPromise extends Promise<boolean> {
  readonly flushed?: Promise<boolean>;
}

const latin1Keys = {
  writeKey: (key: string, target: Buffer, start: number): number => start + target.write(key, start, 'latin1'),
  readKey: (source: Buffer, start: number, end: number): string => source.toString('latin1', start, end),
};

/** First of a run of versions that no other owner of the task draws: whole numbers that a double holds exactly. */
const newVersion = (): number => randomInt(1, 2 ** 47) * 2 ** 5;

/** Past every key of a prefix: keys are ASCII. */
const endOfPrefix = (prefix: string): string => `${prefix}\xff`;

function entriesOf(range: Iterable<{ key: string; value: Buffer }>): StateEntry[] {
  const entries: StateEntry[] = [];
  for (const { key, value } of range) entries.push([key.slice(4), value]);
  return entries;
}

function encodeMark(mark: Mark): Buffer {
  const bytes = Buffer.allocUnsafe(20 + mark.nonce.length);
  bytes.writeDoubleBE(mark.epoch, 0);
  bytes.writeDoubleBE(mark.position ?? -1, 8);
  bytes.write(mark.prefix, 16, 'latin1');
  bytes.write(mark.nonce, 20, 'latin1');
  return bytes;
}

function decodeMark(bytes: Buffer): Mark {
  const position = bytes.readDoubleBE(8);
  return {
    epoch: bytes.readDoubleBE(0),
    position: position < 0 ? undefined : position,
    prefix: bytes.toString('latin1', 16, 20),
    nonce: bytes.toString('latin1', 20),
  };
}

/** The mark is as it was, so nothing of the transaction was written. LMDB says EIO when a write was cut short by a full disk. */
function notWritten(task: string, cause: unknown): MillraceError {
  const options = { cause, details: { task } };
  if (/ENOSPC|EDQUOT|EFBIG|EIO|No space left|quota|too large|Input\/output error/i.test(messageOf(cause))) {
    const why = `No space is left to write the state of task ${task} (${messageOf(cause)}); nothing was written`;
    return new MillraceError('DISK_FULL', `${why}. Free some space.`, options);
  }
  return new MillraceError(
    'UNAVAILABLE',
    `The state of task ${task} could not be written: ${messageOf(cause)}.`,
    options,
  );
}

/** Each write of a batch answers for itself; the batch's own promise is the one that is looked at. */
function ignoreRejections(writes: readonly Promise<boolean>[]): void {
  let last: Promise<boolean> | undefined;
  for (const write of writes) {
    if (write !== last) write.catch(() => {});
    last = write;
  }
}

async function commitErrorOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
