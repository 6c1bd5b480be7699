import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { InputQueue } from '../../../runtime/engine/input-queue.ts';
import type { LogRecord } from '../../../runtime/ports/log.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { scripted, sum, World } from './world.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const records = (from: number, count: number): LogRecord[] =>
  Array.from({ length: count }, (_, n) => ({
    topic: 't',
    partition: 0,
    offset: from + n,
    timestampMs: 0,
    key: null,
    value: null,
    headers: {},
  }));

describe('the queue of a task', () => {
  it('pauses its partition when full and resumes it when half empty', () => {
    const calls: string[] = [];
    const queue = new InputQueue(8, { pause: () => calls.push('pause'), resume: () => calls.push('resume') });
    queue.push(records(0, 7), 7);
    expect(calls).toEqual([]);
    queue.push(records(7, 3), 10);
    expect(calls).toEqual(['pause']);
    expect(queue.take(5)).toHaveLength(5);
    expect(calls).toEqual(['pause']);
    expect(queue.take(1)).toHaveLength(1);
    expect(calls).toEqual(['pause', 'resume']);
  });

  it('pauses its partition when its records are big, though few', () => {
    const calls: string[] = [];
    const queue = new InputQueue(1_000, { pause: () => calls.push('pause'), resume: () => calls.push('resume') });
    const value = Buffer.alloc(8 * 1024 * 1024);
    const big = records(0, 5).map((record) => ({ ...record, value }));
    queue.push(big.slice(0, 3), 5);
    expect(calls).toEqual([]);
    queue.push(big.slice(3), 5);
    expect(calls).toEqual(['pause']);
    queue.putBack(queue.take(2));
    queue.take(2);
    expect(calls).toEqual(['pause']);
    queue.take(1);
    expect(calls).toEqual(['pause', 'resume']);
  });

  it('hands back what was put back, first, and nothing while it is held', () => {
    const queue = new InputQueue(8, { pause: () => undefined, resume: () => undefined });
    queue.push(records(0, 4), 4);
    queue.putBack(queue.take(3).slice(1));
    expect(queue.take(9).map(({ offset }) => offset)).toEqual([1, 2, 3]);
    queue.push(records(4, 1), 5);
    queue.hold();
    expect(queue.take(9)).toEqual([]);
    queue.release();
    expect(queue.take(9)).toHaveLength(1);
  });

  it('holds nothing of what was taken: a record holds the bytes of its whole batch', async () => {
    const queue = new InputQueue(1_000, { pause: () => undefined, resume: () => undefined });
    const given = records(0, 100);
    const seen = given.map((record) => new WeakRef(record));
    queue.push(given.splice(0), 100);
    for (let n = 0; n < 90; n++) queue.take(1);
    // a reference that was made in a turn of the event loop holds what it refers to until the end of that
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    const held = seen.filter((reference) => reference.deref() !== undefined).length;
    expect(held).toBeLessThanOrEqual(20);
    expect(queue.size).toBe(10);
  });

  it('stays bounded while a task cannot commit, and nothing is lost', async () => {
    const world = await World.create();
    let stuck = true;
    const runtime = await world.open({ batchRecords: 10, commitFault: () => (stuck ? 'before' : undefined) });
    await runtime.runTopology(scripted(() => ({ put: [['seen', true]] })));
    const many = Array.from({ length: 5_000 }, (_, version) => aliasRequest('m', version));
    await runtime.publish(many);
    const queued = await eventually('the task is stuck', () => {
      const [stats] = runtime.stats();
      return stats?.status === 'reopening' && stats.queuedRecords > 0 ? stats.queuedRecords : undefined;
    });
    expect(queued).toBeLessThan(1_200);
    stuck = false;
    await eventually('all are folded', () => sum(runtime, 'folded') === many.length);
    await world.close();
  });
});
