import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeMeta } from '../../../runtime/engine/task-meta.ts';
import type { RawTopology } from '../../../runtime/engine/topology.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest, toyTopology } from './toy-topology.ts';
import { say, scripted, sum, World } from './world.ts';

describe('the ledger between two folds', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  it('balances: ordinals sent = accepted, when nothing is in flight', async () => {
    let faults = 3;
    const runtime = await world.open({
      batchRecords: 7,
      commitFault: (task) =>
        task.startsWith('toy/') && faults-- > 0 ? (faults % 2 === 0 ? 'before' : 'after') : undefined,
    });
    const readerTopology = { ...scripted(() => ({})), name: 'reader' };
    await (await runtime.runTopology(readerTopology)).ready();
    await (await runtime.runTopology(toyTopology)).ready();
    await runtime.publish(Array.from({ length: 60 }, (_, n) => aliasRequest(`m${n % 5}`, n)));
    const meta = (task: string) => decodeMeta(world.state.tasks.get(task)?.values.get('~meta'), 1);
    await eventually('both have folded all', () => {
      const end = world.log.topics.get('registry')?.partitions[0]?.records.length;
      return sum(runtime, 'aliasesSet') === 60 && runtime.stats().every(({ position }) => position === end);
    });
    const sent = meta('toy/registry/0').ordinals['registry/0'];
    const accepted = meta('reader/registry/0').watermarks['toy/0'];
    expect(sent).toBe(60);
    expect(accepted).toEqual([0, 60]);
    expect(sum(runtime, 'gaps')).toBe(0);
  });

  it('folds a record of a raw topology once, although a batch that was cut short is taken again', async () => {
    let faults = 0;
    const trail: RawTopology = {
      name: 'trail',
      version: 1,
      rawInput: 'registry',
      outputs: ['operations'],
      summary: 'counts raw records',
      fold: ({ offset, timeMs }) => ({
        count: { [`offset${offset}`]: 1 },
        setTimers: [{ name: 't', dueMs: timeMs, reads: { keys: ['k'] } }],
      }),
      onTimer: () => ({}),
    };
    const runtime = await world.open({ batchRecords: 50, commitFault: () => (faults++ === 0 ? 'before' : undefined) });
    await runtime.publish(Array.from({ length: 5 }, (_, n) => aliasRequest('m', n)));
    await (await runtime.runTopology(trail)).ready();
    const counters = runtime.stats()[0]?.counters ?? {};
    for (let offset = 0; offset < 5; offset++) expect([offset, counters[`offset${offset}`]]).toEqual([offset, 1]);
    expect(faults).toBeGreaterThan(1);
  });

  it('never tells the group of a position whose outputs are not on the log', async () => {
    const runtime = await world.open({
      parts: ({ log }) => ({
        log: new Proxy(log, {
          get(target, name) {
            const value = Reflect.get(target, name) as unknown;
            if (typeof value !== 'function') return value;
            return (...args: unknown[]) => {
              const [records] = args as [readonly { topic: string }[]];
              if (name === 'append' && records[0]?.topic === 'operations') return Promise.reject(new Error('no'));
              return (value as (...rest: unknown[]) => unknown).apply(target, args);
            };
          },
        }),
      }),
    });
    await runtime.runTopology(scripted(() => ({ emit: [say('x')] })));
    await runtime.publish([aliasRequest('m', 1)]);
    await eventually('it is committed', () => world.state.tasks.get('scripted/registry/0')?.position === 1);
    await runtime.close();
    expect(world.log.committed.get('scripted')?.get('registry/0') ?? 0).toBe(0);
  });

  it('tells the group where it is while it is busy, too', async () => {
    const time = { nowMs: 0 };
    const reports: number[] = [];
    const clock = {
      now: () => (time.nowMs += 400),
      after: (delayMs: number, done: () => void) => {
        const timer = setTimeout(done, Math.min(delayMs, 5));
        return () => clearTimeout(timer);
      },
    };
    const runtime = await world.open({ batchRecords: 10, parts: () => ({ clock }) });
    await runtime.publish(Array.from({ length: 400 }, (_, n) => aliasRequest('m', n)));
    const committed = new Map<string, number>();
    committed.set = function (key, value) {
      reports.push(value);
      return Map.prototype.set.call(this, key, value) as typeof committed;
    };
    world.log.committed.set('scripted', committed);
    await (await runtime.runTopology(scripted(() => ({})))).ready();
    expect(reports.some((position) => position > 0 && position < 400)).toBe(true);
  });
});
