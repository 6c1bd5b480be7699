import { expect } from 'vitest';
import { expectCode, move, put, runChange, runsOf, suiteSchema, suiteTables } from './query-store-builders.ts';
import type { QueryStoreCase } from './query-store-harness.ts';
import { crashSource, rowsPerWrite } from './write-forever.ts';

export const survivalCases: readonly QueryStoreCase[] = [
  {
    name: 'has everything after it was closed and opened again',
    mutant: 'forgets everything when it is closed',
    async run({ openStore }) {
      const before = await openStore();
      await before.write({ moves: [move('t/0', undefined)], changes: [runChange('a'), runChange('b')] });
      await before.close();
      const after = await openStore();
      expect((await runsOf(after)).map(({ id }) => id)).toEqual(['a', 'b']);
      expect(await after.positions()).toEqual([{ source: 't/0', position: 1, marks: '' }]);
    },
  },
  {
    name: 'has every acknowledged write, and no half one, after kill -9',
    mutant: 'acknowledges before it writes',
    async run({ openStore, killWhileWriting }) {
      const acknowledged = await killWhileWriting(100);
      const store = await openStore();
      const position = (await store.positions()).find(({ source }) => source === crashSource)?.position ?? 0;
      expect(position).toBeGreaterThanOrEqual(acknowledged);
      const { count, sum } = await store.database
        .selectFrom('runs')
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number>('started').as('sum')])
        .executeTakeFirstOrThrow();
      expect([count, sum]).toEqual([rowsPerWrite * position, (rowsPerWrite * position * (position - 1)) / 2]);
    },
  },
  {
    name: 'is emptied by a newer version',
    mutant: 'keeps the rows of an older version',
    async run({ openStore }) {
      const before = await openStore();
      await before.write({ moves: [move('t/0', undefined)], changes: [runChange('a')] });
      await before.close();
      const after = await openStore({ ...suiteSchema, version: suiteSchema.version + 1 });
      expect([await after.positions(), await runsOf(after)]).toEqual([[], []]);
    },
  },
  {
    name: 'is emptied when its tables are declared otherwise',
    mutant: 'keeps tables as they were',
    async run({ openStore }) {
      const before = await openStore();
      await before.write({ moves: [move('t/0', undefined)], changes: [runChange('a')] });
      await before.close();
      const runs = { ...suiteTables.runs, columns: { ...suiteTables.runs.columns, owner: 'text' } } as const;
      const after = await openStore({ ...suiteSchema, tables: { runs } });
      expect(await after.positions()).toEqual([]);
      const row = { id: 'a', flow: 'f', status: '', started: 1, note: null, owner: 'me' };
      await after.write({ moves: [], changes: [{ table: 'runs', row }] });
      expect(await after.database.selectFrom('runs').selectAll().execute()).toEqual([row]);
    },
  },
  {
    name: 'refuses an older program than the one that filled it',
    mutant: 'is emptied by an older version',
    async run({ openStore }) {
      const newer = await openStore();
      await put(newer, runChange('a'));
      await expectCode(openStore({ ...suiteSchema, version: suiteSchema.version - 1 }), 'NEWER_FORMAT');
      expect((await runsOf(newer)).map(({ id }) => id)).toEqual(['a']);
    },
  },
  {
    name: 'refuses a write of a program that a newer one has replaced',
    mutant: 'swallows the writes of an older program',
    async run({ openStore }) {
      const older = await openStore();
      await put(older, runChange('a'));
      const newer = await openStore({ ...suiteSchema, version: suiteSchema.version + 2 });
      await expectCode(put(older, runChange('b')), 'NEWER_FORMAT');
      expect(await runsOf(newer)).toEqual([]);
    },
  },
  {
    name: 'refuses calls after close, and closes twice without complaint',
    mutant: 'goes on after close',
    async run({ openStore }) {
      const store = await openStore();
      const writing = put(store, runChange('a'));
      await store.close();
      await store.close();
      await writing;
      await expectCode(put(store, runChange('b')), 'CLOSED');
      await expectCode(store.positions(), 'CLOSED');
      expect(() => store.database).toThrow('closed');
      expect((await runsOf(await openStore())).map(({ id }) => id)).toEqual(['a']);
    },
  },
];
