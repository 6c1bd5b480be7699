import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteQueryStore } from '../../../runtime/adapters/query/sqlite-query-store.ts';
import type { QueryStore } from '../../../runtime/ports/query-store.ts';
import {
  expectCode,
  move,
  put,
  runChange,
  runRow,
  runsOf,
  type SuiteTables,
  suiteSchema,
} from '../../conformance/query-store/query-store-builders.ts';

let directory: string;
let store: QueryStore<SuiteTables>;

const open = async (): Promise<QueryStore<SuiteTables>> =>
  await openSqliteQueryStore({ file: join(directory, 'store.db'), schema: suiteSchema });

const indexes = async (): Promise<readonly string[]> => {
  const { rows } = await sql<{ name: string }>`
    SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'`.execute(store.database);
  return rows.map(({ name }) => name);
};

/** So many rows that a thread writes them. */
const many = (from: number): ReturnType<typeof runChange>[] =>
  Array.from({ length: 3_000 }, (_, n) => runChange(`r${from + n}`, { started: n }));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-sqlite-'));
  store = await open();
});

afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a store that is filled', () => {
  it('does without its indexes until it is full, also when it is opened again meanwhile, and again after a reset', async () => {
    await store.write({ moves: [move('a/0', undefined)], changes: many(0) });
    expect(await indexes()).toEqual([]);
    await store.close();
    store = await open();
    expect(await indexes()).toEqual([]);
    expect(await runsOf(store)).toHaveLength(3_000);
    await store.filled();
    await store.filled();
    expect(await indexes()).toEqual(['runs_by_flow_started']);
    await store.reset();
    expect(await indexes()).toEqual([]);
    expect(await runsOf(store)).toEqual([]);
    await store.filled();
    expect(await indexes()).toEqual(['runs_by_flow_started']);
  });
});

describe('a write of many rows', () => {
  it('is in order with those before and after it, whoever writes them', async () => {
    await put(store, runChange('r7', { status: 'before' }));
    await Promise.all([
      store.write({ moves: [], changes: many(0) }),
      put(store, { table: 'runs', row: { ...runRow('r8'), status: 'after' }, set: ['status'] }),
    ]);
    const runs = await runsOf(store);
    expect(runs).toHaveLength(3_000);
    expect(runs.find(({ id }) => id === 'r7')?.status).toBe('before');
    expect(runs.find(({ id }) => id === 'r8')?.status).toBe('after');
  });

  it('is refused like a small one when its source has moved, and changes nothing', async () => {
    await store.write({ moves: [move('a/0', undefined)], changes: many(0) });
    const message = await expectCode(store.write({ moves: [move('a/0', undefined)], changes: many(10_000) }), 'FENCED');
    expect(message).toContain('a/0 was moved by another writer');
    expect(await runsOf(store)).toHaveLength(3_000);
  });
});
