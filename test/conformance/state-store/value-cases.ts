import { expect } from 'vitest';
import { allEntries, bytes, entry, getText, textOf } from './state-store-builders.ts';
import type { StateStoreCase } from './state-store-harness.ts';

export const valueCases: readonly StateStoreCase[] = [
  {
    name: 'opens a new task with epoch 1 and no position, and with the next epoch each time after',
    mutant: 'keeps the epoch',
    async run({ openStore }) {
      const store = await openStore();
      const first = await store.open('t/0');
      expect([first.epoch, first.position]).toEqual([1, undefined]);
      const second = await store.open('t/0');
      expect([second.epoch, second.position]).toEqual([2, undefined]);
      expect(second.nonce).not.toBe(first.nonce);
    },
  },
  {
    name: 'reads what it committed: absent keys, empty values and every byte',
    mutant: 'takes an empty value for none',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
      await state.commit(undefined, { position: 3, put: [['all', everyByte], entry('empty', '')], delete: [] });
      const [all, none, empty] = await state.get(['all', 'none', 'empty']);
      expect(Buffer.compare(all!, everyByte)).toBe(0);
      expect(none).toBeUndefined();
      expect(textOf(empty)).toBe('');
      expect(await state.get([])).toEqual([]);
    },
  },
  {
    name: 'forgets deleted keys; a key that is deleted and put in one batch is there',
    mutant: 'ignores deletes',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      await state.commit(undefined, { position: 1, put: [entry('a', '1'), entry('b', '1')], delete: ['never'] });
      await state.commit(1, { position: 2, put: [entry('b', '2')], delete: ['a', 'b'] });
      expect(await getText(state, 'a')).toBeUndefined();
      expect(await getText(state, 'b')).toBe('2');
      expect(await state.range({ gte: '', lt: 'z', limit: 9 })).toHaveLength(1);
    },
  },
  {
    name: 'keeps the last of two values that one batch gives a key',
    mutant: 'keeps the first value of a key in a batch',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      await state.commit(undefined, { position: 1, put: [entry('a', '1'), entry('a', '2')], delete: [] });
      expect(await getText(state, 'a')).toBe('2');
    },
  },
  {
    name: 'hands out copies and keeps copies',
    mutant: 'keeps the buffer of the caller',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      const mine = bytes('one');
      await state.commit(undefined, { position: 1, put: [['a', mine]], delete: [] });
      mine.fill(0);
      const [read] = await state.get(['a']);
      expect(textOf(read)).toBe('one');
      read!.fill(0);
      expect(await getText(state, 'a')).toBe('one');
    },
  },
  {
    name: 'keeps tasks apart whose names begin alike',
    mutant: 'takes the beginning of a task name for the whole',
    async run({ openStore }) {
      const store = await openStore();
      const names = ['t/1', 't/1/1', 't/11', 't'];
      for (const name of names) {
        const state = await store.open(name);
        await state.commit(undefined, {
          position: 1,
          put: [entry('key', name), entry(`only ${name}`, '1')],
          delete: [],
        });
      }
      for (const name of names) {
        const snapshot = await (await store.open(name)).snapshot();
        expect(await allEntries(snapshot)).toEqual([
          ['key', name],
          [`only ${name}`, '1'],
        ]);
      }
    },
  },
  {
    name: 'lists the tasks that have committed, in order',
    mutant: 'lists tasks that never committed',
    async run({ openStore }) {
      const store = await openStore();
      await store.open('never');
      for (const name of ['t/2', 't/10', 'a']) {
        await (await store.open(name)).commit(undefined, { position: 1, put: [], delete: [] });
      }
      expect(await store.tasks()).toEqual(['a', 't/10', 't/2']);
    },
  },
  {
    name: 'shows a batch whole or not at all to a reader beside it',
    mutant: 'applies a batch in two steps',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      const keys = Array.from({ length: 40 }, (_, index) => `k${index}`);
      let done = false;
      const seen = new Set<string>();
      const reader = (async () => {
        while (!done) {
          seen.add([...new Set((await state.get(keys)).map(textOf))].join('|'));
          await new Promise(setImmediate);
        }
      })();
      for (let position = 0; position < 60; position++) {
        const put = keys.map((key) => entry(key, String(position)));
        await state.commit(position === 0 ? undefined : position, { position: position + 1, put, delete: [] });
        await new Promise(setImmediate);
      }
      done = true;
      await reader;
      expect([...seen].filter((values) => values.includes('|'))).toEqual([]);
      expect(seen.size).toBeGreaterThan(1);
    },
  },
  {
    name: 'commits of several tasks at once all succeed',
    mutant: 'refuses while another task commits',
    async run({ openStore }) {
      const store = await openStore();
      const states = await Promise.all(Array.from({ length: 8 }, (_, index) => store.open(`t/${index}`)));
      await Promise.all(
        states.map(async (state, task) => {
          for (let at = 0; at < 20; at++) {
            const put = [entry('task', String(task)), entry('at', String(at))];
            await state.commit(at === 0 ? undefined : at, { position: at + 1, put, delete: [] });
          }
        }),
      );
      for (const [task, state] of states.entries()) {
        expect((await state.get(['task', 'at'])).map(textOf)).toEqual([String(task), '19']);
      }
    },
  },
];
