import { expect } from 'vitest';
import { put, runChange, runRow, runsOf } from './query-store-builders.ts';
import type { QueryStoreCase } from './query-store-harness.ts';

export const changeCases: readonly QueryStoreCase[] = [
  {
    name: 'keeps the first row of a key',
    mutant: 'overwrites without being asked',
    async run({ openStore }) {
      const store = await openStore();
      await put(store, runChange('a', { status: 'first' }));
      await put(store, runChange('a', { status: 'second' }), runChange('b'));
      expect((await runsOf(store)).map(({ status }) => status)).toEqual(['first', 'running']);
    },
  },
  {
    name: 'overwrites the named columns and no other',
    mutant: 'overwrites the whole row',
    async run({ openStore }) {
      const store = await openStore();
      await put(store, runChange('a', { started: 7, note: 'kept' }));
      await put(store, { table: 'runs', row: runRow('a', { status: 'completed' }), set: ['status'] });
      expect(await runsOf(store)).toEqual([runRow('a', { started: 7, note: 'kept', status: 'completed' })]);
    },
  },
  {
    name: 'lets the changes of one key in one batch act in their order',
    mutant: 'applies only the last change of a key',
    async run({ openStore }) {
      const store = await openStore();
      const first = runChange('a', { started: 1, status: 'one', note: 'one' });
      const second = { table: 'runs', row: runRow('a', { started: 2, status: 'two' }), set: ['status'] } as const;
      const third = { table: 'runs', row: runRow('a', { started: 3, note: 'three' }), set: ['note'] } as const;
      await put(store, first, runChange('b'), second, third);
      expect(await runsOf(store)).toEqual([runRow('a', { started: 1, status: 'two', note: 'three' }), runRow('b')]);
    },
  },
  {
    name: 'adds to sums, within a batch and between batches',
    mutant: 'sets sums instead of adding',
    async run({ openStore }) {
      const store = await openStore();
      const counted = (rows: number, last: string) =>
        ({ table: 'counts', row: { route: 'a', rows, seconds: rows / 2, last }, set: ['last'] }) as const;
      await put(store, counted(1, 'x'), counted(2, 'y'));
      await put(store, counted(4, 'z'), { table: 'counts', row: { route: 'b', rows: -1, seconds: 0, last: '' } });
      expect(await store.database.selectFrom('counts').selectAll().orderBy('route').execute()).toEqual([
        { route: 'a', rows: 7, seconds: 3.5, last: 'z' },
        { route: 'b', rows: -1, seconds: 0, last: '' },
      ]);
    },
  },
  {
    name: 'forgets removed rows; a row put after the removal is a new one',
    mutant: 'ignores removals',
    async run({ openStore }) {
      const store = await openStore();
      const remove = (id: string) => ({ table: 'runs', remove: { id } }) as const;
      await put(store, runChange('a', { note: 'old' }), runChange('b'), runChange('c', { note: 'old' }));
      await put(store, remove('a'), runChange('a', { note: 'new' }), remove('b'), remove('none'));
      await put(store, runChange('d'), remove('d'));
      expect(await runsOf(store)).toEqual([runRow('a', { note: 'new' }), runRow('c', { note: 'old' })]);
      const reading = (step: number) => ({ run: 'r', step, value: 1, bound: null });
      await put(store, { table: 'readings', row: reading(1) }, { table: 'readings', row: reading(-2) });
      await put(store, { table: 'readings', remove: { run: 'r', step: -2 } });
      expect(await store.database.selectFrom('readings').selectAll().execute()).toEqual([reading(1)]);
    },
  },
  {
    name: 'lets the newest row stay, in whatever order they come',
    mutant: 'lets the last write win',
    async run({ openStore }) {
      const store = await openStore();
      const at = (step: number, ms: number, value: number) =>
        ({ table: 'latest', row: { name: 'loss', step, at: ms, value }, set: 'all' }) as const;
      const value = async () => (await store.database.selectFrom('latest').select('value').executeTakeFirst())?.value;
      await put(store, at(2, 10, 0.2));
      await put(store, at(1, 99, 0.1));
      expect(await value()).toBe(0.2);
      await put(store, at(2, 11, 0.21));
      await put(store, at(2, 11, 0.22));
      expect(await value()).toBe(0.22);
      await put(store, at(3, 0, 0.3), at(2, 50, 0.25));
      expect(await value()).toBe(0.3);
    },
  },
];
