import { readFile } from 'node:fs/promises';
import type { BlobStore, ListedBlob } from '../../../runtime/ports/blob-store.ts';
import { hasCode, MillraceError } from '../../../runtime/ports/errors.ts';
import { hashOf, inPieces } from './blob-store-builders.ts';
import type { BreakBlobStore } from './directory-harness.ts';

/** A store that differs from the given one in what `differences` answers. */
const change =
  (differences: (store: BlobStore, pathOf: (hash: string) => string) => Partial<BlobStore>): BreakBlobStore =>
  (store, pathOf) => ({
    put: (content) => store.put(content),
    get: (hash) => store.get(hash),
    getRange: (hash, start, end) => store.getRange(hash, start, end),
    stream: (hash) => store.stream(hash),
    stat: (hash) => store.stat(hash),
    list: () => store.list(),
    delete: (hash) => store.delete(hash),
    deleteOld: (hash, putBeforeMs) => store.deleteOld(hash, putBeforeMs),
    close: () => store.close(),
    ...differences(store, pathOf),
  });

/** A store that does something else with streams. */
const changeStreams = (put: (store: BlobStore, chunks: AsyncIterable<Uint8Array>) => ReturnType<BlobStore['put']>) =>
  change((store) => ({
    put: (content) => (content instanceof Uint8Array ? store.put(content) : put(store, content)),
  }));

/** Deliberately broken blob stores, by the name that the suite's cases give them. */
export const blobStoreMutants: Readonly<Record<string, BreakBlobStore>> = {
  'says another size than was put': change((store) => ({
    stat: async (hash) => {
      const info = await store.stat(hash);
      return info === undefined ? undefined : { hash, sizeBytes: info.sizeBytes + 1 };
    },
  })),
  'keeps the time of the first put': (() => {
    const first = new Map<string, number>();
    return change((store) => ({
      async *list() {
        for await (const page of store.list())
          yield page.map((blob) => {
            first.set(blob.hash, first.get(blob.hash) ?? blob.putAtMs);
            return { ...blob, putAtMs: first.get(blob.hash) ?? 0 };
          });
      },
    }));
  })(),
  'deletes what was put since': change((store) => ({
    deleteOld: async (hash) => {
      await store.delete(hash);
      return true;
    },
  })),
  'loses the empty blob': change((store) => ({
    put: async (content) => {
      const info = await store.put(content);
      if (info.sizeBytes === 0) await store.delete(info.hash);
      return info;
    },
  })),
  'loses short chunks of a stream': changeStreams((store, chunks) => {
    async function* long() {
      for await (const chunk of chunks) if (chunk.length >= 10) yield chunk;
    }
    return store.put(long());
  }),
  'refuses a put while the same bytes are being put': (() => {
    const under = new Set<string>();
    return change((store) => ({
      put: async (content) => {
        if (!(content instanceof Uint8Array)) return store.put(content);
        const hash = hashOf(content);
        if (under.has(hash)) throw new MillraceError('CONFLICT', 'The same bytes are being put.');
        under.add(hash);
        return store.put(content).finally(() => under.delete(hash));
      },
    }));
  })(),
  'takes an absent blob for an empty one': change((store) => ({
    get: (hash) =>
      store.get(hash).catch((error: unknown) => {
        if (!hasCode(error, 'NOT_FOUND')) throw error;
        return Buffer.alloc(0);
      }),
  })),
  'does not find a deleted blob to delete': change((store) => ({
    delete: async (hash) => {
      if ((await store.stat(hash)) === undefined) throw new MillraceError('NOT_FOUND', `There is no blob ${hash}.`);
      await store.delete(hash);
    },
  })),
  'lists blobs by descending hash': change((store) => ({
    list: async function* () {
      const all: ListedBlob[] = [];
      for await (const page of store.list()) all.push(...page);
      yield all.reverse();
    },
  })),
  'keeps blobs in the object': change((store) => {
    const mine: string[] = [];
    return {
      put: async (content) => {
        const info = await store.put(content);
        mine.push(info.hash);
        return info;
      },
      close: async () => {
        for (const hash of mine.splice(0)) await store.delete(hash);
        await store.close();
      },
    };
  }),
  'answers after close': change(() => ({ close: async () => {} })),
  'gets without verifying': change((store, pathOf) => ({
    get: (hash) =>
      store.get(hash).catch((error: unknown) => {
        if (!hasCode(error, 'CORRUPT')) throw error;
        return readFile(pathOf(hash));
      }),
  })),
  'streams without verifying': change((store) => ({
    stream: async function* (hash) {
      try {
        yield* store.stream(hash);
      } catch (error) {
        if (!hasCode(error, 'CORRUPT')) throw error;
      }
    },
  })),
  'takes the end of a range as included': change((store) => ({
    getRange: (hash, start, end) => store.getRange(hash, start, start < end ? end + 1 : end),
  })),
  'moves a range into the blob': change((store) => ({
    getRange: (hash, start, end) =>
      store.getRange(hash, start, end).catch((error: unknown) => {
        if (!hasCode(error, 'INVALID_ARGUMENT') || !isHash(hash)) throw error;
        return Buffer.alloc(0);
      }),
  })),
  'takes any name': change((store) => ({
    stat: async (hash) => (isHash(hash) ? store.stat(hash) : undefined),
  })),
  'keeps what came before a stream threw': changeStreams(async (store, chunks) => {
    const seen: Uint8Array[] = [];
    async function* watched() {
      for await (const chunk of chunks) {
        seen.push(Uint8Array.from(chunk.subarray(0, 1000)));
        yield chunk;
      }
    }
    return store.put(watched()).catch(async (error: unknown) => {
      await store.put(Buffer.concat(seen));
      throw error;
    });
  }),
  'shows a blob before it is whole': changeStreams(async (store, chunks) => {
    let early: string | undefined;
    async function* shown() {
      for await (const chunk of chunks) {
        early ??= (await store.put(Uint8Array.from(chunk))).hash;
        yield chunk;
      }
    }
    let final: string | undefined;
    try {
      const info = await store.put(shown());
      final = info.hash;
      return info;
    } finally {
      if (early !== undefined && early !== final) await store.delete(early);
    }
  }),
  'collects a stream in memory': changeStreams(async (store, chunks) => {
    const all: Uint8Array[] = [];
    for await (const chunk of chunks) all.push(Uint8Array.from(chunk));
    return store.put(inPieces(Buffer.concat(all), 1024 * 1024));
  }),
};

const isHash = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);
