import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteQueryStore } from '../../../runtime/adapters/query/sqlite-query-store.ts';
import { defineProjection } from '../../../runtime/engine/projection.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { type Clock, systemClock } from '../../../runtime/ports/clock.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { QueryStore, TableSpecs } from '../../../runtime/ports/query-store.ts';
import { tableDigest } from '../../../runtime/testing/table-digest.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';

const who = defineProjection({
  name: 'who',
  summary: 'who did what, and how often',
  version: 1,
  inputs: ['operations'],
  tables: {
    done: { columns: { id: 'text', actor: 'text', size: 'real' }, key: ['id'] },
    counts: { columns: { actor: 'text', operations: 'integer' }, key: ['actor'], sums: ['operations'] },
  },
  rowsOf: (event) => {
    if (event.type !== 'operation-recorded') return [];
    const { operationId, actor, action } = event.data;
    if (action === 'throw') throw new Error('a defect');
    return [
      { table: 'done', row: { id: operationId, actor, size: action === 'nan' ? Number.NaN : 1 } },
      { table: 'counts', row: { actor, operations: 1 } },
    ];
  },
});
type Tables = typeof who.tables;
type Store = QueryStore<Tables>;

let test: TestRuntime;
let directory: string;
const opened: Store[] = [];
beforeEach(async () => {
  test = await createTestRuntime();
  directory = await mkdtemp(join(tmpdir(), 'millrace-projection-'));
});
afterEach(async () => {
  await test.close();
  await Promise.all(opened.splice(0).map((store) => store.close()));
  await rm(directory, { recursive: true, force: true });
});

async function openStore(
  schema = who as Pick<typeof who, 'name' | 'version' | 'tables'>,
  file = 'who.db',
): Promise<Store> {
  const store = await openSqliteQueryStore({ file: join(directory, file), schema });
  opened.push(store);
  return store;
}

/** The store with another `write`. */
const altered = (store: Store, write: Store['write']): Store => ({
  dialect: store.dialect,
  shared: store.shared,
  database: store.database,
  positions: () => store.positions(),
  filled: () => store.filled(),
  reset: () => store.reset(),
  close: () => store.close(),
  write,
});

const actors = ['ann', 'bob', 'cy'];
async function publish(runtime: Runtime, from: number, to: number, action = 'act') {
  const outputs = Array.from({ length: to - from }, (_, index) => {
    const id = `op-${from + index}`;
    const data = {
      operationId: id,
      action,
      object: id,
      actor: actors[(from + index) % 3] ?? '',
      outcome: '',
      detail: '{}',
    };
    return { topic: 'operations', type: 'operation-recorded', data, key: id, id } as const;
  });
  return await runtime.publish(outputs);
}

async function counts(store: Store): Promise<Record<string, number>> {
  const rows = await store.database.selectFrom('counts').selectAll().orderBy('actor').execute();
  return Object.fromEntries(rows.map(({ actor, operations }) => [actor, operations]));
}

const digestOf = (store: Store) => tableDigest(store as unknown as QueryStore<TableSpecs>, who.tables);

