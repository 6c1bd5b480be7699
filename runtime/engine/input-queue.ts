import type { LogRecord } from '../ports/log.ts';

/**
 * Records of one partition between delivery and work. Bounded: at the high water mark the partition is paused, at the low one it
 * goes on. What is here was delivered, so nothing is lost when the owner changes: the next one starts from its committed position.
 */
export class InputQueue {
  readonly #highWater: number;
  readonly #lowWater: number;
  readonly #flow: { pause(): void; resume(): void };
  #records: LogRecord[] = [];
  #head = 0;
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

  get size(): number {
    return this.#records.length - this.#head;
  }

  push(records: readonly LogRecord[], endOffset: number): void {
    this.endOffset = Math.max(this.endOffset, endOffset);
    for (const record of records) this.#records.push(record);
    if (!this.#paused && this.size >= this.#highWater) {
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
    if (this.#head > 4096 && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
    if (this.#paused && this.size <= this.#lowWater) {
      this.#paused = false;
      this.#flow.resume();
    }
    return taken;
  }

  putBack(records: readonly LogRecord[]): void {
    this.#records = [...records, ...this.#records.slice(this.#head)];
    this.#head = 0;
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
