import { afterEach, describe, expect, it } from 'vitest';
import { moduleForChild } from '../../../runtime/adapters/child-module.ts';
import { runPatiently, WorkerPool, type WorkerPoolOptions } from '../../../services/scorer/worker-pool.ts';
import type { Behaviour } from './misbehaving-worker.ts';

const pools: WorkerPool<Behaviour, number>[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function createPool(overrule: Partial<WorkerPoolOptions> = {}): WorkerPool<Behaviour, number> {
  const pool = new WorkerPool<Behaviour, number>({
    module: moduleForChild('test/services/scorer/misbehaving-worker'),
    workers: 1,
    timeoutMs: 20_000,
    memoryMb: 64,
    waitingMax: 100,
    ...overrule,
  });
  pools.push(pool);
  return pool;
}

const works = { do: 'double', value: 21 } as const;

describe('a worker pool', () => {
  it('answers each task with its own result, more tasks than workers', async () => {
    const pool = createPool({ workers: 2 });
    const results = await Promise.all(Array.from({ length: 20 }, (_, value) => pool.run({ do: 'double', value })));
    expect(results).toEqual(Array.from({ length: 20 }, (_, value) => 2 * value));
  });

  it.each([
    ['throw', 'USER_CODE_FAILED', /no such thing/],
    ['exit', 'USER_CODE_FAILED', /exit code 7/],
    ['grow', 'TOO_LARGE', /64 MiB/],
  ] as const)('fails a task that does: %s, and goes on with the next', async (behaviour, code, message) => {
    const pool = createPool();
    const failed = pool.run({ do: behaviour });
    const next = pool.run(works);
    await expect(failed).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    await expect(next).resolves.toBe(42);
  });

  it('stops a task that takes too long, and goes on with the next', async () => {
    // The time counts from the moment the task is given, so the worker must be up.
    const pool = createPool({ timeoutMs: 3_000 });
    await pool.run(works);
    const failed = pool.run({ do: 'hang' });
    // its new worker has to load first
    const next = pool.run(works, 60_000);
    await expect(failed).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/3000 ms/) as string,
    });
    await expect(next).resolves.toBe(42);
  });

  it('hears an answer that came in time, though this thread was busy until long after the limit', async () => {
    const pool = createPool();
    await pool.run(works);
    const deaths = new Int32Array(new SharedArrayBuffer(4));
    // behind an immediate come the timers that are due, then what was sent meanwhile
    await new Promise(setImmediate);
    const answer = pool.run({ do: 'die', times: 0, deaths }, 100);
    while (Atomics.load(deaths, 0) === 0) Atomics.wait(deaths, 0, 0, 5);
    Atomics.wait(deaths, 0, 1, 300);
    await expect(answer).resolves.toBe(42);
  });

  it.each([
    [2, 'answers'],
    [3, 'fails'],
  ])('that lost %i workers by a task that is tried again %s', async (times, outcome) => {
    const pool = createPool();
    const deaths = new Int32Array(new SharedArrayBuffer(4));
    const tried = runPatiently(pool, { do: 'die', times, deaths });
    if (outcome === 'answers') await expect(tried).resolves.toBe(42);
    else await expect(tried).rejects.toMatchObject({ code: 'USER_CODE_FAILED' });
    expect(deaths[0]).toBe(3);
  });

  it('does not try again what the task itself refuses', async () => {
    const asked = new Int32Array(new SharedArrayBuffer(4));
    const tried = runPatiently(createPool(), { do: 'refuse', asked });
    await expect(tried).rejects.toMatchObject({ code: 'USER_CODE_FAILED', message: 'not with these rows' });
    expect(asked[0]).toBe(1);
  });

  it('refuses more tasks than may wait', async () => {
    const pool = createPool({ waitingMax: 1 });
    const first = [pool.run(works), pool.run(works)];
    await expect(pool.run(works)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(Promise.all(first)).resolves.toEqual([42, 42]);
  });

  it('fails what is open when it is closed, and takes nothing afterwards', async () => {
    const pool = createPool();
    const open = [pool.run({ do: 'hang' }), pool.run(works)].map((task) =>
      expect(task).rejects.toMatchObject({ code: 'CLOSED' }),
    );
    await pool.close();
    await Promise.all(open);
    await expect(pool.run(works)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
