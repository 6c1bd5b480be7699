import type { Reads, TimerSpec } from './topology.ts';

export interface StoredTimer {
  readonly dueMs: number;
  readonly reads: Reads | undefined;
  readonly data: unknown;
}

/**
 * The timers of one task, in (due, name) order. They live in the committed state; this is the copy that is worked on. A binary heap
 * with lazy deletion: an entry counts only while the map says the same due time.
 */
export class TimerIndex {
  readonly #byName = new Map<string, StoredTimer>();
  readonly #heap: { dueMs: number; name: string }[] = [];

  get size(): number {
    return this.#byName.size;
  }

  set(name: string, timer: StoredTimer): void {
    this.#byName.set(name, timer);
    this.#push({ dueMs: timer.dueMs, name });
  }

  clear(name: string): void {
    this.#byName.delete(name);
  }

  get(name: string): StoredTimer | undefined {
    return this.#byName.get(name);
  }

  /** The earliest timer; undefined when there is none. */
  peek(): TimerSpec | undefined {
    const name = this.#first()?.name;
    const timer = name === undefined ? undefined : this.#byName.get(name);
    return name === undefined || timer === undefined ? undefined : specOf(name, timer);
  }

  /** When the earliest timer is due, Infinity when there is none: asked before every record. */
  nextDueMs(): number {
    return this.#first()?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** All timers due at `timeMs` or before, in order; they stay set. */
  due(timeMs: number): readonly TimerSpec[] {
    const found: TimerSpec[] = [];
    if (this.nextDueMs() > timeMs) return found;
    for (const [name, timer] of this.#byName) if (timer.dueMs <= timeMs) found.push(specOf(name, timer));
    return found.sort((a, b) => a.dueMs - b.dueMs || (a.name < b.name ? -1 : 1));
  }

  /** Top of the heap, once entries that no longer count are off it. */
  #first(): Entry {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || this.#byName.get(top.name)?.dueMs === top.dueMs) return top;
      this.#pop();
    }
  }

  #push(entry: { dueMs: number; name: string }): void {
    const heap = this.#heap;
    heap.push(entry);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i], heap[parent])) break;
      swap(heap, i, parent);
      i = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < heap.length && before(heap[left], heap[least])) least = left;
      if (right < heap.length && before(heap[right], heap[least])) least = right;
      if (least === i) return;
      swap(heap, i, least);
      i = least;
    }
  }
}

type Entry = { dueMs: number; name: string } | undefined;

function before(a: Entry, b: Entry): boolean {
  if (a === undefined || b === undefined) return false;
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.name < b.name);
}

function swap<T>(items: T[], i: number, j: number): void {
  const held = items[i] as T;
  items[i] = items[j] as T;
  items[j] = held;
}

function specOf(name: string, timer: StoredTimer): TimerSpec {
  return {
    name,
    dueMs: timer.dueMs,
    ...(timer.reads === undefined ? {} : { reads: timer.reads }),
    ...(timer.data === undefined ? {} : { data: timer.data }),
  };
}
