import { expect } from 'vitest';
import { crashTask, valueAt } from './commit-forever.ts';
import { entry, expectCode, textOf } from './state-store-builders.ts';
import type { StateStoreCase } from './state-store-harness.ts';

export const survivalCases: readonly StateStoreCase[] = [
  {
    name: 'has everything after it was closed and opened again',
    mutant: 'forgets the last commit when it is closed',
    async run({ openStore }) {
      const before = await openStore();
      const state = await before.open('t/0');
      for (let at = 0; at < 5; at++) {
        const put = [entry(`k${at}`, String(at)), entry('last', String(at))];
        await state.commit(at === 0 ? undefined : at, { position: at + 1, put, delete: [] });
      }
      await before.close();
      const after = await (await openStore()).open('t/0');
      expect(after.position).toBe(5);
      expect((await after.get(['k0', 'k4', 'last'])).map(textOf)).toEqual(['0', '4', '4']);
    },
  },
  {
    name: 'has every acknowledged commit, and no half one, after kill -9',
    mutant: 'acknowledges before it writes',
    needs: 'killWhileCommitting',
    async run({ openStore, killWhileCommitting }) {
      const acknowledged = await killWhileCommitting(200);
      const state = await (await openStore()).open(crashTask);
      expect(state.position).toBeGreaterThanOrEqual(acknowledged);
      expect(state.position).toBeLessThanOrEqual(acknowledged + 1);
      const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
      const values = (await state.get(keys)).map(textOf);
      expect(values).toEqual(keys.map((_, index) => valueAt(index, state.position!)));
      await state.commit(state.position, { position: state.position! + 1, put: [], delete: [] });
    },
  },
  {
    name: 'says that an outcome is unknown, and then has all of the commit or nothing',
    mutant: 'takes a lost answer for a success',
    needs: 'loseNextCommit',
    async run({ openStore, loseNextCommit }) {
      const store = await openStore();
      for (const when of ['before', 'after'] as const) {
        const state = await store.open(`t/${when}`);
        await state.commit(undefined, { position: 1, put: [entry('a', '1'), entry('b', '1')], delete: [] });
        await loseNextCommit(when);
        const put = [entry('a', '2'), entry('b', '2')];
        await expectCode(state.commit(1, { position: 2, put, delete: [] }), 'UNKNOWN_OUTCOME');
        const reopened = await store.open(`t/${when}`);
        const found = [reopened.position, ...(await reopened.get(['a', 'b'])).map(textOf)];
        const either = [
          [1, '1', '1'],
          [2, '2', '2'],
        ];
        expect(when === 'after' ? either.slice(1) : either).toContainEqual(found);
      }
    },
  },
  {
    name: 'takes no further commit of an owner after an unknown outcome',
    mutant: 'goes on after an unknown outcome',
    needs: 'loseNextCommit',
    async run({ openStore, loseNextCommit }) {
      const store = await openStore();
      const state = await store.open('t/0');
      await state.commit(undefined, { position: 1, put: [], delete: [] });
      await loseNextCommit('before');
      await state.commit(1, { position: 2, put: [entry('a', 'lost')], delete: [] }).catch(() => {});
      await expectCode(state.commit(1, { position: 2, put: [entry('a', 'again')], delete: [] }), 'FENCED');
    },
  },
];
