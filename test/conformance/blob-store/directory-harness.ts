import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDirectoryBlobStore } from '../../../runtime/adapters/blobs/directory-blob-store.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import { patterned } from './blob-store-builders.ts';
import type { BlobStoreHarness } from './blob-store-harness.ts';
import { killWhilePutting } from './kill-child.ts';
import { compiledFile } from '../../compiled.ts';

/** Wraps a store, to break it. Called once for each store object, with the path of a blob by its hash. */
export type BreakBlobStore = (store: BlobStore, pathOf: (hash: string) => string) => BlobStore;

const adapter = compiledFile(new URL('../../../runtime/adapters/blobs/directory-blob-store.ts', import.meta.url));

/** With `breakStore`, a put that is never continued stands for a killed process. */
export async function createDirectoryHarness(
  durability: 'process' | 'disk' = 'process',
  breakStore?: BreakBlobStore,
): Promise<BlobStoreHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-blobs-'));
  const options = { directory, durability };
  const stores: BlobStore[] = [];
  const pathOf = (hash: string): string => join(directory, hash.slice(0, 2), hash.slice(2, 4), hash);
  const openStore = async (): Promise<BlobStore> => {
    const real = await openDirectoryBlobStore(options);
    const store = breakStore?.(real, pathOf) ?? real;
    stores.push(store);
    return store;
  };
  return {
    openStore,
    corrupt: async (hash) => {
      const file = await open(pathOf(hash), 'r+');
      await file.write(Buffer.from('!'), 0, 1, 1000);
      await file.close();
    },
    killWhilePutting: async (bytesMin) => {
      if (breakStore === undefined)
        return killWhilePutting({ module: adapter, open: 'openDirectoryBlobStore', options }, bytesMin);
      await leavePut(await openStore());
    },
    close: async () => {
      for (const store of stores) await store.close();
      await rm(directory, { recursive: true, maxRetries: 20 }); // a put that a broken store let go on may still write
    },
  };
}

/** Resolves once the store has taken two chunks of a put that never goes on. */
function leavePut(store: BlobStore): Promise<void> {
  return new Promise((resolve) => {
    async function* stuck() {
      yield patterned(1000);
      yield patterned(1000);
      resolve();
      await new Promise(() => {});
    }
    void store.put(stuck());
  });
}
