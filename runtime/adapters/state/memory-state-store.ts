import { randomBytes } from 'node:crypto';
import type {
  KeyRange,
  StateBatch,
  StateEntry,
  StateSnapshot,
  StateStore,
  TaskState,
} from '../../ports/state-store.ts';
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

export interface MemoryStateStoreOptions {
  /** What outlives the store object, as a disk outlives a process. @default a new one */
  readonly storage?: MemoryStateStorage;
  /**
   * Asked once a commit: 'before' loses the commit before it is written, 'after' loses its answer; both reject with
   * UNKNOWN_OUTCOME. For generated histories. @default no fault
   */
  readonly commitFault?: (task: string) => 'before' | 'after' | undefined;
}

/** StateStore in memory, for tests and for the driver. Nothing survives the process. */
export function createMemoryStateStore(options: MemoryStateStoreOptions = {}): StateStore {
  return new MemoryStateStore(options.storage ?? new MemoryStateStorage(), options.commitFault ?? (() => undefined));
}

/** What the store holds of one task. */
export interface StoredTask {
  epoch: number;
  nonce: string;
  position: number | undefined;
  /** Grows by one a commit: tells a store that went back from one that did not, also where the position did not move. */
  sequence: number;
  values: Map<string, Uint8Array>;
}

/** The data of memory stores: can be copied, set back to a copy, and wiped, which is how tests make a store go back or lose all. */
export class MemoryStateStorage {
  readonly tasks = new Map<string, StoredTask>();

  copy(): MemoryStateStorage {
    const copy = new MemoryStateStorage();
    copy.setBack(this);
    return copy;
  }

  setBack(older: MemoryStateStorage): void {
    this.tasks.clear();
    for (const [name, task] of older.tasks) this.tasks.set(name, { ...task, values: new Map(task.values) });
  }

  wipe(): void {
    this.tasks.clear();
  }
}

class MemoryStateStore implements StateStore {
  readonly #storage: MemoryStateStorage;
  readonly #commitFault: (task: string) => 'before' | 'after' | undefined;
  #closed = false;

  constructor(storage: MemoryStateStorage, commitFault: (task: string) => 'before' | 'after' | undefined) {
    this.#storage = storage;
    this.#commitFault = commitFault;
  }

