import type { BlobStore } from '../../../runtime/ports/blob-store.ts';

/** What a case of the suite may do with one adapter. A harness is made anew for each case. */
export interface BlobStoreHarness {
  /** Another store object on the same data. */
  openStore(): Promise<BlobStore>;
  /** Changes one byte of a blob behind the store's back. */
  corrupt(hash: string): Promise<void>;
  /** Starts a process that puts a stream without end, and kills it with -9 once `bytesMin` bytes of it were taken. */
  killWhilePutting(bytesMin: number): Promise<void>;
  close(): Promise<void>;
}

export interface BlobStoreCase {
  /** A sentence after "a blob store …". */
  readonly name: string;
  /** Name of the deliberately broken store that turns this case red, and no other. */
  readonly mutant: string;
  run(harness: BlobStoreHarness): Promise<void>;
}
