import { join } from 'node:path';
import { MillraceError } from '../../ports/errors.ts';
import { type Batch, batchHeaderBytes, parseBatch, parseHeader } from './batch.ts';
import { type LogFiles, readUpTo } from './log-files.ts';

const chunkBytes = 512 * 1024;
const indexStepBytes = 64 * 1024;

/**
 * One file of a partition: batches one after another. `<base offset>.log` is written at its end; `<base offset>-<end>.compacted`
 * is what compaction left of that range, and takes the place of every other file in it.
 */
export class Segment {
  readonly path: string;
  readonly baseOffset: number;
  /** Bytes that are known to be good. */
  sizeBytes = 0;
  /** False once the file was replaced or removed. */
  live = true;
  readonly #files: LogFiles;
  #file: number | undefined;
  #writable = false;
  /** Sparse: a base offset about every 64 KiB, and where it lies. Built when first needed. */
  #index: { readonly offset: number; readonly position: number }[] = [];
  #indexedBytes = 0;

  constructor(files: LogFiles, path: string, baseOffset: number) {
    this.#files = files;
    this.path = path;
    this.baseOffset = baseOffset;
  }

  openForWriting(): number {
    if (this.#file !== undefined && this.#writable) return this.#file;
    this.closeFile();
    this.#file = this.#files.open(this.path, 'write');
    this.#writable = true;
    return this.#file;
  }

  openForReading(): number {
    this.#file ??= this.#files.open(this.path, 'read');
    return this.#file;
  }

  closeFile(): void {
    if (this.#file !== undefined) this.#files.close(this.#file);
    this.#file = undefined;
    this.#writable = false;
  }

  /** A batch was written at the end. */
  grew(batch: Batch): void {
    if (this.#indexedBytes === this.sizeBytes) this.#note(batch.baseOffset, this.sizeBytes, batch.bytes.length);
    this.sizeBytes += batch.bytes.length;
  }

  /** What lay after `sizeBytes` is gone. */
  shrank(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    if (this.#indexedBytes <= sizeBytes) return;
    this.#index = this.#index.filter(({ position }) => position < sizeBytes);
    this.#indexedBytes = sizeBytes;
  }

  /** A position at or before the batch that holds `offset`. */
  locate(offset: number): number {
    this.#buildIndex();
    let low = 0;
    let high = this.#index.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#index[middle]?.offset ?? Infinity) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#index[low - 1]?.position ?? 0;
  }

  /** Whole batches from `position` on, about half a mebibyte of them; none at the end. CORRUPT when a checksum is wrong. */
  readBatches(position: number): readonly Batch[] {
    const left = this.sizeBytes - position;
    if (left <= 0) return [];
    const file = this.openForReading();
    let bytes = readUpTo(this.#files, file, position, Math.min(chunkBytes, left));
    const first = parseHeader(bytes, 0);
    if (first !== undefined && first.lengthBytes > bytes.length && first.lengthBytes <= left)
      bytes = readUpTo(this.#files, file, position, first.lengthBytes);
    const batches: Batch[] = [];
    let at = 0;
    while (at < bytes.length) {
      const batch = parseBatch(bytes, at);
      if (batch === undefined) {
        const header = parseHeader(bytes, at);
        const cutByChunk = at + batchHeaderBytes > bytes.length || (header?.lengthBytes ?? 0) > bytes.length - at;
        if (at > 0 && cutByChunk && bytes.length < left) break;
        throw corrupt(this.path, position + at);
      }
      batches.push(batch);
      at += batch.bytes.length;
    }
    return batches;
  }

  #buildIndex(): void {
    if (this.#indexedBytes >= this.sizeBytes) return;
    const file = this.openForReading();
    let chunkAt = this.#indexedBytes;
    let chunk = readUpTo(this.#files, file, chunkAt, Math.min(chunkBytes, this.sizeBytes - chunkAt));
    for (let position = this.#indexedBytes; position < this.sizeBytes; ) {
      if (position + batchHeaderBytes > chunkAt + chunk.length) {
        chunkAt = position;
        chunk = readUpTo(this.#files, file, chunkAt, Math.min(chunkBytes, this.sizeBytes - chunkAt));
      }
      const header = parseHeader(chunk, position - chunkAt);
      if (header === undefined) throw corrupt(this.path, position);
      this.#note(header.baseOffset, position, header.lengthBytes);
      position += header.lengthBytes;
    }
  }

  #note(offset: number, position: number, lengthBytes: number): void {
    const last = this.#index.at(-1);
    if (last === undefined || position - last.position >= indexStepBytes) this.#index.push({ offset, position });
    this.#indexedBytes = position + lengthBytes;
  }
}

export function corrupt(path: string, position: number): MillraceError {
  return new MillraceError(
    'CORRUPT',
    `${path} is damaged at byte ${position}: what lies there is not what was written. Restore the file, or remove the directory and start anew.`,
    { details: { file: path, position } },
  );
}

const digits = 20;

export const logName = (baseOffset: number): string => `${String(baseOffset).padStart(digits, '0')}.log`;

export const compactedName = (baseOffset: number, end: number): string =>
  `${String(baseOffset).padStart(digits, '0')}-${String(end).padStart(digits, '0')}.compacted`;

export interface SegmentName {
  readonly path: string;
  readonly baseOffset: number;
  /** For what compaction left: the end of the range it stands for. */
  readonly compactedEnd: number | undefined;
}

/** The range that a file's name says; undefined for a file that is none of ours. */
export function parseSegmentName(directory: string, name: string): SegmentName | undefined {
  const match = /^(\d{20})(?:\.log|-(\d{20})\.compacted)$/.exec(name);
  if (match?.[1] === undefined) return undefined;
  return {
    path: join(directory, name),
    baseOffset: Number(match[1]),
    compactedEnd: match[2] === undefined ? undefined : Number(match[2]),
  };
}
