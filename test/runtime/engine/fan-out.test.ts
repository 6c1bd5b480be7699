import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { Topology } from '../../../runtime/engine/topology.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { alterLog } from '../../conformance/log/altered-log.ts';
import { aliasRequest } from './toy-topology.ts';
import { idOf, say, scripted, sum, World, type WorldOptions } from './world.ts';

const windowSize = 500;
const cursorReads = { keys: ['cursor', 'total'] };

/**
 * A fold with as many outputs as its request says: a cursor in the state, moved window by window by a timer that is due at once. What the next
 * record adds to the state shows whether it was folded before the last window.
 */
const fanOut: Topology<'registry'> = scripted(
  (event, state) => {
    const total = (state.get<number>('total') ?? 0) + 1;
    if (event.data.alias !== 'many') return { put: [['total', total]], emit: [say(`next of ${total}`)] };
    return {
      put: [
        ['total', total],
        ['cursor', { from: 0, to: event.data.version }],
      ],
      setTimers: [{ name: 'window', dueMs: event.timeMs, reads: cursorReads }],
    };
  },
  {
    reads: () => cursorReads,
    onTimer(timer, state) {
      const { from, to } = state.get<{ from: number; to: number }>('cursor') ?? { from: 0, to: 0 };
      const end = Math.min(to, from + windowSize);
      const emit = Array.from({ length: end - from }, (_, n) => say(`${from + n} of ${state.get<number>('total')}`));
      if (end === to) return { emit, delete: ['cursor'] };
      return {
        emit,
        put: [['cursor', { from: end, to }]],
        setTimers: [{ name: 'window', dueMs: timer.timeMs, reads: cursorReads }],
      };
    },
  },
);

describe('a fold with tens of thousands of outputs', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  const facts = async (runtime: Runtime): Promise<Map<string, string>> => {
    const found = new Map<string, string>();
    for (const record of await world.records('operations')) {
      const event = runtime.codec.decode('operations', record.value ?? Buffer.alloc(0));
      if (event.type !== 'operation-recorded') continue;
      const before = found.get(idOf(record));
      if (before !== undefined) expect(event.data.detail).toBe(before);
      found.set(idOf(record), event.data.detail);
    }
    return found;
  };
  const wanted = (outputs: number): string[] => [
    ...Array.from({ length: outputs }, (_, n) => `${n} of 1`),
    'next of 2',
    'next of 3',
  ];
  const publish = (runtime: Runtime, outputs: number): Promise<unknown> =>
    runtime.publish([aliasRequest('m', outputs, 'many'), aliasRequest('m', 1), aliasRequest('m', 2)]);

  async function run(options: WorldOptions = {}): Promise<Runtime> {
    const runtime = await world.open(options);
    await (await runtime.runTopology(fanOut)).ready();
    return runtime;
  }

  it('says them window by window, each once and before the next record, with a small outbox', async () => {
    let largest = 0;
    const runtime = await run({
      parts: ({ log }) => ({
        log: alterLog(log, {
          append: (records) => {
            largest = Math.max(largest, records.length);
            return log.append(records);
          },
        }),
      }),
    });
    await publish(runtime, 50_000);
    await eventually('all is folded', () => runtime.stats()[0]?.position === 3 && sum(runtime, 'out') === 50_002);
    await runtime.close();
    const found = await facts(runtime);
    expect([...found.values()]).toEqual(wanted(50_000));
    expect([...found.keys()].map((id) => Number(id.split('/').at(-1)))).toEqual(
      Array.from({ length: 50_002 }, (_, n) => n + 1),
    );
    expect(largest).toBeLessThan(30_000);
  });

  it('goes on where it was when it dies in between, and again, and a rebuild interleaves alike', async () => {
    let commits = 0;
    let gone = false;
    const first = await run({
      commitFault: () => (++commits % 5 === 0 ? (commits % 2 === 0 ? 'before' : 'after') : undefined),
      parts: ({ log }) => ({
        log: alterLog(log, {
          append: async (records) => {
            // Between a commit and its append, in the middle of the windows.
            gone ||= records[0]?.topic === 'operations' && (await world.records('operations')).length > 0;
            if (gone) throw new MillraceError('INTERNAL', 'the process is gone');
            return await log.append(records);
          },
        }),
      }),
    });
    await publish(first, 50_000);
    await eventually('it has died', () => gone);
    await first.close();
    const halfWay = (await facts(first)).size;
    expect(halfWay).toBeLessThan(50_000);
    const second = await run();
    await second.publish([aliasRequest('m', 1)]);
    await eventually('all is said', async () => (await facts(second)).size === 50_002);
    await second.close();
    world.state.wipe();
    // Nothing is known as said, so that the rebuild says it all again: under the same stamps, the same.
    world.log.committed.get('scripted')?.set('registry/0', 1);
    const third = await run();
    await eventually('it is rebuilt', () => sum(third, 'out') === 50_002);
    await third.close();
    expect([...(await facts(third)).values()]).toEqual(wanted(50_000));
  });
});
