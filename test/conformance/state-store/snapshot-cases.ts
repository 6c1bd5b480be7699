import { expect } from 'vitest';
import type { StateEntry } from '../../../runtime/ports/state-store.ts';
import { allEntries, entry, getText, numbered, textsOf } from './state-store-builders.ts';
import type { StateStoreCase } from './state-store-harness.ts';

const keys = numbered(3000);

export const snapshotCases: readonly StateStoreCase[] = [
  {
    name: 'takes a snapshot of one position while commits go on',
    mutant: 'takes a torn snapshot',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      await state.commit(undefined, { position: 1, put: keys.map((key) => entry(key, 'old')), delete: [] });
      const snapshot = await state.snapshot();
      const pages = snapshot.entries[Symbol.asyncIterator]();
      const first = await pages.next();
      const read: StateEntry[] = first.done === true ? [] : [...first.value];
      expect(read.length).toBeLessThan(keys.length);
      // while it is read: every third key is changed, every fifth deleted, new ones come before, between and after
      const put = [
        ...keys.filter((_, at) => at % 3 === 0).map((key) => entry(key, 'new')),
        entry('a', 'new'),
        entry('z', 'new'),
      ];
      const news = keys.map((key) => entry(`${key}+`, 'new'));
      await state.commit(1, { position: 2, put: [...put, ...news], delete: keys.filter((_, at) => at % 5 === 1) });
      await state.commit(2, { position: 3, put: [entry(keys.at(-1)!, 'newer')], delete: [keys.at(-2)!] });
      for (let next = await pages.next(); next.done !== true; next = await pages.next()) read.push(...next.value);
      expect(snapshot.position).toBe(1);
      expect(textsOf(read)).toEqual(keys.map((key) => [key, 'old']));
      expect(await getText(state, keys[0]!)).toBe('new');
      const later = await state.snapshot();
      expect(later.position).toBe(3);
      expect((await allEntries(later)).length).toBeGreaterThan(keys.length);
    },
  },
  {
    name: 'takes an empty snapshot without a position of a task that never committed',
    mutant: 'says position 0 for none',
    async run({ openStore }) {
      const snapshot = await (await (await openStore()).open('t/0')).snapshot();
      expect(snapshot.position).toBeUndefined();
      expect(await allEntries(snapshot)).toEqual([]);
    },
  },
  {
    name: 'lets two snapshots be read at once, and one be left early',
    mutant: 'has one snapshot at a time',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      const put = numbered(1500).map((key) => entry(key, '1'));
      await state.commit(undefined, { position: 1, put, delete: [] });
      const first = await state.snapshot();
      const second = await state.snapshot();
      for await (const page of first.entries) {
        expect(page.length).toBeGreaterThan(0);
        break;
      }
      expect((await allEntries(second)).length).toBe(1500);
      await state.commit(1, { position: 2, put: [entry('a', '2')], delete: [] });
      expect((await allEntries(await state.snapshot())).length).toBe(1501);
    },
  },
];
