import { createHash, hash as hashOf } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BlobInfo, BlobStore, ListedBlob } from '../../ports/blob-store.ts';
import { MillraceError } from '../../ports/errors.ts';
import type { DoorBody, DoorClient } from './door-client.ts';

/** BlobStore of a pod: what its task may read, and what it writes, through the door of its worker. */
export class DoorBlobStore implements BlobStore {
  readonly #door: DoorClient;

  constructor(door: DoorClient) {
    this.#door = door;
  }

  async put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    if (bytes instanceof Uint8Array) return await this.#put(() => Buffer.from(bytes));
    // a stream comes once, and the call may have to be made again
    const folder = await mkdtemp(join(tmpdir(), 'millrace-put-'));
    try {
      const file = join(folder, 'bytes');
      await writeFile(file, bytes);
      return await this.#put(() => Readable.toWeb(createReadStream(file)));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async get(hash: string): Promise<Buffer> {
    const bytes = Buffer.from(await (await this.#door.call('GET', `/blobs/${hash}`)).arrayBuffer());
    if (hashOf('sha256', bytes, 'hex') !== hash) throw corrupt(hash);
    return bytes;
  }

  async getRange(hash: string, start: number, end: number): Promise<Buffer> {
    if (end === start) return Buffer.alloc(0);
    const headers = { range: `bytes=${start}-${end - 1}` };
    return Buffer.from(await (await this.#door.call('GET', `/blobs/${hash}`, { headers })).arrayBuffer());
  }

  async *stream(hash: string): AsyncIterable<Uint8Array> {
    const { body } = await this.#door.call('GET', `/blobs/${hash}`);
    const seen = createHash('sha256');
    for await (const chunk of body ?? []) {
      seen.update(chunk as Uint8Array);
      yield chunk as Uint8Array;
    }
    if (seen.digest('hex') !== hash) throw corrupt(hash);
  }

  stat(): Promise<BlobInfo | undefined> {
    return Promise.reject(unsupported('stat'));
  }

  list(): AsyncIterable<readonly ListedBlob[]> {
    throw unsupported('list');
  }

  delete(): Promise<void> {
    return Promise.reject(unsupported('delete'));
  }

  deleteOld(): Promise<boolean> {
    return Promise.reject(unsupported('delete'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #put(make: () => DoorBody): Promise<BlobInfo> {
    return (await (await this.#door.call('PUT', '/blobs', { make })).json()) as BlobInfo;
  }
}

function corrupt(hash: string): MillraceError {
  return new MillraceError('CORRUPT', `blob ${hash} came with other bytes than its hash says`);
}

function unsupported(what: string): MillraceError {
  return new MillraceError('UNSUPPORTED', `a task may not ${what} blobs: it reads and writes those of its own work`);
}
