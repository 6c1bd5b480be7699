import { MillraceError } from '../../ports/errors.ts';
import type { KeyRange, StateBatch, StateEntry, StateSnapshot, TaskState } from '../../ports/state-store.ts';
import type { LmdbEnvironment } from './lmdb-environment.ts';
import { encodeMark, endOfPrefix, type Mark } from './lmdb-mark.ts';
import { readOnce } from './read-once.ts';
import { checkBatch, checkEntry, checkKey, checkPosition, checkRange, fenced } from './state-checks.ts';

const snapshotPageEntries = 500;

export class LmdbTaskState implements TaskState {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly #environment: LmdbEnvironment;
  #mark: Mark;
  #version: number;
  #committing = false;
  #lost = false;

  constructor(environment: LmdbEnvironment, task: string, mark: Mark, version: number) {
    this.#environment = environment;
    this.task = task;
    this.epoch = mark.epoch;
    this.nonce = mark.nonce;
    this.position = mark.position;
    this.#mark = mark;
    this.#version = version;
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#environment.checkOpen();
    const { values } = this.#environment;
    const { prefix } = this.#mark;
    return keys.map((key) => {
      checkKey(key);
      return values.getBinary(prefix + key);
    });
  }

  async range(range: KeyRange): Promise<readonly StateEntry[]> {
    checkRange(range);
    this.#environment.checkOpen();
    if (range.gte >= range.lt) return [];
    const { prefix } = this.#mark;
    const gte = prefix + range.gte;
    const lt = prefix + range.lt;
    const bounds =
      range.reverse === true
        ? { start: lt, exclusiveStart: true, end: gte, inclusiveEnd: true, reverse: true }
        : { start: gte, end: lt };
    return entriesOf(this.#environment.values.getRange({ ...bounds, limit: range.limit }));
  }

  async commit(expectedPosition: number | undefined, batch: StateBatch): Promise<void> {
    checkBatch(batch);
    this.#checkOwned(expectedPosition);
    const next: Mark = { ...this.#mark, position: batch.position };
    const { prefix } = next;
    await this.#advance(next, batch.put.length + batch.delete.length, (version) => {
      const { values, marks } = this.#environment;
      const writes: Promise<boolean>[] = [];
      for (const key of batch.delete) writes.push(values.remove(prefix + key));
      for (const [key, value] of batch.put) writes.push(values.put(prefix + key, value as Buffer));
      writes.push(marks.put(this.task, encodeMark(next), version));
      return writes;
    });
  }

  async snapshot(): Promise<StateSnapshot> {
    this.#environment.checkOpen();
    const { values } = this.#environment;
    const transaction = values.useReadTransaction();
    const mark = this.#environment.markOf(this.task, transaction);
    if (mark === undefined) {
      transaction.done();
      return { position: undefined, entries: readOnce<readonly StateEntry[]>(async () => undefined) };
    }
    const end = endOfPrefix(mark.prefix);
    let start = mark.prefix;
    const nextPage = async (): Promise<readonly StateEntry[] | undefined> => {
      this.#environment.checkOpen();
      const page = entriesOf(values.getRange({ start, end, limit: snapshotPageEntries, transaction }));
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
    const { values, marks } = this.#environment;
    const old = this.#mark;
    const next: Mark = { ...old, position, prefix: this.#environment.newPrefix() };
    try {
      for await (const page of entries) {
        for (const entry of page) checkEntry(entry);
        await this.#environment.write(this.task, () =>
          page.map(([key, value]) => values.put(next.prefix + key, value as Buffer)),
        );
      }
      await this.#advance(next, 0, (version) => [marks.put(this.task, encodeMark(next), version)]);
    } catch (error) {
      if (!this.#lost) await this.#environment.clear(this.task, next.prefix).catch(() => {}); // else the next open sweeps it
      throw error;
    }
    await this.#environment.clear(this.task, old.prefix);
  }

  async #advance(next: Mark, writes: number, write: (version: number) => readonly Promise<boolean>[]): Promise<void> {
    const version = this.#version + 1;
    this.#committing = true;
    try {
      const done = await this.#environment.writeIf(this.task, this.#version, writes, () => write(version));
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
    this.#environment.checkOpen();
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
    const stored = this.#environment.markOf(this.task);
    if (stored === undefined) return 'the store has lost the task';
    if (stored.epoch !== this.epoch || stored.nonce !== this.nonce) {
      return `its epoch is ${stored.epoch} now and this owner has ${this.epoch}`;
    }
    return `expected position ${this.#mark.position}, the store has ${stored.position}: it went back in time`;
  }
}

function entriesOf(range: Iterable<{ key: string; value: Buffer }>): StateEntry[] {
  const entries: StateEntry[] = [];
  for (const { key, value } of range) entries.push([key.slice(4), value]);
  return entries;
}
