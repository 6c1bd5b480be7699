import { expect } from 'vitest';
import { hasCode } from '../../../runtime/ports/errors.ts';
import { expectCode, move, runChange, runRow, runsOf } from './query-store-builders.ts';
import type { QueryStoreCase } from './query-store-harness.ts';

export const positionCases: readonly QueryStoreCase[] = [
  {
    name: 'remembers the position of each source and the marks beside it, also when no row changed',
    mutant: 'forgets the marks',
    async run({ openStore }) {
      const store = await openStore();
      expect(await store.positions()).toEqual([]);
      await store.write({ moves: [move('t/1', undefined, '{"a":1}'), move('t/0', undefined, 'x')], changes: [] });
      await store.write({
        moves: [{ source: 't/1', expected: 1, position: 9_007_199_254_740_991, marks: 'ü' }],
        changes: [runChange('a')],
      });
      expect(await (await openStore()).positions()).toEqual([
        { source: 't/0', position: 1, marks: 'x' },
        { source: 't/1', position: 9_007_199_254_740_991, marks: 'ü' },
      ]);
    },
  },
  {
    name: 'writes all of a batch or nothing',
    mutant: 'writes what comes before the guilty row',
    async run({ openStore }) {
      const store = await openStore();
      const changes = [runChange('a'), runChange('b', { started: 0.5 })];
      await expectCode(store.write({ moves: [move('t/0', undefined)], changes }), 'INVALID_ARGUMENT');
      expect(await runsOf(store)).toEqual([]);
      expect(await store.positions()).toEqual([]);
      await store.write({ moves: [move('t/0', undefined)], changes: [runChange('c')] });
      expect((await runsOf(store)).map(({ id }) => id)).toEqual(['c']);
    },
  },
  {
    name: 'refuses a writer that expects another position than the stored one',
    mutant: 'believes a writer that is ahead of it',
    async run({ openStore }) {
      const store = await openStore();
      await store.write({ moves: [move('t/0', undefined)], changes: [] });
      await expectCode(store.write({ moves: [move('t/0', 5)], changes: [runChange('a')] }), 'FENCED');
      await expectCode(store.write({ moves: [move('t/1', 1)], changes: [runChange('a')] }), 'FENCED');
      expect(await runsOf(store)).toEqual([]);
      expect(await store.positions()).toEqual([{ source: 't/0', position: 1, marks: '' }]);
    },
  },
  {
    name: 'refuses the whole batch when one of its sources has moved',
    mutant: 'writes for the sources that have not moved',
    async run({ openStore }) {
      const store = await openStore();
      await store.write({ moves: [move('t/0', undefined), move('t/1', undefined)], changes: [] });
      await store.write({ moves: [move('t/1', 1)], changes: [] });
      await expectCode(store.write({ moves: [move('t/0', 1), move('t/1', 1)], changes: [runChange('a')] }), 'FENCED');
      expect((await store.positions()).map(({ position }) => position)).toEqual([1, 2]);
      expect(await runsOf(store)).toEqual([]);
    },
  },
  {
    name: 'lets one of two writers from the same position through, and counts once',
    mutant: 'compares positions before the transaction',
    async run({ openStore }) {
      const stores = [await openStore(), await openStore(), await openStore()];
      for (let at = 0; at < 20; at++) {
        const change = { table: 'counts', row: { route: 'a', rows: 1, seconds: 0, last: '' } } as const;
        const batch = { moves: [move('t/0', at === 0 ? undefined : at)], changes: [change] };
        const outcomes = await Promise.all(
          stores.map((store) =>
            store.write(batch).then(
              () => 'written',
              (error: unknown) => (hasCode(error, 'FENCED') ? 'fenced' : error),
            ),
          ),
        );
        expect(outcomes.sort()).toEqual(['fenced', 'fenced', 'written']);
      }
      const row = await stores[0]?.database.selectFrom('counts').select('rows').executeTakeFirst();
      expect(row?.rows).toBe(20);
    },
  },
  {
    name: 'shows a write whole or not at all to a reader beside it',
    mutant: 'applies a batch in two steps',
    async run({ openStore }) {
      const [writer, reader] = [await openStore(), await openStore()];
      const ids = Array.from({ length: 400 }, (_, index) => `r${index}`);
      let done = false;
      const seen = new Set<string>();
      const reading = (async () => {
        while (!done) {
          const rows = await reader.database.selectFrom('runs').select(['status']).distinct().execute();
          seen.add(rows.map(({ status }) => status).join('|'));
          await new Promise(setImmediate);
        }
      })();
      for (let at = 0; at < 8; at++) {
        const changes = ids.map(
          (id) => ({ table: 'runs', row: runRow(id, { status: String(at) }), set: ['status'] }) as const,
        );
        await writer.write({ moves: [move('t/0', at === 0 ? undefined : at)], changes });
        await new Promise(setImmediate);
      }
      done = true;
      await reading;
      expect([...seen].filter((statuses) => statuses.includes('|'))).toEqual([]);
      expect(seen.size).toBeGreaterThan(2);
    },
  },
  {
    name: 'is empty after a reset, and filled again from the beginning',
    mutant: 'keeps positions at a reset',
    async run({ openStore }) {
      const store = await openStore();
      await store.write({ moves: [move('t/0', undefined)], changes: [runChange('a')] });
      await store.reset();
      expect([await store.positions(), await runsOf(store)]).toEqual([[], []]);
      await store.write({ moves: [move('t/0', undefined)], changes: [runChange('b')] });
      expect((await runsOf(store)).map(({ id }) => id)).toEqual(['b']);
    },
  },
];
