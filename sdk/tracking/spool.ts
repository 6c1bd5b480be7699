/**
 * What a run has logged and its server has not acknowledged: a folder a run, in which entries are appended to one file, a JSON text a line.
 * It survives the death of the program that logs and of the server, and is sent later, in order. Each entry
 * may be sent twice, and counts once.
 */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hold, letGo, ownerOf, touch } from './spool-owner.ts';

export interface SpooledMetric {
  readonly key: string;
  /** Not-a-number and infinities are texts. */
  readonly value: number | string;
  readonly timestamp: number;
  readonly step: number;
}

export interface SpooledPair {
  readonly key: string;
  readonly value: string;
}

export type SpoolEntry =
  | { readonly type: 'begin'; readonly key: string; readonly experiment: string; readonly run: object }
  /** A run that is there. */
  | { readonly type: 'attach'; readonly runId: string }
  | {
      readonly type: 'values';
      readonly metrics: readonly SpooledMetric[];
      readonly params: readonly SpooledPair[];
      readonly tags: readonly SpooledPair[];
    }
  | { readonly type: 'file'; readonly path: string; readonly file: string }
  | { readonly type: 'dataset'; readonly dataset: object }
  | { readonly type: 'end'; readonly status: string; readonly endTime: number }
  /** A line that a full disk or a crash has cut, with what followed it on the same line. */
  | { readonly type: 'unreadable'; readonly line: string };

interface Unsent {
  readonly entry: SpoolEntry;
  /** The place behind it. */
  readonly behind: number;
}

const logFile = 'entries.jsonl';
const sentFile = 'sent';
const filesFolder = 'files';
const refusedFile = 'refused.jsonl';

export class Spool {
  readonly folder: string;
  #files: number;

  /** The folder of a run; a new one is made by {@link begin}. */
  constructor(folder: string) {
    this.folder = folder;
    const files = join(folder, filesFolder);
    this.#files = existsSync(files) ? readdirSync(files).length : 0;
  }

  /** The first entry of a new folder, which is made for it. Again after a disk was full. */
  begin(entry: SpoolEntry): void {
    mkdirSync(join(this.folder, filesFolder), { recursive: true });
    writeFileSync(join(this.folder, logFile), lineOf(entry));
    hold(this.folder);
  }

  letGo(): void {
    letGo(this.folder);
  }

  get owner(): ReturnType<typeof ownerOf> {
    return ownerOf(this.folder);
  }

  append(entry: SpoolEntry): void {
    appendFileSync(join(this.folder, logFile), lineOf(entry));
    touch(this.folder);
  }

  /** Keeps bytes, or a copy of the file, until they are sent. */
  appendFile(path: string, content: Uint8Array | { readonly copyOf: string }): void {
    const file = String(this.#files++);
    const kept = join(this.folder, filesFolder, file);
    if (content instanceof Uint8Array) writeFileSync(kept, content);
    else copyFileSync(content.copyOf, kept);
    this.append({ type: 'file', path, file });
  }

  bytesOf(file: string): Buffer {
    return readFileSync(join(this.folder, filesFolder, file));
  }

  /** Whether there are entries that were not sent yet. */
  get waits(): boolean {
    return this.size > this.#sent();
  }

  /** Of all entries, sent or not, bytes. */
  get size(): number {
    const file = join(this.folder, logFile);
    return existsSync(file) ? statSync(file).size : 0;
  }

  /** Entries that were not sent yet, read piece by piece. A line without an end is not one yet. */
  *unsent(): Generator<Unsent> {
    let from = this.#sent();
    for (let piece = pieceBytes; ; ) {
      const bytes = bytesFrom(join(this.folder, logFile), from, piece);
      let at = 0;
      for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, at)) {
        const line = bytes.toString('utf8', at, end);
        at = end + 1;
        yield { entry: entryOf(line), behind: from + at };
      }
      if (at === 0 && bytes.length < piece) return;
      // A line that is longer than a piece.
      piece = at === 0 ? piece * 2 : pieceBytes;
      from += at;
    }
  }

  /** The server has everything before this place. */
  sent(behind: number): void {
    const file = join(this.folder, sentFile);
    writeFileSync(`${file}.part`, String(behind));
    renameSync(`${file}.part`, file);
  }

  /** Keeps aside what the server will never take. */
  refuse(entry: SpoolEntry, reason: string): void {
    appendFileSync(join(this.folder, refusedFile), `${JSON.stringify({ reason, entry })}\n`);
  }

  /** Whether something is kept aside. */
  get keeps(): boolean {
    return existsSync(join(this.folder, refusedFile));
  }

  /** The id that the server gave, kept for what is sent later. */
  get runId(): string | undefined {
    const file = join(this.folder, 'run');
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }

  set runId(id: string) {
    writeFileSync(join(this.folder, 'run'), id);
  }

  remove(): void {
    this.letGo();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #sent(): number {
    const file = join(this.folder, sentFile);
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  }
}

const pieceBytes = 1024 * 1024;

const lineOf = (entry: SpoolEntry): string => `${JSON.stringify(entry)}\n`;

function entryOf(line: string): SpoolEntry {
  try {
    return JSON.parse(line) as SpoolEntry;
  } catch {
    return { type: 'unreadable', line };
  }
}

/** As many as there are; none of a file that is not there. */
function bytesFrom(path: string, from: number, length: number): Buffer {
  if (!existsSync(path)) return Buffer.alloc(0);
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.min(length, Math.max(0, fstatSync(file).size - from)));
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
  } finally {
    closeSync(file);
  }
}

/** Folders of runs in a spool directory, oldest first. */
export function spoolsIn(directory: string): readonly Spool[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(directory, entry.name, logFile)))
    .map(({ name }) => name)
    .sort()
    .map((name) => new Spool(join(directory, name)));
}
