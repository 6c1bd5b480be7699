import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type LogFiles, readWhole, replaceWhole, writeAll } from './log-files.ts';
import { writeRefused } from './write-errors.ts';

/** What a group committed, or (group '') where a partition starts. */
type Entry = readonly [group: string, topic: string, partition: number, offset: number];

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

const frameBytes = 8;
const rewriteBytes = 1024 * 1024;
/** Commits come often and lose nothing by waiting for each other. */
const pauseMs = 10;
const startsGroup = '';

/**
 * Group commits and truncation points: the newest entry per key counts. A file of frames (length, CRC-32, JSON list of entries),
 * written anew when it has grown. An end that a crash cut short is dropped.
 */
export class PositionJournal {
  readonly #files: LogFiles;
  readonly #directory: string;
  readonly #path: string;
  readonly #offsets = new Map<string, Map<string, number[]>>();
  #file: number | undefined;
  #sizeBytes = 0;
  #dirty = new Map<string, Entry>();
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writtenAtMs = 0;

  constructor(files: LogFiles, directory: string) {
    this.#files = files;
    this.#directory = directory;
    this.#path = join(directory, 'positions.journal');
    this.#load();
    if (this.#sizeBytes > rewriteBytes) this.#rewrite();
  }

  /** Sparse, index = partition. */
  committed(group: string, topic: string): readonly (number | undefined)[] {
    return this.#offsets.get(`g${group}`)?.get(topic) ?? [];
  }

  starts(topic: string): readonly (number | undefined)[] {
    return this.#offsets.get(startsGroup)?.get(topic) ?? [];
  }

  /** Resolves when the offsets are written. */
  commit(group: string, positions: readonly { topic: string; partition: number; offset: number }[]): Promise<void> {
    return this.#put(positions.map(({ topic, partition, offset }) => [`g${group}`, topic, partition, offset]));
  }

  start(topic: string, partition: number, offset: number): Promise<void> {
    return this.#put([[startsGroup, topic, partition, offset]]);
  }

  /** Takes back commits beyond the end of the log, which lost them with a power failure. */
  limit(endOf: (topic: string, partition: number) => number | undefined): void {
    for (const topics of this.#offsets.values())
      for (const [topic, offsets] of topics)
        for (const [partition, offset] of offsets.entries()) {
          const end = endOf(topic, partition);
          if (offset !== undefined && end !== undefined && offset > end) offsets[partition] = end;
        }
    this.#rewrite();
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { settle, error } = this.#write();
    for (const { resolve, reject } of settle) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  close(): void {
    this.flush();
    if (this.#file !== undefined) this.#files.close(this.#file);
    this.#file = undefined;
  }

  #put(entries: readonly Entry[]): Promise<void> {
    let changed = false;
    for (const entry of entries) {
      if (!this.#set(entry)) continue;
      changed = true;
      this.#dirty.set(`${entry[0]}\n${entry[1]}\n${entry[2]}`, entry);
    }
    if (!changed && this.#dirty.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#timer ??= setTimeout(() => this.flush(), Math.max(0, this.#writtenAtMs + pauseMs - performance.now()));
    });
  }

  #set([group, topic, partition, offset]: Entry): boolean {
    let topics = this.#offsets.get(group);
    if (topics === undefined) this.#offsets.set(group, (topics = new Map<string, number[]>()));
    let offsets = topics.get(topic);
    if (offsets === undefined) topics.set(topic, (offsets = []));
    if (offsets[partition] === offset) return false;
    offsets[partition] = offset;
    return true;
  }

  #write(): { readonly settle: Waiting[]; readonly error?: unknown } {
    const settle = this.#waiting;
    this.#waiting = [];
    if (this.#dirty.size === 0) return { settle };
    try {
      if (this.#sizeBytes > rewriteBytes) this.#rewrite();
      else {
        const frame = frameOf([...this.#dirty.values()]);
        this.#file ??= this.#files.open(this.#path, 'write');
        writeAll(this.#files, this.#file, frame, this.#sizeBytes);
        this.#sizeBytes += frame.length;
      }
      this.#dirty = new Map();
      this.#writtenAtMs = performance.now();
      return { settle };
    } catch (error) {
      // What was not written stays dirty, and half a frame is overwritten by the next one.
      return { settle, error: writeRefused(this.#path, error) };
    }
  }

  #load(): void {
    const bytes = readWhole(this.#files, this.#path) ?? Buffer.alloc(0);
    for (let at = 0; at + frameBytes <= bytes.length; ) {
      const end = at + frameBytes + bytes.readUInt32LE(at);
      if (end > bytes.length) return;
      const content = bytes.subarray(at + frameBytes, end);
      if (crc32(content) !== bytes.readUInt32LE(at + 4)) return;
      for (const entry of JSON.parse(content.toString('utf8')) as Entry[]) this.#set(entry);
      at = end;
      this.#sizeBytes = end;
    }
  }

  #rewrite(): void {
    const entries: Entry[] = [];
    for (const [group, topics] of this.#offsets)
      for (const [topic, offsets] of topics)
        for (const [partition, offset] of offsets.entries())
          if (offset !== undefined) entries.push([group, topic, partition, offset]);
    const frame = entries.length === 0 ? Buffer.alloc(0) : frameOf(entries);
    if (this.#file !== undefined) this.#files.close(this.#file);
    this.#file = undefined;
    replaceWhole(this.#files, this.#directory, this.#path, frame, { syncs: true });
    this.#sizeBytes = frame.length;
  }
}

function frameOf(entries: readonly Entry[]): Buffer {
  const content = Buffer.from(JSON.stringify(entries), 'utf8');
  const frame = Buffer.allocUnsafe(frameBytes + content.length);
  frame.writeUInt32LE(content.length, 0);
  frame.writeUInt32LE(crc32(content), 4);
  content.copy(frame, frameBytes);
  return frame;
}