describe('a projection', () => {
  it('has what was published, once it has passed the place where it lies', async () => {
    const store = await openStore();
    const running = await test.runtime.runProjection(who, store);
    for (let at = 0; at < 20; at++) {
      await running.passed(await publish(test.runtime, 3 * at, 3 * at + 3), 5_000);
      expect(await counts(store)).toEqual({ ann: at + 1, bob: at + 1, cy: at + 1 });
    }
    expect(test.runtime.stats().map(({ task, status }) => [task, status])).toEqual([
      ['who/operations/0', 'running'],
      ['who/operations/1', 'running'],
      ['who/operations/2', 'running'],
    ]);
  });

  it('is at the end of a topic that ends in a mark of a transaction, which is no record', async () => {
    const { log } = test.runtime.parts;
    await publish(test.runtime, 0, 30);
    const endOffsets = log.endOffsets.bind(log);
    log.endOffsets = async (topic) => (await endOffsets(topic)).map((end) => end + 1);
    const subscribe = log.subscribe.bind(log);
    log.subscribe = (spec, handler) =>
      subscribe(spec, {
        ...handler,
        records: (partition, records, end) => {
          handler.records(partition, records, end + 1);
          if (records.at(-1)?.offset === end - 1) handler.passed?.(partition, end, end + 1);
        },
      });
    const running = await test.runtime.runProjection(who, await openStore());
    await running.caughtUp(5_000);
    expect(test.runtime.stats().map(({ position, endOffset }) => endOffset - position)).toEqual([0, 0, 0]);
  });

  it('tries a store that is full ever more rarely, and goes on when there is room', async () => {
    const waits: number[] = [];
    const clock: Clock = {
      now: () => systemClock.now(),
      after: (ms, then) => {
        waits.push(ms);
        return systemClock.after(Math.min(ms, 1), then);
      },
    };
    const full = await createTestRuntime({ parts: { clock } });
    try {
      const store = await openStore();
      let failures = 9;
      const running = await full.runtime.runProjection(
        who,
        altered(store, (batch) => {
          if (failures-- > 0) return Promise.reject(new MillraceError('DISK_FULL', 'no space is left'));
          return store.write(batch);
        }),
      );
      await running.passed(await publish(full.runtime, 0, 3), 5_000);
      expect(await counts(store)).toEqual({ ann: 1, bob: 1, cy: 1 });
      const tried = [20, 40, 80, 160, 320, 640, 1_280, 2_000];
      expect(waits.filter((ms) => tried.includes(ms))).toEqual([...tried, 2_000]);
    } finally {
      await full.close();
    }
  });

  it('says how far it is behind when it does not get there in time', async () => {
    const store = await openStore();
    const held = altered(store, () => Promise.reject(new MillraceError('UNAVAILABLE', 'away')));
    const running = await test.runtime.runProjection(who, held);
    const places = await publish(test.runtime, 0, 1);
    await expect(running.passed(places, 50)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(running.caughtUp(50)).rejects.toThrow(/who are 1 record\(s\) behind the log/);
  });

  it('counts nothing twice that is said again, also after a restart', async () => {
    const store = await openStore();
    await publish(test.runtime, 0, 30);
    const running = await test.runtime.runProjection(who, store);
    await running.ready();
    await running.passed(await publish(test.runtime, 0, 30), 5_000);
    await running.close();
    const again = await (await test.restart()).runProjection(who, store);
    await again.passed(await publish(test.runtime, 15, 33), 5_000);
    expect(await counts(store)).toEqual({ ann: 11, bob: 11, cy: 11 });
  });

  it('counts nothing twice and loses nothing when writes fail before, after, and with an unknown outcome', async () => {
    const store = await openStore();
    let writes = 0;
    const outcomes: string[] = [];
    const faulty = altered(store, async (batch) => {
      const fault = ['none', 'before', 'after', 'none', 'fenced'][writes++ % 5] ?? '';
      outcomes.push(fault);
      if (fault === 'before') throw new MillraceError('UNAVAILABLE', 'away');
      if (fault === 'fenced') throw new MillraceError('FENCED', 'moved');
      await store.write(batch);
      if (fault === 'after') throw new MillraceError('UNKNOWN_OUTCOME', 'lost');
    });
    const running = await test.runtime.runProjection(who, faulty);
    for (let at = 0; at < 12; at++) await running.passed(await publish(test.runtime, 30 * at, 30 * at + 30), 10_000);
    expect(await counts(store)).toEqual({ ann: 120, bob: 120, cy: 120 });
    expect(new Set(outcomes)).toEqual(new Set(['none', 'before', 'after', 'fenced']));
  });

  it('counts each record once when several instances write the same tables at once', async () => {
    const stores = await Promise.all([openStore(), openStore(), openStore()]);
    const fenced = [0, 0, 0];
    const running = await Promise.all(
      stores.map((store, index) => {
        const counted = altered(store, async (batch) => {
          await store.write(batch).catch((error: unknown) => {
            fenced[index] = (fenced[index] ?? 0) + 1;
            throw error;
          });
        });
        return test.runtime.runProjection(who, counted);
      }),
    );
    for (let at = 0; at < 20; at++) await publish(test.runtime, 30 * at, 30 * at + 30);
    await Promise.all(running.map((one) => one.caughtUp(20_000)));
    for (const store of stores) expect(await counts(store)).toEqual({ ann: 200, bob: 200, cy: 200 });
    expect(fenced.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
  });

  it('is filled again to the same tables by another version, a reset, and in smaller pieces', async () => {
    const first = await openStore();
    await publish(test.runtime, 0, 500);
    const running = await test.runtime.runProjection(who, first);
    await running.ready();
    const digest = await digestOf(first);
    await first.reset();
    await running.passed(await publish(test.runtime, 0, 1), 10_000);
    expect(await digestOf(first)).toBe(digest);
    await running.close();

    const second = await openStore({ ...who, version: 2 });
    expect(await counts(second)).toEqual({});
    await (await test.runtime.runProjection({ ...who, version: 2 }, second)).ready();
    expect(await digestOf(second)).toBe(digest);

    const other = await createTestRuntime();
    const third = await openStore(who, 'third.db');
    const slow = await other.runtime.runProjection(who, third);
    for (let at = 0; at < 500; at += 20) await slow.passed(await publish(other.runtime, at, at + 20), 5_000);
    expect(await digestOf(third)).toBe(digest);
    await other.close();
  });

  it('is filled again when its tables tell of another log', async () => {
    const store = await openStore();
    await publish(test.runtime, 0, 90);
    await (await test.runtime.runProjection(who, store)).ready();
    const other = await createTestRuntime();
    await publish(other.runtime, 0, 30);
    await (await other.runtime.runProjection(who, store)).ready();
    expect(await counts(store)).toEqual({ ann: 10, bob: 10, cy: 10 });
    expect(other.complaints.map(({ message }) => message)).toContain(
      'the tables were filled from another log; they are filled again',
    );
    await other.close();
  });

  it('refuses another log when its tables are shared', async () => {
    const store = { ...altered(await openStore(), async () => {}), shared: true };
    await publish(test.runtime, 0, 90);
    const filled = await openStore();
    const running = await test.runtime.runProjection(who, filled);
    await running.ready();
    await running.close();
    const other = await createTestRuntime();
    await expect(other.runtime.runProjection(who, store)).rejects.toMatchObject({ code: 'STATE_AHEAD_OF_LOG' });
    expect(await counts(filled)).toEqual({ ann: 30, bob: 30, cy: 30 });
    await other.close();
  });

  it('is said to have stopped when its store is broken, until it is closed', async () => {
    const broken = altered(await openStore(), () =>
      Promise.reject(new MillraceError('CORRUPT', 'the file is damaged')),
    );
    const running = await test.runtime.runProjection(who, broken);
    await publish(test.runtime, 0, 3);
    await eventually('it has stopped', () => test.runtime.stopped().includes('the projection who'));
    await running.close();
    expect(test.runtime.stopped()).toEqual([]);
  });

  it('goes on after records that cannot be read, events that make it throw, and rows that do not fit', async () => {
    const store = await openStore();
    const running = await test.runtime.runProjection(who, store);
    const topic = test.runtime.topic('operations');
    const garbage = Array.from({ length: 3 }, (_, partition) => ({
      topic,
      partition,
      key: 'x',
      value: Buffer.from('garbage'),
      headers: { ce_id: `x${partition}` },
    }));
    await publish(test.runtime, 0, 9);
    await test.runtime.parts.log.append(garbage);
    await publish(test.runtime, 100, 109, 'throw');
    await publish(test.runtime, 200, 209, 'nan');
    await publish(test.runtime, 9, 18);
    await running.caughtUp(10_000);
    expect(await counts(store)).toEqual({ ann: 6, bob: 6, cy: 6 });
    const complaints = test.complaints.map(({ message }) => message);
    expect(
      complaints.filter((message) => message === 'a record cannot be read and has no rows').length,
    ).toBeGreaterThanOrEqual(3);
    expect(complaints).toContain('an event has no rows');
    expect(JSON.stringify(test.complaints)).toContain('done.size takes real, not NaN');
  });

  it('fills a store that lost its last writes', async () => {
    const store = await openStore();
    const running = await test.runtime.runProjection(who, store);
    await running.passed(await publish(test.runtime, 0, 60), 5_000);
    await store.reset();
    await publish(test.runtime, 60, 90);
    await eventually('all rows are back', async () => Object.values(await counts(store)).join() === '30,30,30');
  });
});
