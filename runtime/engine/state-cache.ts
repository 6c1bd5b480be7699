import { MillraceError } from '../ports/errors.ts';
import type { StateEntry, TaskState } from '../ports/state-store.ts';
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

/**
 * The values of one task as its fold sees them: committed ones, fetched before the fold and kept in a bounded cache, with the
 * writes since the last commit on top. Only the owner writes a task, so the cache is right as long as commits succeed.
 */
export class StateCache implements StateView {
  readonly #state: TaskState;
  readonly #freeze: boolean;
  readonly #strict: boolean;
  readonly #values = new Map<string, unknown>();
  #dirty = new Map<string, unknown>();
  #ranges = new Map<string, FetchedRange>();
  /** Writes of the record that is being folded; they count only when its fold succeeded whole. */
  readonly #pending = new Map<string, unknown>();
  #declared: Reads = {};

  /** `strict` encodes each value when it is put, to find the fold whose value cannot be stored. */
  constructor(state: TaskState, options: { readonly freeze?: boolean; readonly strict?: boolean } = {}) {
    this.#state = state;
    this.#freeze = options.freeze ?? false;
    this.#strict = options.strict ?? false;
  }

  /** Fetches what the reads name and the cache lacks. */
  async prefetch(reads: readonly Reads[]): Promise<void> {
    const missing = new Set<string>();
    const ranges = new Map<string, RangeRead>();
    for (const read of reads) {
      for (const key of read.keys ?? []) if (!this.#values.has(key) && !this.#dirty.has(key)) missing.add(key);
      for (const range of read.ranges ?? [])
        if ((ranges.get(range.prefix)?.limit ?? 0) < range.limit) ranges.set(range.prefix, range);
    }
    if (missing.size > 0) {
      const keys = [...missing];
      const found = await this.#state.get(keys.map((key) => own + key));
      keys.forEach((key, index) => {
        const bytes = found[index];
        this.#values.set(key, bytes === undefined ? absent : this.#hold(decodeValue(bytes)));
      });
    }
    this.#ranges = new Map();
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
  covers({ ranges = [] }: Reads): boolean {
    return ranges.every(({ prefix, limit }) => {
      const fetched = this.#ranges.get(prefix);
      return fetched === undefined || fetched.whole || this.#merged(prefix, fetched).length >= limit;
    });
  }

  /** Begins the fold of one record or timer: what it declared, and no writes yet. */
  begin(declared: Reads): void {
    this.#declared = declared;
    if (this.#pending.size > 0) this.#pending.clear();
  }

  put(key: string, value: unknown): void {
    if (this.#strict && encoded(key, value).length > valueBytesMax)
      throw new MillraceError('TOO_LARGE', `the value of '${key}' is over ${valueBytesMax} bytes`);
    this.#pending.set(key, this.#hold(value));
  }

  delete(key: string): void {
    this.#pending.set(key, absent);
  }

  /** The fold succeeded: its writes count. */
  keep(): void {
    if (this.#pending.size === 0) return;
    this.#pending.forEach((value, key) => this.#dirty.set(key, value));
    this.#pending.clear();
  }

  get<V>(key: string): V | undefined {
    if (!(this.#declared.keys ?? []).includes(key))
      throw new Error(`the topology read key '${key}' without declaring it in reads`);
    const value = this.#dirty.has(key) ? this.#dirty.get(key) : this.#values.get(key);
    return value === absent ? undefined : (value as V | undefined);
  }

  range<V>(prefix: string): readonly (readonly [key: string, value: V])[] {
    const fetched = this.#ranges.get(prefix);
    const declared = (this.#declared.ranges ?? []).find((range) => range.prefix === prefix);
    if (fetched === undefined || declared === undefined) {
      throw new Error(`the topology read the range '${prefix}' without declaring it in reads`);
    }
    return this.#merged(prefix, fetched).slice(0, declared.limit) as [string, V][];
  }

  /** A fetched page with the writes of this batch on top; behind a cut page nothing is known. */
  #merged(prefix: string, { entries, whole }: FetchedRange): [string, unknown][] {
    const last = entries.at(-1)?.[0] ?? '';
    const merged = new Map(entries);
    for (const [key, value] of this.#dirty)
      if (key.startsWith(prefix) && (whole || key <= last)) merged.set(key, value);
    return [...merged].filter(([, value]) => value !== absent).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** The writes since the last commit, encoded. They move into the cache: the caller commits them or throws the cache away. */
  takeWrites(): { readonly put: StateEntry[]; readonly delete: string[] } {
    const put: StateEntry[] = [];
    const remove: string[] = [];
    for (const [key, value] of this.#dirty) {
      this.#values.delete(key);
      this.#values.set(key, value);
      if (value === absent) remove.push(own + key);
      else put.push([own + key, encoded(key, value)]);
    }
    this.#dirty = new Map();
    if (this.#values.size > cachedValuesMax) {
      let surplus = this.#values.size - cachedValuesMax / 2;
      for (const key of this.#values.keys()) {
        if (surplus-- <= 0) break;
        this.#values.delete(key);
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
