import { MillraceError } from '../ports/errors.ts';
import type { StateEntry, TaskState } from '../ports/state-store.ts';
import { isStateKey } from './effect-checks.ts';
import type { RangeRead, Reads, StateView } from './topology.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/** A topology's own keys lie behind this, apart from the engine's. */
const own = 'k/';

/** Decoded values kept between batches. */
const cachedValuesMax = 50_000;
const absent = Symbol('absent');
/** As the state port allows. */
const valueBytesMax = 16 * 1024 * 1024;

interface FetchedRange {
  readonly entries: readonly (readonly [string, unknown])[];
  /** There is no more behind the last entry. */
  readonly whole: boolean;
}

/** A key and what it holds now; `absent` when the store has nothing. */
interface Entry {
  readonly key: string;
  value: unknown;
  /** Written since the last commit. */
  dirty: boolean;
}

/**
 * The values of one task as its fold sees them: committed ones, fetched before the fold and kept in a bounded cache, with the
 * writes since the last commit on top. Only the owner writes a task, so the cache is right as long as commits succeed.
 */
export class StateCache implements StateView {
  readonly #state: TaskState;
  readonly #freeze: boolean;
  readonly #strict: boolean;
  readonly #entries = new Map<string, Entry>();
  #written: Entry[] = [];
  #ranges = new Map<string, FetchedRange>();
  /** Writes of the record that is being folded, each key before its value; they count only when its fold succeeded whole. */
  readonly #pending: unknown[] = [];
  #declared: Reads = {};

  /** `strict` encodes each value when it is put, to find the fold whose value cannot be stored. */
  constructor(state: TaskState, options: { readonly freeze?: boolean; readonly strict?: boolean } = {}) {
    this.#state = state;
    this.#freeze = options.freeze ?? false;
    this.#strict = options.strict ?? false;
  }

  /** Fetches what the reads name and the cache lacks. A key that no store takes has no value. */
  async prefetch(reads: readonly Reads[]): Promise<void> {
    let missing: Set<string> | undefined;
    const ranges = new Map<string, RangeRead>();
    for (const read of reads) {
      if (read.keys !== undefined)
        for (const key of read.keys) if (!this.#entries.has(key)) (missing ??= new Set()).add(key);
      if (read.ranges !== undefined)
        for (const range of read.ranges)
          if ((ranges.get(range.prefix)?.limit ?? 0) < range.limit && isStateKey(range.prefix))
            ranges.set(range.prefix, range);
    }
    if (missing !== undefined) {
      const keys = [...missing].filter(isStateKey);
      const found = await this.#state.get(keys.map((key) => own + key));
      keys.forEach((key, index) => {
        const bytes = found[index];
        const value = bytes === undefined ? absent : this.#hold(decodeValue(bytes));
        this.#entries.set(key, { key, value, dirty: false });
      });
    }
    if (this.#ranges.size > 0) this.#ranges = new Map();
    for (const { prefix, limit } of ranges.values()) {
      const entries = await this.#state.range({ gte: own + prefix, lt: own + upperBound(prefix), limit });
      this.#ranges.set(prefix, {
        entries: entries.map(([key, bytes]) => [key.slice(own.length), this.#hold(decodeValue(bytes))] as const),
        whole: entries.length < limit,
      });
    }
  }

  /**
   * False when writes of this batch took entries of a fetched page and what moves up lies behind it: the batch must end before a fold
   * that reads the range, since what it sees must not depend on where batches end.
   */
  covers({ ranges }: Reads): boolean {
    if (ranges === undefined) return true;
    return ranges.every(({ prefix, limit }) => {
      const fetched = this.#ranges.get(prefix);
      return fetched === undefined || fetched.whole || this.#merged(prefix, fetched).length >= limit;
    });
  }

  /** Begins the fold of one record or timer: what it declared, and no writes yet. */
  begin(declared: Reads): void {
    this.#declared = declared;
    this.#pending.length = 0;
  }

  put(key: string, value: unknown): void {
    if (this.#strict && encoded(key, value).length > valueBytesMax)
      throw new MillraceError('TOO_LARGE', `the value of '${key}' is over ${valueBytesMax} bytes`);
    this.#pending.push(key, this.#hold(value));
  }

  delete(key: string): void {
    this.#pending.push(key, absent);
  }

  /** The fold succeeded: its writes count. */
  keep(): void {
    const pending = this.#pending;
    for (let index = 0; index < pending.length; index += 2) this.#write(pending[index] as string, pending[index + 1]);
    pending.length = 0;
  }

  #write(key: string, value: unknown): void {
    let entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, (entry = { key, value, dirty: false }));
    entry.value = value;
    if (entry.dirty) return;
    entry.dirty = true;
    this.#written.push(entry);
  }

  get<V>(key: string): V | undefined {
    const { keys } = this.#declared;
    const index = keys === undefined ? -1 : keys.indexOf(key);
    // The declared text is the one that was looked up before: its hash is known.
    const declared = keys?.[index];
    if (declared === undefined) throw new Error(`the topology read key '${key}' without declaring it in reads`);
    const value = this.#entries.get(declared)?.value;
    return value === absent ? undefined : (value as V | undefined);
  }

  range<V>(prefix: string): readonly (readonly [key: string, value: V])[] {
    const fetched = this.#ranges.get(prefix);
    const declared = (this.#declared.ranges ?? []).find((range) => range.prefix === prefix);
    if (declared !== undefined && !isStateKey(prefix)) return [];
    if (fetched === undefined || declared === undefined) {
      throw new Error(`the topology read the range '${prefix}' without declaring it in reads`);
    }
    return this.#merged(prefix, fetched).slice(0, declared.limit) as [string, V][];
  }

  /** A fetched page with the writes of this batch on top; behind a cut page nothing is known. */
  #merged(prefix: string, { entries, whole }: FetchedRange): [string, unknown][] {
    const last = entries.at(-1)?.[0] ?? '';
    const merged = new Map(entries);
    for (const { key, value } of this.#written)
      if (key.startsWith(prefix) && (whole || key <= last)) merged.set(key, value);
    return [...merged].filter(([, value]) => value !== absent).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** The writes since the last commit, encoded. They are clean from now on: the caller commits them or throws the cache away. */
  takeWrites(): { readonly put: StateEntry[]; readonly delete: string[] } {
    const put: StateEntry[] = [];
    const remove: string[] = [];
    for (const entry of this.#written) {
      const { key, value } = entry;
      entry.dirty = false;
      if (value === absent) remove.push(own + key);
      else put.push([own + key, encoded(key, value)]);
    }
    this.#written = [];
    if (this.#entries.size > cachedValuesMax) {
      let surplus = this.#entries.size - cachedValuesMax / 2;
      for (const key of this.#entries.keys()) {
        if (surplus-- <= 0) break;
        this.#entries.delete(key);
      }
    }
    return { put, delete: remove };
  }

  #hold(value: unknown): unknown {
    return this.#freeze ? deepFreeze(value) : value;
  }
}

function encoded(key: string, value: unknown): Uint8Array {
  try {
    return encodeValue(value);
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', `the value of '${key}' is no plain data`, { cause });
  }
}

/** First text after all that begin with the prefix (keys are ASCII). */
export function upperBound(prefix: string): string {
  return `${prefix}\u007f`;
}

function deepFreeze(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
