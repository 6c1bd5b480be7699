import { expect } from 'vitest';
import { eventually } from '../../../runtime/testing/index.ts';
import { bytes, collect, expectCode, hashOf, inPieces, listed, patterned, putAt } from './blob-store-builders.ts';
import type { BlobStoreCase } from './blob-store-harness.ts';

const absent = hashOf(bytes('never put'));

export const contentCases: readonly BlobStoreCase[] = [
  {
    name: 'says when a blob was put last, also when its bytes were there before',
    mutant: 'keeps the time of the first put',
    async run({ openStore }) {
      const store = await openStore();
      const { hash } = await store.put(bytes('again and again'));
      const first = await putAt(store, hash);
      const isLater = async (): Promise<boolean> => {
        await store.put(bytes('again and again'));
        return (await putAt(store, hash)) > first;
      };
      await eventually('a later put has a later time', isLater, 1_500);
    },
  },
  {
    name: 'deletes an old blob only if nobody has put it since',
    mutant: 'deletes what was put since',
    async run({ openStore }) {
      const store = await openStore();
      const { hash } = await store.put(bytes('put just now'));
      const at = await putAt(store, hash);
      expect(await store.deleteOld(hash, at)).toBe(false);
      expect((await store.get(hash)).toString()).toBe('put just now');
      expect(await store.deleteOld(hash, at + 1_000)).toBe(true);
      expect(await store.stat(hash)).toBeUndefined();
      expect(await store.deleteOld(hash, at + 1_000)).toBe(true);
    },
  },
  {
    name: 'names bytes by their sha256 and gives them back',
    mutant: 'says another size than was put',
    async run({ openStore }) {
      const store = await openStore();
      const content = patterned(100_000);
      expect(await store.put(content)).toEqual({ hash: hashOf(content), sizeBytes: 100_000 });
      expect(Buffer.compare(await store.get(hashOf(content)), content)).toBe(0);
      expect(await store.stat(hashOf(content))).toEqual({ hash: hashOf(content), sizeBytes: 100_000 });
    },
  },
  {
    name: 'keeps a blob of no bytes, put as bytes or as a stream',
    mutant: 'loses the empty blob',
    async run({ openStore }) {
      const store = await openStore();
      const empty = { hash: hashOf(bytes('')), sizeBytes: 0 };
      expect(await store.put(new Uint8Array())).toEqual(empty);
      expect((await store.get(empty.hash)).length).toBe(0);
      expect((await store.getRange(empty.hash, 0, 5)).length).toBe(0);
      await store.delete(empty.hash);
      expect(await store.put(inPieces(bytes(''), 1))).toEqual(empty);
      expect((await collect(store.stream(empty.hash))).length).toBe(0);
    },
  },
  {
    name: 'takes a stream for the same blob as its bytes, however it is cut',
    mutant: 'loses short chunks of a stream',
    async run({ openStore }) {
      const store = await openStore();
      const content = patterned(9 * 1024 * 1024 + 5);
      for (const pieceBytes of [content.length, 2 * 1024 * 1024 + 1]) {
        expect(await store.put(inPieces(content, pieceBytes))).toEqual({
          hash: hashOf(content),
          sizeBytes: content.length,
        });
      }
      expect(Buffer.compare(await collect(store.stream(hashOf(content))), content)).toBe(0);
      const small = patterned(1000);
      expect((await store.put(inPieces(small, 7))).hash).toBe(hashOf(small));
    },
  },
  {
    name: 'makes one blob of puts of one content at the same time',
    mutant: 'refuses a put while the same bytes are being put',
    async run({ openStore }) {
      const content = patterned(300_000);
      const stores = [await openStore(), await openStore()];
      const puts = Array.from({ length: 12 }, (_, index) => {
        const store = stores[index % 2]!;
        return store.put(index % 3 === 0 ? inPieces(content, 50_000) : content);
      });
      for (const info of await Promise.all(puts)) expect(info).toEqual({ hash: hashOf(content), sizeBytes: 300_000 });
      expect(await listed(stores[0]!)).toEqual([{ hash: hashOf(content), sizeBytes: 300_000 }]);
      expect(Buffer.compare(await stores[1]!.get(hashOf(content)), content)).toBe(0);
    },
  },
  {
    name: 'says that an absent blob is not found',
    mutant: 'takes an absent blob for an empty one',
    async run({ openStore }) {
      const store = await openStore();
      await expectCode(store.get(absent), 'NOT_FOUND');
      await expectCode(store.getRange(absent, 0, 1), 'NOT_FOUND');
      await expectCode(collect(store.stream(absent)), 'NOT_FOUND');
      expect(await store.stat(absent)).toBeUndefined();
    },
  },
  {
    name: 'deletes a blob, as often as asked',
    mutant: 'does not find a deleted blob to delete',
    async run({ openStore }) {
      const store = await openStore();
      const { hash } = await store.put(bytes('gone'));
      await store.delete(hash);
      expect(await store.stat(hash)).toBeUndefined();
      await store.delete(hash);
    },
  },
  {
    name: 'lists all blobs with their sizes, by ascending hash',
    mutant: 'lists blobs by descending hash',
    async run({ openStore }) {
      const store = await openStore();
      const expected = [];
      for (let index = 0; index < 40; index++) expected.push(await store.put(bytes(`blob ${index}`)));
      expected.sort((a, b) => (a.hash < b.hash ? -1 : 1));
      expect(await listed(store)).toEqual(expected);
    },
  },
  {
    name: 'has everything for another store object',
    mutant: 'keeps blobs in the object',
    async run({ openStore }) {
      const before = await openStore();
      const { hash } = await before.put(bytes('kept'));
      await before.close();
      expect((await (await openStore()).get(hash)).toString()).toBe('kept');
    },
  },
  {
    name: 'closes once, and answers no call after it',
    mutant: 'answers after close',
    async run({ openStore }) {
      const store = await openStore();
      await store.close();
      await store.close();
      await expectCode(store.put(bytes('late')), 'CLOSED');
      await expectCode(store.get(absent), 'CLOSED');
      await expectCode(
        Promise.resolve().then(() => store.stat(absent)),
        'CLOSED',
      );
    },
  },
];
