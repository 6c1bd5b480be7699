import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'vitest';
import { bytes, collect, expectCode, hashOf, listed, patterned } from './blob-store-builders.ts';
import type { BlobStoreCase } from './blob-store-harness.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** What a store still holds is to be measured, not what the collector has not come to yet: a second one waits for the sweeping of the first. */
function collectGarbage(): void {
  gc();
  gc();
}

const mebibyte = 1024 * 1024;
const hostileNames = [
  '',
  '..',
  '../../etc/passwd',
  `${'a'.repeat(63)}/`,
  'a'.repeat(63),
  'a'.repeat(65),
  'A'.repeat(64),
  'g'.repeat(64),
  `${'a'.repeat(64)}\n`,
  `${'a'.repeat(63)}\0`,
  'parts/x',
];

export const safetyCases: readonly BlobStoreCase[] = [
  {
    name: 'refuses bytes that were changed behind its back when they are got',
    mutant: 'gets without verifying',
    async run({ openStore, corrupt }) {
      const store = await openStore();
      const { hash } = await store.put(patterned(70_000));
      await corrupt(hash);
      await expectCode(store.get(hash), 'CORRUPT');
    },
  },
  {
    name: 'rejects at the end of a stream of bytes that were changed behind its back',
    mutant: 'streams without verifying',
    async run({ openStore, corrupt }) {
      const store = await openStore();
      const { hash } = await store.put(patterned(70_000));
      await corrupt(hash);
      await expectCode(collect(store.stream(hash)), 'CORRUPT');
    },
  },
  {
    name: 'gives ranges, cut at the end of the blob',
    mutant: 'takes the end of a range as included',
    async run({ openStore }) {
      const store = await openStore();
      const { hash } = await store.put(bytes('0123456789'));
      const range = async (start: number, end: number) => (await store.getRange(hash, start, end)).toString();
      expect(await range(2, 5)).toBe('234');
      expect(await range(0, 10)).toBe('0123456789');
      expect(await range(7, 99)).toBe('789');
      expect(await range(4, 4)).toBe('');
      expect(await range(10, 10)).toBe('');
      expect(await range(10, 12)).toBe('');
      const large = patterned(9 * mebibyte);
      await store.put(large);
      const middle = await store.getRange(hashOf(large), 5_000_001, 5_100_000);
      expect(Buffer.compare(middle, large.subarray(5_000_001, 5_100_000))).toBe(0);
    },
  },
  {
    name: 'refuses a range that is none, or begins beyond the end',
    mutant: 'moves a range into the blob',
    async run({ openStore }) {
      const store = await openStore();
      const { hash } = await store.put(bytes('0123456789'));
      for (const [start, end] of [
        [11, 12],
        [11, 11],
        [-1, 3],
        [5, 4],
        [0.5, 2],
        [0, Number.NaN],
      ] as const) {
        await expectCode(store.getRange(hash, start, end), 'INVALID_ARGUMENT');
      }
    },
  },
  {
    name: 'takes no name but a hash',
    mutant: 'takes any name',
    async run({ openStore }) {
      const store = await openStore();
      for (const name of hostileNames) {
        await expectCode(store.get(name), 'INVALID_ARGUMENT');
        await expectCode(store.getRange(name, 0, 1), 'INVALID_ARGUMENT');
        await expectCode(collect(store.stream(name)), 'INVALID_ARGUMENT');
        await expectCode(
          Promise.resolve().then(() => store.stat(name)),
          'INVALID_ARGUMENT',
        );
        await expectCode(store.delete(name), 'INVALID_ARGUMENT');
      }
    },
  },
  {
    name: 'leaves nothing of a stream that threw, and passes its error on',
    mutant: 'keeps what came before a stream threw',
    async run({ openStore }) {
      const store = await openStore();
      for (const sizeBytes of [1000, 9 * mebibyte]) {
        async function* broken() {
          yield patterned(sizeBytes);
          throw new Error('the source broke');
        }
        await expect(store.put(broken())).rejects.toThrow('the source broke');
      }
      expect(await listed(store)).toEqual([]);
    },
  },
  {
    name: 'shows nothing of a put whose process was killed',
    mutant: 'shows a blob before it is whole',
    async run({ openStore, killWhilePutting }) {
      await killWhilePutting(10 * mebibyte);
      const store = await openStore();
      expect(await listed(store)).toEqual([]);
      const { hash } = await store.put(bytes('after'));
      expect(await listed(store)).toEqual([{ hash, sizeBytes: 5 }]);
    },
  },
  {
    name: 'streams in and out without holding the whole in memory',
    mutant: 'collects a stream in memory',
    async run({ openStore }) {
      const store = await openStore();
      const chunk = patterned(mebibyte);
      const chunks = 32;
      // What earlier cases left must not be taken for what this one gives back.
      collectGarbage();
      const before = process.memoryUsage().arrayBuffers;
      let peak = 0;
      let next = 0;
      /** Every 8 MiB: collecting is dear. */
      const look = (seenBytes: number): void => {
        if (seenBytes < next) return;
        next = seenBytes + 8 * mebibyte;
        collectGarbage();
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
      };
      async function* source() {
        for (let index = 1; index <= chunks; index++) {
          yield chunk;
          look(index * mebibyte);
        }
      }
      const { hash, sizeBytes } = await store.put(source());
      expect(sizeBytes).toBe(chunks * mebibyte);
      let read = 0;
      next = 0;
      for await (const piece of store.stream(hash)) {
        read += piece.length;
        look(read);
      }
      expect(read).toBe(sizeBytes);
      expect(peak).toBeLessThan((chunks * mebibyte * 3) / 4);
    },
  },
];
