import { expect } from 'vitest';
import { entry, expectCode, getText } from './state-store-builders.ts';
import type { StateStoreCase } from './state-store-harness.ts';

const mebibyte = 1024 * 1024;

export const limitCases: readonly StateStoreCase[] = [
  {
    name: 'takes keys of up to 1,024 characters and values of 1 MiB and 16 MiB',
    mutant: 'cuts keys at 512 characters',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      const long = 'k'.repeat(1024);
      const longer = `${'k'.repeat(1023)}l`;
      const large = Buffer.alloc(mebibyte, Buffer.from(Array.from({ length: 256 }, (_, index) => index)));
      const largest = Buffer.alloc(16 * mebibyte, 'x');
      await state.commit(undefined, {
        position: 1,
        put: [
          [long, large],
          [longer, largest],
        ],
        delete: [],
      });
      const [first, second] = await state.get([long, longer]);
      expect(Buffer.compare(first!, large)).toBe(0);
      expect(Buffer.compare(second!, largest)).toBe(0);
      const rest = await state.range({ gte: `${long}\0`, lt: '~', limit: 9 });
      expect(rest.map(([key]) => key)).toEqual([longer]);
    },
  },
  {
    name: 'refuses what is over a limit, and changes nothing',
    mutant: 'writes what comes before the guilty entry',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      const put = (key: string, value: Uint8Array = new Uint8Array()) =>
        state.commit(undefined, { position: 1, put: [entry('a', '1'), [key, value]], delete: [] });
      await expectCode(put(''), 'INVALID_ARGUMENT');
      await expectCode(put('k'.repeat(1025)), 'INVALID_ARGUMENT');
      await expectCode(put('é'), 'INVALID_ARGUMENT');
      await expectCode(put('b', Buffer.alloc(16 * mebibyte + 1)), 'TOO_LARGE');
      await expectCode(
        state.commit(undefined, { position: -1, put: [entry('a', '1')], delete: [] }),
        'INVALID_ARGUMENT',
      );
      await expectCode(
        state.commit(undefined, { position: 1, put: [entry('a', '1')], delete: [''] }),
        'INVALID_ARGUMENT',
      );
      expect(await getText(state, 'a')).toBeUndefined();
      await state.commit(undefined, { position: 1, put: [entry('b', '1')], delete: [] });
      expect(await getText(state, 'b')).toBe('1');
    },
  },
  {
    name: 'refuses a task name that is empty, too long or not ASCII',
    mutant: 'takes any task name',
    async run({ openStore }) {
      const store = await openStore();
      for (const name of ['', 'a\n', 'ä', 'x'.repeat(513)]) await expectCode(store.open(name), 'INVALID_ARGUMENT');
    },
  },
  {
    name: 'closes once, and answers no call after it',
    mutant: 'answers after close',
    async run({ openStore }) {
      const store = await openStore();
      const state = await store.open('t/0');
      await store.close();
      await store.close();
      await expectCode(store.open('t/0'), 'CLOSED');
      await expectCode(state.get(['a']), 'CLOSED');
      await expectCode(state.commit(undefined, { position: 1, put: [], delete: [] }), 'CLOSED');
    },
  },
];
