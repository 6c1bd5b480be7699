import type { OutgoingRecord } from '../../ports/log.ts';
import { type Batch, batchHeaderBytes, sealBatch } from './batch.ts';
import { writeRecord } from './record-writer.ts';

const slabBytesMin = 16 * 1024;
const slabBytesMax = 512 * 1024;
const batchBytesMax = 256 * 1024;

/**
 * Encodes records of one partition into batches. Their bytes lie one after another in slabs of memory that are never reused, so
 * that written batches can be handed to readers without copying.
 */
export class BatchBuilder {
  #slab: Buffer = Buffer.alloc(0);
  /** End of what is used in the slab. */
  #used = 0;
  /** Where the open batch begins in the slab; -1: none is open. */
  #batchAt = -1;
  #count = 0;
  #baseOffset = 0;
  #nextSlabBytes = slabBytesMin;
  #sealed: Batch[] = [];

  /** `bytesBound`: at least the bytes that the record needs. */
  add(record: OutgoingRecord, offset: number, timestampMs: number, bytesBound: number): void {
    if (this.#batchAt >= 0 && this.#used - this.#batchAt >= batchBytesMax) this.#seal(timestampMs);
    if (this.#used + bytesBound + batchHeaderBytes > this.#slab.length) {
      this.#seal(timestampMs);
      this.#newSlab(bytesBound + batchHeaderBytes);
    }
    if (this.#batchAt < 0) {
      this.#batchAt = this.#used;
      this.#used += batchHeaderBytes;
      this.#baseOffset = offset;
      this.#count = 0;
    }
    this.#used = writeRecord(this.#slab, this.#used, offset - this.#baseOffset, record);
    this.#count++;
  }

  /** Closes the open batch, and answers all since the last call. */
  take(timestampMs: number): readonly Batch[] {
    this.#seal(timestampMs);
    const sealed = this.#sealed;
    this.#sealed = [];
    return sealed;
  }

  #seal(timestampMs: number): void {
    if (this.#batchAt < 0) return;
    const bytes = this.#slab.subarray(this.#batchAt, this.#used);
    const lastOffset = this.#baseOffset + this.#count - 1;
    this.#sealed.push(sealBatch(bytes, { count: this.#count, baseOffset: this.#baseOffset, lastOffset, timestampMs }));
    this.#batchAt = -1;
  }

  /** Slabs grow with use: most partitions are idle. */
  #newSlab(bytesMin: number): void {
    this.#slab = Buffer.allocUnsafeSlow(Math.max(bytesMin, this.#nextSlabBytes));
    this.#used = 0;
    this.#nextSlabBytes = Math.min(2 * this.#nextSlabBytes, slabBytesMax);
  }
}
