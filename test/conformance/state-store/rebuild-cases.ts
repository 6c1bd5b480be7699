import { expect } from 'vitest';
import { allEntries, entry, expectCode, getText, numbered, pages } from './state-store-builders.ts';
import type { StateStoreCase } from './state-store-harness.ts';

export const rebuildCases: readonly StateStoreCase[] = [
  {
    name: 'restores the state and position of a snapshot, and keeps nothing else',
    mutant: 'keeps old keys when it restores',
    async run({ openStore }) {
      const store = await openStore();
      const state = await store.open('t/0');
      await state.commit(undefined, { position: 9, put: [entry('old', '1'), entry('k0001', 'old')], delete: [] });
      const keys = numbered(1200);
      const entries = keys.map((key) => entry(key, 'restored'));
      await state.restore(4, pages(entries.slice(0, 700), [], entries.slice(700)));
      const snapshot = await state.snapshot();
      expect(snapshot.position).toBe(4);
      expect(await allEntries(snapshot)).toEqual(keys.map((key) => [key, 'restored']));
      await state.commit(4, { position: 5, put: [entry('k0001', 'new')], delete: [] });
      const reopened = await (await openStore()).open('t/0');
      expect([reopened.position, await getText(reopened, 'k0001')]).toEqual([5, 'new']);
    },
  },
  {
    name: 'restores only for the present owner',
    mutant: 'restores for an earlier owner',
    async run({ openStore }) {
      const store = await openStore();
      const first = await store.open('t/0');
      const second = await store.open('t/0');
      await second.commit(undefined, { position: 1, put: [entry('a', 'kept')], delete: [] });
      await expectCode(first.restore(7, pages([entry('a', 'lost')])), 'FENCED');
      expect(await getText(second, 'a')).toBe('kept');
      await second.commit(1, { position: 2, put: [], delete: [] });
    },
  },
  {
    name: 'forgets values and position by a reset',
    mutant: 'keeps values when it resets',
    async run({ openStore }) {
      const store = await openStore();
      const state = await store.open('t/0');
      const put = numbered(50).map((key) => entry(key, '1'));
      await state.commit(undefined, { position: 1, put, delete: [] });
      await (await store.open('t/1')).commit(undefined, { position: 1, put: [entry('a', 'other')], delete: [] });
      await store.reset('t/0');
      await store.reset('never');
      expect(await store.tasks()).toEqual(['t/1']);
      const again = await store.open('t/0');
      expect(again.position).toBeUndefined();
      expect(await again.range({ gte: '', lt: '~', limit: 9 })).toEqual([]);
      expect(await getText(await store.open('t/1'), 'a')).toBe('other');
    },
  },
  {
    name: 'fences the owner by a reset',
    mutant: 'leaves the owner in place when it resets',
    async run({ openStore }) {
      const store = await openStore();
      const state = await store.open('t/0');
      await store.reset('t/0');
      await expectCode(state.commit(undefined, { position: 1, put: [], delete: [] }), 'FENCED');
    },
  },
  {
    name: 'opens above the old epoch after a reset',
    mutant: 'begins at epoch 1 after a reset',
    async run({ openStore }) {
      const store = await openStore();
      await store.open('t/0');
      const before = await store.open('t/0');
      await store.reset('t/0');
      expect((await store.open('t/0')).epoch).toBeGreaterThan(before.epoch);
    },
  },
];
