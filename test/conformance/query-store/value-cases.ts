import { expect } from 'vitest';
import { expectCode, put, runChange, runRow, runsOf } from './query-store-builders.ts';
import type { QueryStoreCase } from './query-store-harness.ts';

export const valueCases: readonly QueryStoreCase[] = [
  {
    name: 'gives back every value that a column takes, to every store on the same data',
    mutant: 'cuts integers to 32 bits',
    async run({ openStore }) {
      const [store, other] = [await openStore(), await openStore()];
      const numbers = [
        0,
        0.1,
        -1.5e-300,
        1.7976931348623157e308,
        5e-324,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
      ];
      const readings = numbers.map((value, step) => ({ run: 'r', step, value, bound: step === 0 ? null : value }));
      const runs = [
        runRow('a', { started: Number.MAX_SAFE_INTEGER, note: '' }),
        runRow('b', { started: Number.MIN_SAFE_INTEGER, note: null }),
      ];
      await put(store, ...runs.map(({ id, ...more }) => runChange(id, more)));
      await put(store, ...readings.map((row) => ({ table: 'readings', row }) as const));
      expect(await runsOf(other)).toEqual(runs);
      expect(await other.database.selectFrom('readings').selectAll().orderBy('step').execute()).toEqual(readings);
      const { count } = await other.database
        .selectFrom('runs')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      expect(count).toBe(2);
    },
  },
  {
    name: 'keeps any text, and lets none of it speak SQL',
    mutant: 'cuts text behind a NUL',
    async run({ openStore }) {
      const store = await openStore();
      const texts = [
        "'; DROP TABLE runs; --",
        '"quoted" {a,b} \\N NULL',
        'čaj 茶 🍵 e\u0301',
        'line\nand\ttab',
        '%_\\',
        'NULL',
      ];
      await put(store, ...texts.map((note, index) => runChange(note, { flow: note, note, started: index })));
      const read = await store.database.selectFrom('runs').selectAll().orderBy('started').execute();
      expect(read.map(({ id, flow, note }) => [id, flow, note])).toEqual(texts.map((text) => [text, text, text]));
      await put(store, runChange('a\0b', { note: 'x\0y \ud800 z' }));
      const [row] = await store.database.selectFrom('runs').selectAll().where('id', '=', 'a\ufffdb').execute();
      expect(row?.note).toBe('x\ufffdy \ufffd z');
    },
  },
  {
    name: 'sorts text by its bytes',
    mutant: 'sorts text as people do',
    async run({ openStore }) {
      const store = await openStore();
      const ids = ['Z', 'a', 'B', 'é', 'z', '_', 'a-b', 'ab', '10', '9'];
      await put(store, ...ids.map((id) => runChange(id)));
      const sorted = (await runsOf(store)).map(({ id }) => id);
      expect(sorted).toEqual([...ids].sort((one, two) => Buffer.compare(Buffer.from(one), Buffer.from(two))));
      const above = await store.database
        .selectFrom('runs')
        .select('id')
        .where('id', '>', 'Z')
        .where('id', '<', 'b')
        .execute();
      expect(above.map(({ id }) => id).sort()).toEqual(['_', 'a', 'a-b', 'ab']);
    },
  },
  {
    name: 'minds case in LIKE',
    mutant: 'minds no case in LIKE',
    async run({ openStore }) {
      const store = await openStore();
      await put(store, runChange('Wine'), runChange('wine'), runChange('WINE'));
      const like = await store.database.selectFrom('runs').select('id').where('id', 'like', 'w%e').execute();
      expect(like).toEqual([{ id: 'wine' }]);
    },
  },
  {
    name: 'refuses NaN, absent values and values of another type, naming table and column',
    mutant: 'takes NaN for zero',
    async run({ openStore }) {
      const store = await openStore();
      const row = { run: 'r', step: 1, value: 1, bound: null };
      const refused = async (wrong: object) =>
        await expectCode(put(store, { table: 'readings', row: { ...row, ...wrong } }), 'INVALID_ARGUMENT');
      expect(await refused({ value: Number.NaN })).toContain('readings.value');
      expect(await refused({ step: 1.5 })).toContain('readings.step');
      expect(await refused({ step: null })).toContain('readings.step');
      expect(await refused({ step: 2 ** 53 })).toContain('readings.step');
      expect(await refused({ run: undefined })).toContain('readings.run');
      expect(await refused({ bound: '1' })).toContain('readings.bound');
      expect(await store.database.selectFrom('readings').selectAll().execute()).toEqual([]);
    },
  },
  {
    name: 'takes a batch of any size',
    mutant: 'takes no more than 5,000 changes',
    async run({ openStore }) {
      const store = await openStore();
      await put(store, ...Array.from({ length: 6_789 }, (_, index) => runChange(`r${index}`, { started: index })));
      const { count, sum } = await store.database
        .selectFrom('runs')
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number>('started').as('sum')])
        .executeTakeFirstOrThrow();
      expect([count, sum]).toEqual([6_789, (6_788 * 6_789) / 2]);
    },
  },
];
