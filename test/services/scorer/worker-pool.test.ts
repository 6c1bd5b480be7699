import { afterEach, describe, expect, it } from 'vitest';
import { moduleForChild } from '../../../runtime/adapters/child-module.ts';
import { WorkerPool, type WorkerPoolOptions } from '../../../services/scorer/worker-pool.ts';
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
    ['grow', 'TOO_LARGE', /64 MB/],
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
    const next = pool.run(works);
    await expect(failed).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/3000 ms/) as string,
    });
    await expect(next).resolves.toBe(42);
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
