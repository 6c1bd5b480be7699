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
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

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
  | { readonly type: 'end'; readonly status: string; readonly endTime: number };

const logFile = 'entries.jsonl';
const sentFile = 'sent';
const filesFolder = 'files';

export class Spool {
  readonly folder: string;
  #files: number;

  /** Opens the folder of a run, made when it is not there. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(join(folder, filesFolder), { recursive: true });
    this.#files = readdirSync(join(folder, filesFolder)).length;
  }

  append(entry: SpoolEntry): void {
    appendFileSync(join(this.folder, logFile), `${JSON.stringify(entry)}\n`);
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

  /** Entries that were not sent yet, with the place behind each. A line that a crash has cut is the last, and none. */
  unsent(): readonly { readonly entry: SpoolEntry; readonly behind: number }[] {
    if (!existsSync(join(this.folder, logFile))) return [];
    const from = this.#sent();
    const bytes = bytesFrom(join(this.folder, logFile), from);
    const entries: { entry: SpoolEntry; behind: number }[] = [];
    for (let at = 0; ; ) {
      const end = bytes.indexOf(0x0a, at);
      if (end === -1) return entries;
      entries.push({ entry: JSON.parse(bytes.toString('utf8', at, end)) as SpoolEntry, behind: from + end + 1 });
      at = end + 1;
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
    appendFileSync(join(this.folder, 'refused.jsonl'), `${JSON.stringify({ reason, entry })}\n`);
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
    rmSync(this.folder, { recursive: true, force: true });
  }

  #sent(): number {
    const file = join(this.folder, sentFile);
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  }
}

function bytesFrom(path: string, from: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - from));
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
