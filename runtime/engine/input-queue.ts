import type { LogRecord } from '../ports/log.ts';

/** Of records that wait; one record may be big. */
const bytesMax = 32 * 1024 * 1024;

/**
 * Records of one partition between delivery and work. Bounded by their number and their bytes: at the high water mark the
 * partition is paused, at the low one it goes on. What is here was delivered, so nothing is lost when the owner changes: the next one starts from its committed position.
 */
export class InputQueue {
  readonly #highWater: number;
  readonly #lowWater: number;
  readonly #flow: { pause(): void; resume(): void };
  #records: LogRecord[] = [];
  #head = 0;
  #bytes = 0;
  #paused = false;
  #held = false;
  #wake: (() => void) | undefined;
  #closed = false;
  /** End of the partition as last heard. */
  endOffset = 0;

  constructor(highWater: number, flow: { pause(): void; resume(): void }) {
    this.#highWater = highWater;
    this.#lowWater = highWater / 2;
    this.#flow = flow;
  }

  /** Of the oldest record. */
  get firstOffset(): number | undefined {
    return this.#records[this.#head]?.offset;
  }

  get size(): number {
    return this.#records.length - this.#head;
  }

  push(records: readonly LogRecord[], endOffset: number): void {
    this.endOffset = Math.max(this.endOffset, endOffset);
    for (const record of records) this.#records.push(record);
    this.#bytes += bytesOf(records);
    if (!this.#paused && (this.size >= this.#highWater || this.#bytes >= bytesMax)) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#notify();
  }

  /** Up to `max` records, oldest first; empty while the queue is held. */
  take(max: number): LogRecord[] {
    if (this.#held) return [];
    const taken = this.#records.slice(this.#head, this.#head + max);
    this.#head += taken.length;
    this.#bytes -= bytesOf(taken);
    // at once, since a record holds the bytes of its whole batch; each is moved at most once for each that has left
    if (this.#head * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
    if (this.#paused && this.size <= this.#lowWater && this.#bytes <= bytesMax / 2) {
      this.#paused = false;
      this.#flow.resume();
    }
    return taken;
  }

  putBack(records: readonly LogRecord[]): void {
    this.#records = [...records, ...this.#records.slice(this.#head)];
    this.#head = 0;
    this.#bytes += bytesOf(records);
  }

  /** Nothing is taken until `release`, for back-pressure from the worker's side. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#notify();
  }

  /** Resolves when there is something to take, something called `wakeUp`, or the queue was closed. */
  async wait(): Promise<void> {
    if (this.#closed || (!this.#held && this.size > 0)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  wakeUp(): void {
    this.#notify();
  }

  close(): void {
    this.#closed = true;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function bytesOf(records: readonly LogRecord[]): number {
  let bytes = 0;
  for (const { key, value } of records) bytes += (value?.length ?? 0) + (key?.length ?? 0);
  return bytes;
}
