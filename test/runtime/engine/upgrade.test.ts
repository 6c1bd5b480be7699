import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { readSnapshots } from '../../../runtime/engine/snapshot-list.ts';
import type { Topology } from '../../../runtime/engine/topology.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { idOf, said, say, scripted, sum, World, type WorldOptions } from './world.ts';

/** Version 1 answers each request once, version 2 twice, and both count in the state what they have seen. */
const version = (n: 1 | 2): Topology<'registry'> =>
  scripted(
    (event, state) => {
      const count = (state.get<number>('count') ?? 0) + 1;
      const text = `v${event.data.version} is number ${count}, says ${n}`;
      return { put: [['count', count]], emit: n === 1 ? [say(text)] : [say(text), say(`${text} again`)] };
    },
    { version: n, reads: () => ({ keys: ['count'] }) },
  );

describe('a newer version of a topology', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  async function answered(n: 1 | 2, requests: readonly number[], options: WorldOptions = {}): Promise<void> {
    const runtime = await world.open(options);
    await (await runtime.runTopology(version(n))).ready();
    await runtime.publish(requests.map((request) => aliasRequest('m', request)));
    const wanted = (await runtime.parts.log.endOffsets('registry'))[0];
    await eventually('all are folded', () => runtime.stats()[0]?.position === wanted);
    await runtime.close();
  }

  const refused = async (n: 1 | 2, code: string): Promise<void> => {
    const runtime = await world.open();
    await expect((await runtime.runTopology(version(n))).ready()).rejects.toMatchObject({ code });
    await runtime.close();
  };

  const ordinals = async (): Promise<string[]> => (await world.records('operations')).map(idOf);
  const stamps = (...numbers: readonly number[]): string[] => numbers.map((n) => `scripted/0.0/operations/0/${n}`);
  /** What each stamp says; a stamp that says two things is a contradiction. */
  async function facts(): Promise<Map<string, string>> {
    const reader = await world.open();
    const found = new Map<string, string>();
    for (const [id, detail] of await said(world, reader)) {
      expect([id, found.get(id) ?? detail]).toEqual([id, detail]);
      found.set(id, detail);
    }
    return found;
  }

  async function snapshots(runtime: Runtime) {
    return (await readSnapshots(runtime.parts, runtime)).snapshots.get('scripted/registry/0') ?? [];
  }

  it('begins where the older one stopped, keeps the origin and counts on', async () => {
    await answered(1, [1, 2, 3]);
    await answered(2, [4]);
    expect([...new Set(await ordinals())]).toEqual(stamps(1, 2, 3, 4, 5));
    expect([...(await facts()).values()].slice(3)).toEqual(['v4 is number 4, says 2', 'v4 is number 4, says 2 again']);
    const [newest] = await snapshots(await world.open());
    expect(newest).toMatchObject({ topologyVersion: 2, position: 3, branch: 0 });
  });

  it('is refused by the older program from then on, also when the state is lost', async () => {
    await answered(1, [1]);
    await answered(2, []);
    await refused(1, 'NEWER_FORMAT');
    world.state.wipe();
    await refused(1, 'NEWER_FORMAT');
  });

  it('never folds again what the older one has folded: a rebuild begins at the switch', async () => {
    await answered(1, [1, 2, 3]);
    await answered(2, [4, 5]);
    world.state.wipe();
    // Nothing was reported, so what a rebuild folds is said again: it must say the same.
    world.log.committed.get('scripted')?.set('registry/0', 1);
    await answered(2, [6]);
    const found = await facts();
    expect([...found.values()].slice(0, 3)).toEqual([1, 2, 3].map((n) => `v${n} is number ${n}, says 1`));
    expect([...found.keys()]).toEqual(stamps(1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect([...found.values()].at(-1)).toBe('v6 is number 6, says 2 again');
  });

  it('rebuilds itself at the switch when the store went back to before it', async () => {
    await answered(1, [1]);
    const older = world.state.copy();
    await answered(1, [2]);
    await answered(2, [3]);
    world.state.setBack(older);
    await answered(2, [4]);
    expect([...(await facts()).values()]).toEqual([
      'v1 is number 1, says 1',
      'v2 is number 2, says 1',
      'v3 is number 3, says 2',
      'v3 is number 3, says 2 again',
      'v4 is number 4, says 2',
      'v4 is number 4, says 2 again',
    ]);
  });

  it('does not take over a state that was lost or went back: the older program mends it first', async () => {
    await answered(1, [1]);
    const older = world.state.copy();
    await answered(1, [2]);
    world.state.setBack(older);
    await refused(2, 'CONFLICT');
    world.state.wipe();
    await refused(2, 'CONFLICT');
    await answered(1, []);
    await answered(2, [3]);
    expect([...(await facts()).keys()]).toEqual(stamps(1, 2, 3, 4));
  });

  it('states the switch before it folds, also when its first attempt dies in between', async () => {
    await answered(1, [1]);
    const broken = await world.open({
      parts: ({ blobs }) => ({
        blobs: Object.assign(Object.create(blobs) as typeof blobs, {
          put: () => Promise.reject(new MillraceError('INTERNAL', 'no blob today')),
        }),
      }),
    });
    await broken.publish([aliasRequest('m', 2)]);
    await expect((await broken.runTopology(version(2))).ready()).rejects.toMatchObject({ code: 'INTERNAL' });
    await broken.close();
    expect(await ordinals()).toEqual(stamps(1));
    await refused(1, 'NEWER_FORMAT');
    await answered(2, []);
    const reader = await world.open();
    expect((await snapshots(reader))[0]).toMatchObject({ topologyVersion: 2, position: 1 });
    expect([...(await facts()).values()]).toEqual([
      'v1 is number 1, says 1',
      'v2 is number 2, says 2',
      'v2 is number 2, says 2 again',
    ]);
  });

  it('begins, where the topology is new and the log was cut before, at the start of the log', async () => {
    const first = await world.open();
    await first.publish([1, 2, 3].map((n) => aliasRequest('m', n)));
    await first.parts.log.truncateBefore({ topic: 'registry', partition: 0 }, 2);
    await (await first.runTopology(version(1))).ready();
    expect(sum(first, 'expiredUnread')).toBe(2);
    expect([...(await facts()).values()]).toEqual(['v3 is number 1, says 1']);
  });
});

describe('snapshots', () => {
  const options = { snapshotEveryRecords: 2, batchRecords: 1 };
  let world: World;
  let runtime: Runtime;
  let requests = 0;
  beforeEach(async () => {
    world = await World.create();
    runtime = await world.open(options);
    await (await runtime.runTopology(version(1))).ready();
  });
  afterEach(() => world.close());

  const listed = async (reader = runtime) =>
    (await readSnapshots(reader.parts, reader)).snapshots.get('scripted/registry/0') ?? [];

  /** Requests until there is one more. */
  async function another(): Promise<void> {
    const before = (await listed())[0]?.position ?? 0;
    await eventually('a newer snapshot', async () => {
      await runtime.publish([aliasRequest('m', ++requests)]);
      return ((await listed())[0]?.position ?? 0) > before;
    });
  }

  it('are kept as long as a rebuild may need them, and their blobs no longer', async () => {
    for (let n = 1; n <= 6; n++) await another();
    const blobs = async () => {
      const found: string[] = [];
      for await (const page of runtime.parts.blobs.list()) found.push(...page.map(({ hash }) => hash));
      return found.sort();
    };
    await eventually('what is superfluous is gone', async () => {
      const kept = await listed();
      const wanted = kept.slice(0, 2).map(({ blob }) => blob);
      return kept.length === 3 && wanted.sort().join() === (await blobs()).join();
    });
    expect((await listed()).at(-1)).toMatchObject({ position: 0, blob: '' });
  });

  it('fall back on the second newest when the newest is damaged', async () => {
    for (let n = 1; n <= 3; n++) await another();
    const end = (await runtime.parts.log.endOffsets('registry'))[0] ?? 0;
    await eventually('all are folded', () => runtime.stats()[0]?.position === end);
    await runtime.close();
    const after = await world.open();
    const [newest, second] = await listed(after);
    await after.parts.blobs.delete(newest?.blob ?? '');
    await after.parts.log.truncateBefore({ topic: 'registry', partition: 0 }, second?.position ?? -1);
    world.state.wipe();
    await (await after.runTopology(version(1))).ready();
    expect(world.complaints.map(({ message }) => message)).toContain('a snapshot is damaged');
    await after.publish([aliasRequest('m', 999)]);
    const wanted = `v999 is number ${end + 1}, says 1`;
    await eventually('it counts on', async () => (await said(world, after)).at(-1)?.[1] === wanted);
  });
});
