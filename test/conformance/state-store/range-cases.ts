import { expect } from 'vitest';
import type { KeyRange, TaskState } from '../../../runtime/ports/state-store.ts';
import { entry, expectCode, numbered } from './state-store-builders.ts';
import type { StateStoreCase, StateStoreHarness } from './state-store-harness.ts';

export const rangeCases: readonly StateStoreCase[] = [
  {
    name: 'answers a range from its lower bound, up to but not including the upper one',
    mutant: 'includes the upper bound',
    async run(harness) {
      const state = await withKeys(harness, ['a', 'b', 'c', 'd']);
      expect(await keysIn(state, { gte: 'b', lt: 'd', limit: 9 })).toEqual(['b', 'c']);
      expect(await keysIn(state, { gte: '', lt: 'b', limit: 9 })).toEqual(['a']);
      expect(await keysIn(state, { gte: 'b', lt: 'b', limit: 9 })).toEqual([]);
      expect(await keysIn(state, { gte: 'd', lt: 'a', limit: 9 })).toEqual([]);
    },
  },
  {
    name: 'pages a range upward by last key + zero character',
    mutant: 'ignores the limit',
    async run(harness) {
      const keys = numbered(1200);
      const state = await withKeys(harness, keys);
      const read: string[] = [];
      let gte = '';
      for (;;) {
        const page = await state.range({ gte, lt: '~', limit: 500 });
        expect(page.length).toBeLessThanOrEqual(500);
        read.push(...page.map(([key]) => key));
        const last = page.at(-1);
        if (last === undefined) break;
        gte = `${last[0]}\0`;
      }
      expect(read).toEqual(keys);
    },
  },
  {
    name: 'pages a range downward by last key',
    mutant: 'takes the lowest keys of a reverse range',
    async run(harness) {
      const keys = numbered(60);
      const state = await withKeys(harness, keys);
      const read: string[] = [];
      let lt = '~';
      for (;;) {
        const page = await keysIn(state, { gte: '', lt, limit: 25, reverse: true });
        if (page.length === 0) break;
        read.push(...page);
        lt = page.at(-1)!;
      }
      expect(read).toEqual([...keys].reverse());
      expect(await keysIn(state, { gte: 'k0010', lt: 'k0013', limit: 9, reverse: true })).toEqual([
        'k0012',
        'k0011',
        'k0010',
      ]);
    },
  },
  {
    name: 'orders keys by their ASCII codes',
    mutant: 'orders keys without regard to case',
    async run(harness) {
      const keys = [
        '\0',
        '\x01',
        ' ',
        '!',
        '0',
        '10',
        '2',
        'A',
        'B',
        'Z',
        '_',
        'a',
        'a\0',
        'a\0b',
        'a!',
        'aa',
        'b',
        '~',
        '\x7f',
      ];
      const state = await withKeys(harness, [...keys].reverse());
      expect(await keysIn(state, { gte: '', lt: '\x7f\x7f', limit: 99 })).toEqual(keys);
    },
  },
  {
    name: 'sees a key once in a range, however often it was written',
    mutant: 'lists a rewritten key twice',
    async run(harness) {
      const state = await withKeys(harness, ['a', 'b']);
      await state.commit(1, { position: 2, put: [entry('a', 'new')], delete: [] });
      const found = await state.range({ gte: '', lt: '~', limit: 9 });
      expect(found.map(([key, value]) => [key, Buffer.from(value).toString()])).toEqual([
        ['a', 'new'],
        ['b', 'b'],
      ]);
    },
  },
  {
    name: 'refuses a limit below one',
    mutant: 'takes a limit of zero',
    async run(harness) {
      const state = await withKeys(harness, ['a']);
      await expectCode(state.range({ gte: '', lt: '~', limit: 0 }), 'INVALID_ARGUMENT');
      await expectCode(state.range({ gte: '', lt: '~', limit: 1.5 }), 'INVALID_ARGUMENT');
    },
  },
];

async function withKeys({ openStore }: StateStoreHarness, keys: readonly string[]): Promise<TaskState> {
  const state = await (await openStore()).open('t/0');
  await state.commit(undefined, { position: 1, put: keys.map((key) => entry(key, key)), delete: [] });
  return state;
}

const keysIn = async (state: TaskState, range: KeyRange): Promise<readonly string[]> =>
  (await state.range(range)).map(([key]) => key);
