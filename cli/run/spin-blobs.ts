import type { BlobInfo, BlobStore, ListedBlob } from '../../runtime/ports/blob-store.ts';
import { hasCode } from '../../runtime/ports/errors.ts';

/** What a spun step reads comes from the platform, what it leaves stays in a folder of its own. */
export class SpinBlobs implements BlobStore {
  readonly #own: BlobStore;
  readonly #fetch: (hash: string) => Promise<Uint8Array>;

  constructor(own: BlobStore, fetch: (hash: string) => Promise<Uint8Array>) {
    this.#own = own;
    this.#fetch = fetch;
  }

  put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo> {
    return this.#own.put(bytes);
  }

  async get(hash: string): Promise<Buffer> {
    await this.#bring(hash);
    return await this.#own.get(hash);
  }

  async getRange(hash: string, start: number, end: number): Promise<Buffer> {
    await this.#bring(hash);
    return await this.#own.getRange(hash, start, end);
  }

  async *stream(hash: string): AsyncGenerator<Uint8Array> {
    await this.#bring(hash);
    yield* this.#own.stream(hash);
  }

  async stat(hash: string): Promise<BlobInfo | undefined> {
    return await this.#own.stat(hash);
  }

  list(): AsyncIterable<readonly ListedBlob[]> {
    return this.#own.list();
  }

  delete(hash: string): Promise<void> {
    return this.#own.delete(hash);
  }

  deleteOld(hash: string, putBeforeMs: number): Promise<boolean> {
    return this.#own.deleteOld(hash, putBeforeMs);
  }

  close(): Promise<void> {
    return this.#own.close();
  }

  async #bring(hash: string): Promise<void> {
    if ((await this.#own.stat(hash)) !== undefined) return;
    try {
      await this.#own.put(await this.#fetch(hash));
    } catch (error) {
      if (!hasCode(error, 'NOT_FOUND')) throw error;
    }
  }
}
