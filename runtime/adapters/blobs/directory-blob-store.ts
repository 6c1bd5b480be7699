import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobInfo, BlobStore, ListedBlob } from '../../ports/blob-store.ts';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { checkedRange, checkHash, closed, corrupt, notFound, sha256, verified } from './blob-checks.ts';
import { newPartName, sweepParts } from './part-files.ts';

export interface DirectoryBlobStoreOptions {
  /** Made when it is missing. Several processes may share it. */
  readonly directory: string;
  /** 'process': a blob survives kill -9 of every process; 'disk': power loss as well. @default 'process' */
  readonly durability?: 'process' | 'disk' | undefined;
}

/**
 * BlobStore in a directory: `<ab>/<cd>/<hash>`. Bytes are written to `parts/`, and renamed once they are whole.
 * Part files whose process is gone are removed on open.
 */
export async function openDirectoryBlobStore(options: DirectoryBlobStoreOptions): Promise<BlobStore> {
  const parts = join(options.directory, 'parts');
  await mkdir(parts, { recursive: true });
  await sweepParts(parts);
  return new DirectoryBlobStore(options.directory, parts, options.durability === 'disk');
}

const chunkBytes = 256 * 1024;
const fanOutPattern = /^[0-9a-f]{2}$/;
const blobPattern = /^[0-9a-f]{64}$/;

class DirectoryBlobStore implements BlobStore {
  readonly #directory: string;
  readonly #parts: string;
  readonly #waitsForDisk: boolean;
  #closed = false;

  constructor(directory: string, parts: string, waitsForDisk: boolean) {
    this.#directory = directory;
    this.#parts = parts;
    this.#waitsForDisk = waitsForDisk;
  }

  async put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    this.#checkOpen();
    if (!(bytes instanceof Uint8Array)) return this.#write(bytes);
    const hash = sha256(bytes);
    const present = await this.#sizeOf(hash);
    if (present !== bytes.length || !(await this.#isRenewed(hash))) return this.#write([bytes]);
    if (this.#waitsForDisk) await this.#syncFolders(hash);
    return { hash, sizeBytes: bytes.length };
  }

  async get(hash: string): Promise<Buffer> {
    const bytes = await this.#using(hash, (path) => readFile(path));
    const got = sha256(bytes);
    if (got !== hash) throw corrupt(hash, this.#directory, got);
    return bytes;
  }

  getRange(hash: string, start: number, end: number): Promise<Buffer> {
    return this.#using(hash, async (path) => {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        const [from, to] = checkedRange(hash, start, end, size);
        return await readFully(file, from, to);
      } finally {
        await file.close();
      }
    });
  }

  async *stream(hash: string): AsyncGenerator<Uint8Array, void, undefined> {
    const file = await this.#using(hash, (path) => open(path, 'r'));
    try {
      yield* verified(hash, this.#directory, chunksOf(file));
    } finally {
      await file.close();
    }
  }

  async stat(hash: string): Promise<BlobInfo | undefined> {
    this.#checkOpen();
    checkHash(hash);
    const sizeBytes = await this.#sizeOf(hash);
    return sizeBytes === undefined ? undefined : { hash, sizeBytes };
  }

  async *list(): AsyncGenerator<readonly ListedBlob[], void, undefined> {
    this.#checkOpen();
    for (const outer of await namesIn(this.#directory, fanOutPattern)) {
      for (const inner of await namesIn(join(this.#directory, outer), fanOutPattern)) {
        const page: ListedBlob[] = [];
        for (const hash of await namesIn(join(this.#directory, outer, inner), blobPattern)) {
          const found = await statOf(this.#path(hash));
          if (found !== undefined) page.push({ hash, sizeBytes: found.size, putAtMs: found.mtimeMs });
        }
        if (page.length > 0) yield page;
      }
    }
  }

  async delete(hash: string): Promise<void> {
    this.#checkOpen();
    checkHash(hash);
    await rm(this.#path(hash), { force: true });
  }

  async deleteOld(hash: string, putBeforeMs: number): Promise<boolean> {
    this.#checkOpen();
    checkHash(hash);
    const path = this.#path(hash);
    const found = await statOf(path);
    if (found === undefined) return true;
    if (found.mtimeMs >= putBeforeMs) return false;
    // whoever puts it from here on makes another file
    const away = join(this.#parts, newPartName());
    try {
      await rename(path, away);
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
    const taken = await statOf(away);
    if (taken !== undefined && taken.mtimeMs >= putBeforeMs) {
      await this.#moveIntoPlace(away, hash);
      return false;
    }
    await rm(away, { force: true });
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #write(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<BlobInfo> {
    const part = join(this.#parts, newPartName());
    try {
      const info = await this.#writePart(part, chunks);
      await this.#moveIntoPlace(part, info.hash);
      return info;
    } catch (error) {
      await rm(part, { force: true });
      throw isDiskFull(error) ? diskFull(this.#directory, error) : error;
    }
  }

  async #writePart(part: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<BlobInfo> {
    const digest = createHash('sha256');
    let sizeBytes = 0;
    const file = await open(part, 'wx');
    try {
      for await (const chunk of chunks) {
        digest.update(chunk);
        await writeFully(file, chunk);
        sizeBytes += chunk.length;
      }
      if (this.#waitsForDisk) await file.sync();
    } finally {
      await file.close();
    }
    return { hash: digest.digest('hex'), sizeBytes };
  }

  async #moveIntoPlace(part: string, hash: string): Promise<void> {
    const path = this.#path(hash);
    try {
      await rename(part, path);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await mkdir(dirname(path), { recursive: true });
      await rename(part, path);
    }
    if (this.#waitsForDisk) await this.#syncFolders(hash);
  }

  /** A rename survives power loss once the folder that names it is on the disk, and so up to the root of the store. */
  async #syncFolders(hash: string): Promise<void> {
    const inner = dirname(this.#path(hash));
    for (const folder of [inner, dirname(inner), this.#directory]) {
      const handle = await open(folder, 'r');
      await handle.sync().finally(() => handle.close());
    }
  }

  /** A blob that is there already counts as put now. False when it is gone. */
  async #isRenewed(hash: string): Promise<boolean> {
    const now = new Date();
    try {
      await utimes(this.#path(hash), now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #sizeOf(hash: string): Promise<number | undefined> {
    return (await statOf(this.#path(hash)))?.size;
  }

  async #using<T>(hash: string, read: (path: string) => Promise<T>): Promise<T> {
    this.#checkOpen();
    checkHash(hash);
    try {
      return await read(this.#path(hash));
    } catch (error) {
      throw isMissing(error) ? notFound(hash, this.#directory) : error;
    }
  }

  #path(hash: string): string {
    return join(this.#directory, hash.slice(0, 2), hash.slice(2, 4), hash);
  }

  #checkOpen(): void {
    if (this.#closed) throw closed();
  }
}

async function statOf(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function writeFully(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at);
    at += bytesWritten;
  }
}

async function readFully(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(to - from);
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; ; ) {
    const chunk = await readFully(file, at, at + chunkBytes);
    if (chunk.length === 0) return;
    at += chunk.length;
    yield chunk;
  }
}

async function namesIn(folder: string, pattern: RegExp): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => pattern.test(name)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT';
const fullDiskCodes: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];
const isDiskFull = (error: unknown): boolean => fullDiskCodes.includes(codeOf(error));

function diskFull(directory: string, cause: unknown): MillraceError {
  return new MillraceError(
    'DISK_FULL',
    `No space is left for a blob in ${directory} (${messageOf(cause)}); nothing of it is kept. Free some space and put it again.`,
    { cause, details: { directory } },
  );
}
