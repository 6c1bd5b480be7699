import { expect } from 'vitest';
import { hasCode, messageOf } from '../../../runtime/ports/errors.ts';
import type { QuerySchema, QueryStore, RowChange, SourceMove } from '../../../runtime/ports/query-store.ts';

/** One table for each thing that a table can declare. */
export const suiteTables = {
  runs: {
    columns: { id: 'text', flow: 'text', status: 'text', started: 'integer', note: 'text?' },
    key: ['id'],
    indexes: [['flow', '-started']],
  },
  readings: { columns: { run: 'text', step: 'integer', value: 'real', bound: 'real?' }, key: ['run', 'step'] },
  counts: {
    columns: { route: 'text', rows: 'integer', seconds: 'real', last: 'text' },
    key: ['route'],
    sums: ['rows', 'seconds'],
  },
  latest: {
    columns: { name: 'text', step: 'integer', at: 'integer', value: 'real' },
    key: ['name'],
    newestBy: ['step', 'at'],
  },
} as const satisfies QuerySchema['tables'];
export type SuiteTables = typeof suiteTables;
type Change = RowChange<SuiteTables>;

export const suiteSchema: QuerySchema<SuiteTables> = { name: 'suite', version: 2, tables: suiteTables };

export const runRow = (
  id: string,
  more: Partial<{ flow: string; status: string; started: number; note: string | null }> = {},
) => ({
  id,
  flow: 'f',
  status: 'running',
  started: 1,
  note: null,
  ...more,
});

export const runChange = (id: string, more: Parameters<typeof runRow>[1] = {}): Change => ({
  table: 'runs',
  row: runRow(id, more),
});

/** From `expected` to the next position; undefined begins. */
export const move = (source: string, expected: number | undefined, marks = ''): SourceMove => ({
  source,
  expected,
  position: (expected ?? 0) + 1,
  marks,
});

/** Writes changes without moving a source. */
export async function put(store: QueryStore<SuiteTables>, ...changes: readonly Change[]): Promise<void> {
  await store.write({ moves: [], changes });
}

export async function runsOf(store: QueryStore<SuiteTables>) {
  return await store.database.selectFrom('runs').selectAll().orderBy('id').execute();
}

export async function expectCode(promise: Promise<unknown>, code: Parameters<typeof hasCode>[1]): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (rejection: unknown) => rejection,
  );
  expect(hasCode(error, code), `${code}, not ${error === undefined ? 'resolved' : messageOf(error)}`).toBe(true);
  return messageOf(error);
}