  async open(task: string): Promise<TaskState> {
    if (this.#closed) throw closed('state store');
    checkTask(task);
    const before = this.#storage.tasks.get(task);
    const stored: StoredTask = {
      epoch: (before?.epoch ?? 0) + 1,
      nonce: randomBytes(12).toString('hex'),
      position: before?.position,
      sequence: before?.sequence ?? 0,
      values: before?.values ?? new Map<string, Uint8Array>(),
    };
    this.#storage.tasks.set(task, stored);
    return new MemoryTaskState(this.#storage, task, stored, () => this.#closed, this.#commitFault);
  }

  async reset(task: string): Promise<void> {
    if (this.#closed) throw closed('state store');
    checkTask(task);
    const before = this.#storage.tasks.get(task);
    if (before === undefined) return;
    this.#storage.tasks.set(task, {
      epoch: before.epoch + 1,
      nonce: '',
      position: undefined,
      sequence: before.sequence + 1,
      values: new Map(),
    });
  }

  async tasks(): Promise<readonly string[]> {
    if (this.#closed) throw closed('state store');
    return [...this.#storage.tasks]
      .filter(([, { position }]) => position !== undefined)
      .map(([name]) => name)
      .sort();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

class MemoryTaskState implements TaskState {
  readonly task: string;
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  readonly #storage: MemoryStateStorage;
  readonly #isClosed: () => boolean;
  readonly #commitFault: (task: string) => 'before' | 'after' | undefined;
  #sequence: number;
  #lost = false;
  /** Sorted keys of `#sortedOf`, made when a range is asked for and dropped when a key comes or goes. */
  #sorted: readonly string[] | undefined;
  #sortedOf: Map<string, Uint8Array> | undefined;

  constructor(
    storage: MemoryStateStorage,
    task: string,
    stored: StoredTask,
    isClosed: () => boolean,
    commitFault: (task: string) => 'before' | 'after' | undefined,
  ) {
    this.#storage = storage;
    this.task = task;
    this.epoch = stored.epoch;
    this.nonce = stored.nonce;
    this.position = stored.position;
    this.#sequence = stored.sequence;
    this.#isClosed = isClosed;
    this.#commitFault = commitFault;
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    for (const key of keys) checkKey(key);
    const values = this.#values();
    return keys.map((key) => values.get(key)?.slice());
  }

  async range(range: KeyRange): Promise<readonly StateEntry[]> {
    checkRange(range);
    const values = this.#values();
    const keys = this.#sortedKeys(values);
    const from = lowerBound(keys, range.gte);
    const to = Math.max(from, lowerBound(keys, range.lt));
    const page =
      range.reverse === true
        ? keys.slice(Math.max(from, to - range.limit), to).reverse()
        : keys.slice(from, Math.min(to, from + range.limit));
    return entriesOf(values, page);
  }

  async commit(expectedPosition: number | undefined, batch: StateBatch): Promise<void> {
    checkBatch(batch);
    const stored = this.#owned(expectedPosition);
    const fault = this.#commitFault(this.task);
    if (fault === 'before') throw this.#lose();
    for (const key of batch.delete) if (stored.values.delete(key)) this.#sorted = undefined;
    for (const [key, value] of batch.put) {
      if (!stored.values.has(key)) this.#sorted = undefined;
      stored.values.set(key, Uint8Array.from(value));
    }
    stored.position = batch.position;
    stored.sequence += 1;
    this.#sequence = stored.sequence;
    if (fault === 'after') throw this.#lose();
  }

  async snapshot(): Promise<StateSnapshot> {
    if (this.#isClosed()) throw closed('state store');
    const values = new Map(this.#values());
    const position = this.#storage.tasks.get(this.task)?.position;
    return { position, entries: pagesOf(values) };
  }

  async restore(position: number, entries: AsyncIterable<readonly StateEntry[]>): Promise<void> {
    checkPosition(position);
    const values = new Map<string, Uint8Array>();
    for await (const page of entries) {
      for (const entry of page) {
        checkEntry(entry);
        values.set(entry[0], Uint8Array.from(entry[1]));
      }
    }
    const stored = this.#owned(this.#storage.tasks.get(this.task)?.position);
    stored.values = values;
    stored.position = position;
    stored.sequence += 1;
    this.#sequence = stored.sequence;
  }

  #values(): Map<string, Uint8Array> {
    if (this.#isClosed()) throw closed('state store');
    return this.#storage.tasks.get(this.task)?.values ?? new Map<string, Uint8Array>();
  }

  #owned(expectedPosition: number | undefined): StoredTask {
    if (this.#isClosed()) throw closed('state store');
    if (this.#lost) throw fenced(this.task, 'an earlier commit of this owner had an unknown outcome');
    const stored = this.#storage.tasks.get(this.task);
    if (stored === undefined) throw fenced(this.task, 'the store has lost the task');
    if (stored.epoch !== this.epoch || stored.nonce !== this.nonce) {
      throw fenced(this.task, `its epoch is ${stored.epoch} now and this owner has ${this.epoch}`);
    }
    if (stored.position !== expectedPosition || stored.sequence !== this.#sequence) {
      throw fenced(
        this.task,
        `expected position ${expectedPosition}, the store has ${stored.position} (or went back in time)`,
      );
    }
    return stored;
  }

  #lose(): Error {
    this.#lost = true;
    return unknownOutcome(this.task, 'an injected fault');
  }

  #sortedKeys(values: Map<string, Uint8Array>): readonly string[] {
    if (this.#sorted === undefined || this.#sortedOf !== values || this.#sorted.length !== values.size) {
      this.#sorted = [...values.keys()].sort();
      this.#sortedOf = values;
    }
    return this.#sorted;
  }
}

async function* pagesOf(values: Map<string, Uint8Array>): AsyncIterable<readonly StateEntry[]> {
  const keys = [...values.keys()].sort();
  for (let at = 0; at < keys.length; at += 500) yield entriesOf(values, keys.slice(at, at + 500));
}

function entriesOf(values: Map<string, Uint8Array>, keys: readonly string[]): readonly StateEntry[] {
  return keys.map((key) => [key, (values.get(key) ?? new Uint8Array()).slice()]);
}

/** Index of the first key that is not below `bound`. */
function lowerBound(keys: readonly string[], bound: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
