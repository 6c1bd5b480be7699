import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryLog } from '../../../runtime/adapters/memory-log.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { Topology } from '../../../runtime/engine/topology.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { alterLog } from '../../conformance/log/altered-log.ts';
import { aliasRequest } from './toy-topology.ts';
import { idOf, said, say, scripted, sum, World, type WorldOptions } from './world.ts';

/** Says how often it was asked: an answer shows the state. */
const counting = (rest: Partial<Topology<'registry'>> = {}, ill: () => boolean = () => false): Topology<'registry'> =>
  scripted(
    (event, state) => {
      if (event.data.alias === 'ill' && ill()) throw new Error('ill');
      const count = (state.get<number>('count') ?? 0) + 1;
      return { put: [['count', count]], emit: [say(`v${event.data.version} is number ${count}`)] };
    },
    { reads: () => ({ keys: ['count'] }), ...rest },
  );

describe('a task whose state and log disagree', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  async function run(topology: Topology<'registry'>, options: WorldOptions = {}): Promise<Runtime> {
    const runtime = await world.open(options);
    await (await runtime.runTopology(topology)).ready();
    return runtime;
  }

  /** A process that folds these requests and ends orderly. */
  async function answered(
    versions: readonly number[],
    topology = counting(),
    options: WorldOptions = {},
  ): Promise<void> {
    const runtime = await run(topology, options);
    await runtime.publish(versions.map((version) => aliasRequest('m', version)));
    const wanted = (await runtime.parts.log.endOffsets('registry'))[0];
    await eventually('all are folded', () => runtime.stats()[0]?.position === wanted);
    await runtime.close();
  }

  const reported = (): number => world.log.committed.get('scripted')?.get('registry/0') ?? 0;
  const outputs = async (): Promise<string[]> => (await world.records('operations')).map(idOf);

  it('is rebuilt from the log alone when the store lost it, and says nothing twice', async () => {
    await answered([1, 2, 3]);
    expect(reported()).toBe(3);
    world.state.wipe();
    await answered([4]);
    expect(await outputs()).toEqual([1, 2, 3, 4].map((n) => `scripted/0.0/operations/0/${n}`));
    const runtime = await world.open();
    expect((await said(world, runtime)).at(-1)?.[1]).toBe('v4 is number 4');
  });

  it('has the same ledger after a rebuild as before', async () => {
    await answered([1, 2, 2, 3]);
    const before = await run(counting());
    const { counters } = before.stats()[0] ?? {};
    await before.close();
    world.state.wipe();
    const after = await run(counting());
    expect(after.stats()[0]?.counters).toEqual(counters);
    expect(counters).toMatchObject({ in: 4, folded: 3, repeats: 1, out: 3 });
  });

  it('says again under the same stamps what it had not reported', async () => {
    await answered([1, 2, 3]);
    world.state.wipe();
    world.log.committed.get('scripted')?.set('registry/0', 1);
    await answered([4]);
    const ids = await outputs();
    expect(ids.slice(3).map((id) => id.split('/').at(-1))).toEqual(['2', '3', '4']);
    expect(new Set(ids).size).toBe(4);
  });

  it('is rebuilt from its newest snapshot when the log before it is gone', async () => {
    await answered([1], counting(), { snapshotEveryRecords: 2, batchRecords: 1 });
    await answered([2, 3, 4, 5, 6], counting(), { snapshotEveryRecords: 2, batchRecords: 1 });
    await eventually('a snapshot is named', async () => (await world.records('snapshots')).length > 0);
    const reader = await world.open();
    const snapshot = (await world.records('snapshots')).at(-1);
    const { data } = reader.codec.decode('snapshots', snapshot?.value ?? Buffer.alloc(0));
    await createMemoryLog({ storage: world.log }).truncateBefore({ topic: 'registry', partition: 0 }, data.position);
    world.state.wipe();
    await answered([7]);
    expect((await said(world, reader)).at(-1)?.[1]).toBe('v7 is number 7');
    // An orderly end leaves the last outbox in the state, so opening says it again: the same stamps.
    expect([...new Set(await outputs())]).toEqual([1, 2, 3, 4, 5, 6, 7].map((n) => `scripted/0.0/operations/0/${n}`));
  });

  it('has snapshots also when no process lives long enough to fold many records', async () => {
    const options = { snapshotEveryRecords: 3, batchRecords: 1 };
    for (let n = 1; n <= 4; n++) await answered([n], counting(), options);
    const last = await run(counting(), options);
    await last.publish([aliasRequest('m', 5)]);
    const blobs = async (): Promise<number> =>
      (await world.records('snapshots')).filter(({ value }) => value !== null).length;
    // the first one names the empty state
    await eventually('a snapshot is named', async () => (await blobs()) > 1);
  });

  it('refuses, loudly, when neither log nor snapshot reaches back', async () => {
    await answered([1, 2, 3]);
    await createMemoryLog({ storage: world.log }).truncateBefore({ topic: 'registry', partition: 0 }, 2);
    world.state.wipe();
    const runtime = await world.open();
    const running = await runtime.runTopology(counting());
    await expect(running.ready()).rejects.toMatchObject({ code: 'LOG_TRUNCATED' });
  });

  it('obeys the verdicts of then, also behind what was reported', async () => {
    let ill = true;
    const topology = counting({}, () => ill);
    const first = await run(topology);
    await first.publish([aliasRequest('m', 1), aliasRequest('m', 2, 'ill'), aliasRequest('m', 3)]);
    await eventually('all are folded', () => sum(first, 'in') === 3);
    await first.close();
    ill = false;
    world.state.wipe();
    world.log.committed.get('scripted')?.set('registry/0', 1);
    const second = await run(topology);
    await second.publish([aliasRequest('m', 4)]);
    await eventually('the fourth is folded', () => sum(second, 'in') === 4);
    await second.close();
    const facts = new Map(await said(world, await world.open()));
    expect([...facts.values()]).toEqual(['v1 is number 1', 'v3 is number 2', 'v4 is number 3']);
    expect(sum(second, 'dead')).toBe(1);
  });

  it('obeys the verdicts of then when the store went back to an older state', async () => {
    let ill = true;
    const topology = counting({}, () => ill);
    await answered([1], topology);
    const older = world.state.copy();
    const first = await run(topology);
    await first.publish([aliasRequest('m', 2, 'ill'), aliasRequest('m', 3)]);
    await eventually('all are folded', () => sum(first, 'in') === 3);
    await first.close();
    ill = false;
    world.state.setBack(older);
    await answered([4], topology);
    const facts = new Map(await said(world, await world.open()));
    expect([...facts.values()]).toEqual(['v1 is number 1', 'v3 is number 2', 'v4 is number 3']);
    expect(facts.size).toBe(3);
  });

  it('folds all that lies between an older state and what is queued, also when a commit fails in between', async () => {
    const big = 'x'.repeat(900_000);
    const topology = scripted(
      (event, state) => {
        const number = (state.get<number>('count') ?? 0) + 1;
        return { put: [['count', number]], emit: [say(`v${event.data.version} is number ${number} ${big}`)] };
      },
      { reads: () => ({ keys: ['count'] }) },
    );
    await answered([0], topology);
    const older = world.state.copy();
    let commitsUntilFault = Number.POSITIVE_INFINITY;
    const runtime = await run(topology, {
      batchRecords: 15,
      commitFault: (task) => (task.startsWith('scripted') && --commitsUntilFault === 0 ? 'before' : undefined),
    });
    // an outbox holds fewer than a page of these, and the gap is wider than a page
    const versions = Array.from({ length: 30 }, (_, n) => n + 1);
    await runtime.publish(versions.map((version) => aliasRequest('m', version)));
    await eventually('all are folded', () => runtime.stats()[0]?.position === 31);
    await eventually('all is reported', () => reported() === 31);
    world.state.setBack(older);
    world.log.committed.get('scripted')?.set('registry/0', 1);
    // the one that finds the older state, then the first of the gap
    commitsUntilFault = 2;
    await runtime.publish([aliasRequest('m', 31)]);
    await eventually('the last is folded', () => runtime.stats()[0]?.position === 32);
    await runtime.close();
    const details = (await said(world, await world.open())).map(([, detail]) => detail.slice(0, -big.length - 1));
    expect(commitsUntilFault).toBeLessThan(0);
    expect(details.at(-1)).toBe('v31 is number 32');
  });

  describe('after the log lost its tail', () => {
    function cutTail(topic: string, keep: number): void {
      world.log.topics.get(topic)?.partitions[0]?.records.splice(keep);
    }

    it('refuses, unless it may rebuild by itself', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      const runtime = await world.open();
      await expect((await runtime.runTopology(counting())).ready()).rejects.toMatchObject({
        code: 'STATE_AHEAD_OF_LOG',
      });
    });

    const alone: WorldOptions = { parts: () => ({ rebuildAlone: true }) };

    it('says what follows as a new branch, and what came before as it was', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      await answered([4], counting(), alone);
      expect((await outputs()).at(-1)).toBe('scripted/0.1/operations/0/3');
      expect((await said(world, await world.open())).at(-1)?.[1]).toBe('v4 is number 3');
    });

    it('says again what may have been lost with the tail of its outputs', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      cutTail('operations', 1);
      world.log.committed.get('scripted')?.set('registry/0', 1);
      await answered([4], counting(), alone);
      expect(await outputs()).toEqual([
        'scripted/0.0/operations/0/1',
        'scripted/0.0/operations/0/2',
        'scripted/0.1/operations/0/3',
      ]);
    });

    it('stays on the new branch when the store is lost afterwards', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      await answered([4], counting(), alone);
      world.state.wipe();
      await answered([5], counting(), alone);
      expect((await outputs()).at(-1)).toBe('scripted/0.1/operations/0/4');
      cutTail('registry', 3);
      await answered([6], counting(), alone);
      expect((await outputs()).at(-1)).toBe('scripted/0.2/operations/0/4');
    });

    it.each(['while its state is made anew', 'before that'])(
      'remembers what was lost when it fails %s',
      async (when) => {
        await answered([1, 2, 3]);
        cutTail('registry', 2);
        let resets = 0;
        const failing: WorldOptions = {
          parts: ({ state }) => ({
            rebuildAlone: true,
            state: new Proxy(state, {
              get: (target, name) => {
                const value: unknown = Reflect.get(target, name);
                if (typeof value !== 'function') return value;
                return async (...given: readonly unknown[]): Promise<unknown> => {
                  const fails = name === 'reset' && resets++ === 0;
                  if (fails && when === 'before that') throw new Error('the process is gone');
                  const answer: unknown = await Reflect.apply(value, target, given);
                  if (fails) throw new Error('the process is gone');
                  return answer;
                };
              },
            }),
          }),
        };
        const dying = await world.open(failing);
        await expect((await dying.runTopology(counting())).ready()).rejects.toThrow('the process is gone');
        // what comes now takes the offsets of what was lost
        await dying.publish([aliasRequest('n', 4), aliasRequest('n', 5)]);
        await dying.close();
        await answered([6], counting(), alone);
        const expected = [3, 4, 5].map((n) => `scripted/0.1/operations/0/${n}`);
        expect((await outputs()).slice(3)).toEqual(expected);
        expect((await said(world, await world.open())).at(-1)?.[1]).toBe('v6 is number 5');
      },
    );

    it('is finished at the next start when the last step of its rebuild failed, and no fork is left to rule the next one', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      const dying = await world.open({
        parts: ({ blobs }) => ({
          rebuildAlone: true,
          blobs: new Proxy(blobs, {
            get: (target, name) => {
              if (name === 'put') return () => Promise.reject(new Error('the process is gone'));
              const value: unknown = Reflect.get(target, name);
              return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
            },
          }),
        }),
      });
      await expect((await dying.runTopology(counting())).ready()).rejects.toThrow('the process is gone');
      await dying.close();
      await answered([4], counting(), alone);
      cutTail('registry', 2);
      await answered([5], counting(), alone);
      expect((await outputs()).slice(3)).toEqual([1, 2].map((branch) => `scripted/0.${branch}/operations/0/3`));
    });

    it('says what follows as a new branch when the power took the state, too', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      world.state.wipe();
      world.log.committed.get('scripted')?.set('registry/0', 2);
      await answered([4], counting(), {
        parts: ({ log }) => ({
          log: new Proxy(log, {
            get: (target, name) => {
              if (name === 'lostTail') return true;
              const value: unknown = Reflect.get(target, name);
              return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
            },
          }),
        }),
      });
      expect(await outputs()).toEqual([
        ...[1, 2, 3].map((n) => `scripted/0.0/operations/0/${n}`),
        'scripted/0.1/operations/0/3',
      ]);
    });

    it('says as a new branch also what came after the power was back and before it opened', async () => {
      await answered([1, 2, 3]);
      cutTail('registry', 2);
      world.state.wipe();
      world.log.committed.get('scripted')?.set('registry/0', 2);
      const back: WorldOptions = {
        parts: ({ log }) => ({ log: alterLog(log, { lostTail: true, recoveredEnds: { 'registry/0': 2 } }) }),
      };
      const gateway = await world.open(back);
      await gateway.publish([aliasRequest('n', 4), aliasRequest('n', 5)]);
      await gateway.close();
      await answered([6], counting(), back);
      // a second loss of the state alone says nothing of it again
      world.state.wipe();
      await answered([7], counting(), back);
      expect((await outputs()).slice(3)).toEqual([
        ...[3, 4, 5].map((n) => `scripted/0.1/operations/0/${n}`),
        'scripted/0.2/operations/0/6',
      ]);
    });

    it('begins a topic that was made anew from its start, as a new branch', async () => {
      await answered([1, 2]);
      cutTail('registry', 0);
      const runtime = await world.open();
      await runtime.publish([aliasRequest('n', 7), aliasRequest('n', 8)]);
      await runtime.close();
      await answered([9], counting(), alone);
      expect((await outputs()).slice(2)).toEqual([1, 2, 3].map((n) => `scripted/0.1/operations/0/${n}`));
    });
  });

  it('refuses a state that a newer version wrote', async () => {
    await answered([1], counting({ version: 2 }));
    const runtime = await world.open();
    await expect((await runtime.runTopology(counting())).ready()).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
  });

  it('appends the outbox of its last commit again when it opens', async () => {
    let swallow = true;
    let release = (): void => undefined;
    const first = await world.open({
      parts: ({ log }) => ({
        log: new Proxy(log, {
          get(target, name) {
            const value = Reflect.get(target, name) as unknown;
            if (typeof value !== 'function') return value;
            return (...args: unknown[]) => {
              const [records] = args as [readonly { topic: string }[]];
              if (name === 'append' && swallow && records[0]?.topic === 'operations')
                return new Promise<void>((_, reject) => {
                  release = () => reject(new Error('the process is gone'));
                });
              return (value as (...rest: unknown[]) => unknown).apply(target, args);
            };
          },
        }),
      }),
    });
    await first.publish([aliasRequest('m', 1)]);
    await first.runTopology(counting());
    await eventually('it is committed', () => world.state.tasks.get('scripted/registry/0')?.position === 1);
    expect(await outputs()).toEqual([]);
    expect(reported()).toBe(0);
    swallow = false;
    await run(counting());
    expect(await outputs()).toEqual(['scripted/0.0/operations/0/1']);
    release();
  });
});
