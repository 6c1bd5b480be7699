import type { Batch } from './batch.ts';
import { Fifo } from './fifo.ts';

/** Newest batches of one partition, without gaps, up to its end. */
export class PartitionTail {
  readonly #batches = new Fifo<Batch>();

  /** First offset that is here; undefined when nothing is. */
  get start(): number | undefined {
    return this.#batches.at(0)?.baseOffset;
  }

  push(batch: Batch): void {
    this.#batches.push(batch);
  }

  /** Forgets a batch, if it is still here as the oldest one. */
  forget(batch: Batch): void {
    if (this.#batches.at(0) === batch) this.#batches.shift();
  }

  /** Forgets what compaction rewrote: readers must see the files. */
  forgetBelow(offset: number): void {
    while ((this.#batches.at(0)?.baseOffset ?? Infinity) < offset) this.#batches.shift();
  }

  clear(): void {
    this.#batches.clear();
  }

  /** The batch that holds `offset`, when it is here. */
  find(offset: number): Batch | undefined {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#batches.at(middle)?.lastOffset ?? Infinity) < offset) low = middle + 1;
      else high = middle;
    }
    return this.#batches.at(low);
  }
}

/** Bounds the memory of all tails together: the oldest batch goes first, whichever partition it is of. */
export class TailCache {
  readonly #bytesMax: number;
  readonly #order = new Fifo<{ readonly tail: PartitionTail; readonly batch: Batch }>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(tail: PartitionTail, batch: Batch): void {
    tail.push(batch);
    this.#order.push({ tail, batch });
    this.#bytes += batch.bytes.length;
    while (this.#bytes > this.#bytesMax) {
      const oldest = this.#order.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.batch.bytes.length;
      oldest.tail.forget(oldest.batch);
    }
  }
}
