import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';

/** The few file functions that the log uses. Tests inject faults here. */
export interface LogFiles {
  /** `write` creates the file if it is missing, for reading and writing. */
  open(path: string, mode: 'read' | 'write'): number;
  close(file: number): void;
  /** May write less than asked; answers how many bytes. */
  write(file: number, bytes: Uint8Array, from: number, length: number, position: number): number;
  /** May read less than asked; 0 at the end. */
  read(file: number, bytes: Uint8Array, at: number, length: number, position: number): number;
  sizeOf(file: number): number;
  truncate(file: number, sizeBytes: number): void;
  /** Resolves when everything written to the file so far is on the disk. */
  sync(file: number): Promise<void>;
  syncNow(file: number): void;
  /** Names in a directory; none when it does not exist. */
  list(directory: string): string[];
  makeDirectory(directory: string): void;
  /** Makes creations, renames and removals in a directory survive a power loss. */
  syncDirectory(directory: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
}

const syncFile = promisify(fdatasync);

export const systemFiles: LogFiles = {
  // 'a+' would ignore positions; 'w+' would truncate: so the file is created by 'a' when it is missing.
  open: (path, mode) => {
    if (mode === 'read') return openSync(path, 'r');
    try {
      return openSync(path, 'r+');
    } catch (error) {
      if (!isMissing(error)) throw error;
      closeSync(openSync(path, 'a'));
      return openSync(path, 'r+');
    }
  },
  close: (file) => closeSync(file),
  write: (file, bytes, from, length, position) => writeSync(file, bytes, from, length, position),
  read: (file, bytes, at, length, position) => readSync(file, bytes, at, length, position),
  sizeOf: (file) => fstatSync(file).size,
  truncate: (file, sizeBytes) => ftruncateSync(file, sizeBytes),
  sync: (file) => syncFile(file),
  syncNow: (file) => fdatasyncSync(file),
  list: (directory) => {
    try {
      return readdirSync(directory);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  },
  makeDirectory: (directory) => void mkdirSync(directory, { recursive: true }),
  syncDirectory: (directory) => {
    const file = openSync(directory, 'r');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },
  rename: (from, to) => renameSync(from, to),
  remove: (path) => rmSync(path, { force: true }),
};

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Writes all bytes, however short each write is. A write of nothing is an error: it would never end. */
export function writeAll(files: LogFiles, file: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) {
    const written = files.write(file, bytes, done, bytes.length - done, position + done);
    if (written <= 0) throw Object.assign(new Error('the file takes no more bytes'), { code: 'ENOSPC' });
    done += written;
  }
}

/** Reads up to `length` bytes, fewer only at the end of the file. */
export function readUpTo(files: LogFiles, file: number, position: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const read = files.read(file, bytes, done, length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return done === length ? bytes : bytes.subarray(0, done);
}

/** A whole small file, or undefined when it does not exist. */
export function readWhole(files: LogFiles, path: string): Buffer | undefined {
  let file: number;
  try {
    file = files.open(path, 'read');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return readUpTo(files, file, 0, files.sizeOf(file));
  } finally {
    files.close(file);
  }
}

/** Replaces a small file: after a crash, and with `syncs` after a power loss, there is the old content or the new one. */
export function replaceWhole(
  files: LogFiles,
  directory: string,
  path: string,
  bytes: Uint8Array,
  { syncs }: { readonly syncs: boolean },
): void {
  const part = `${path}.part`;
  const file = files.open(part, 'write');
  try {
    files.truncate(file, 0);
    writeAll(files, file, bytes, 0);
    if (syncs) files.syncNow(file);
  } finally {
    files.close(file);
  }
  files.rename(part, path);
  if (syncs) files.syncDirectory(directory);
}
