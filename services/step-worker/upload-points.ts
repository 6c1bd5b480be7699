import { crashPoint } from '../../runtime/engine/crash-points.ts';
import type { BlobStore } from '../../runtime/ports/blob-store.ts';

/** The store as steps use it: named places to be killed at lie before and after each upload. */
export function withUploadPoints(blobs: BlobStore): BlobStore {
  return {
    put: async (bytes) => {
      crashPoint('before-upload');
      const info = await blobs.put(bytes);
      crashPoint('after-upload');
      return info;
    },
    get: (hash) => blobs.get(hash),
    getRange: (hash, start, end) => blobs.getRange(hash, start, end),
    stream: (hash) => blobs.stream(hash),
    stat: (hash) => blobs.stat(hash),
    list: () => blobs.list(),
    delete: (hash) => blobs.delete(hash),
    deleteOld: (hash, putBeforeMs) => blobs.deleteOld(hash, putBeforeMs),
    close: () => blobs.close(),
  };
}
