/**
 * BlobStore: bytes by content hash.
 *
 * Contract
 * - The name of a blob is the lower-case hex sha256 of its bytes. Any other name is refused with INVALID_ARGUMENT before it reaches
 *   the store, so no user text becomes a path.
 * - `put` resolves when the bytes are durable; a blob is visible whole or not at all, also after kill -9 or a full disk.
 *   Putting the same bytes twice, also at the same time, is one blob. A put that fails, or whose stream throws, leaves nothing
 *   visible; DISK_FULL and UNAVAILABLE may be tried again.
 * - `get` of a whole blob verifies the hash: CORRUPT if the bytes differ, NOT_FOUND if there is none. A ranged get cannot verify.
 * - `close` is idempotent; every later call rejects with CLOSED.
 * - Bytes are put again whenever somebody is about to name them, so a blob that nothing names and nobody has put for long is garbage.
 *   `deleteOld` never takes one that was put since, however closely; on S3 the two calls that this takes leave a gap of one round trip.
 * - `list` may miss or include blobs that are put or deleted meanwhile. `delete` is idempotent.
 */
export interface BlobStore {
  /** Resolves with the hash. A stream is hashed on the way and never held whole in memory. */
  put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<BlobInfo>;
  get(hash: string): Promise<Buffer>;
  /** Bytes `[start, end)`, cut at the blob's end; INVALID_ARGUMENT unless 0 ≤ start ≤ end and start ≤ the blob's size. */
  getRange(hash: string, start: number, end: number): Promise<Buffer>;
  /** The bytes in chunks; rejects with CORRUPT at the end when the hash does not match. */
  stream(hash: string): AsyncIterable<Uint8Array>;
  stat(hash: string): Promise<BlobInfo | undefined>;
  /** Hashes in ascending order, in pages. */
  list(): AsyncIterable<readonly ListedBlob[]>;
  delete(hash: string): Promise<void>;
  /** Deletes a blob that nobody has put since `putBeforeMs`; false: it was put at that time or later, and stays. */
  deleteOld(hash: string, putBeforeMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface ListedBlob extends BlobInfo {
  /** When its bytes were put last, also when they were there before; milliseconds since the epoch, as the store's clock has it. */
  readonly putAtMs: number;
}

export interface BlobInfo {
  readonly hash: string;
  readonly sizeBytes: number;
}
