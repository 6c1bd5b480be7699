import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryLog } from '../../../runtime/adapters/memory-log.ts';
import { inputOf } from '../../../runtime/engine/fold-target.ts';
import type { Running, Runtime } from '../../../runtime/engine/runtime.ts';
import { readSnapshots } from '../../../runtime/engine/snapshot-list.ts';
import type { Topology } from '../../../runtime/engine/topology.ts';
import { idOf } from '../../../schemas/derived-ids.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { topologies } from '../../../topologies/index.ts';
import { startLogKeeper } from '../../../services/log-keeper/log-keeper.ts';
import { createRetention } from '../../../services/log-keeper/retention.ts';
import { aliasRequest } from '../../runtime/engine/toy-topology.ts';
import { said, say, scripted, sum, World } from '../../runtime/engine/world.ts';

const dayMs = 86_400_000;

/** Counts, and remembers the ids of its last three records. */
const counting = (rest: Partial<Topology<'registry'>> = {}): Topology<'registry'> =>
  scripted(
    (event, state) => {
      const count = (state.get<number>('count') ?? 0) + 1;
      return { put: [['count', count]], emit: [say(`v${event.data.version} is number ${count}`)] };
    },
    { name: 'counting', idWindow: 3, reads: () => ({ keys: ['count'] }), ...rest },
  );

describe('the log keeper', () => {
  let world: World;
  let runtime: Runtime;
  let nowMs = 0;
  const clock = {
    now: () => nowMs,
    after: (delayMs: number, done: () => void) => {
      const timer = setTimeout(done, Math.min(delayMs, 5));
      return () => clearTimeout(timer);
    },
  };
  beforeEach(async () => {
    nowMs = 1_700_000_000_000;
    world = await World.create();
    runtime = await open(5);
  });
  const open = (snapshotEveryRecords: number): Promise<Runtime> =>
    world.open({
      snapshotEveryRecords,
      batchRecords: 1,
      parts: () => ({ clock, log: createMemoryLog({ storage: world.log, now: () => nowMs }) }),
    });
  afterEach(() => world.close());

  const start = (topic = 'registry'): number => world.log.topics.get(topic)?.partitions[0]?.start ?? -1;
  const keep = (
    readBy: readonly string[],
    topologies: readonly Topology<'registry'>[] = [counting()],
  ): Promise<Running> =>
    runtime.runService(createRetention({ runtime, topologies, keepMs: 30 * dayMs, readers: { registry: readBy } }));
  /** Requests; each tenth is repeated until a snapshot is taken. */
  async function publish(from: number, to: number): Promise<void> {
    for (let version = from; version <= to; version++) {
      await runtime.publish([aliasRequest('m', version)]);
      if (version % 10 > 0) continue;
      const before = await newest();
      await eventually('a snapshot is taken', async () => {
        await runtime.publish([aliasRequest('m', version)]);
        return (await newest()) > before;
      });
    }
    const end = (await runtime.parts.log.endOffsets('registry'))[0] ?? 0;
    await eventually('all are folded', () =>
      runtime.stats().every(({ task, position }) => !task.includes('/registry/') || position === end),
    );
  }
  const newest = async (): Promise<number> => {
    const { snapshots } = await readSnapshots(runtime.parts, runtime);
    return Math.min(...[...snapshots.values()].map(([first]) => first?.position ?? 0));
  };
  /** Something moves, so that the keeper looks. */
  async function nudge(reader: string, position: number): Promise<void> {
    const before = sum(runtime, 'handled');
    const data = { reader, topic: 'registry', partition: 0, position };
    const key = `${reader}@registry/0`;
    const [at] = await runtime.publish([
      { topic: 'snapshots', type: 'position-reported', key, data, id: `${reader}@${position}@${before}@${nowMs}` },
    ]);
    await eventually('the keeper looked', () =>
      runtime.stats().some((task) => task.task.includes('log-retention/') && task.position > (at?.offset ?? 0)),
    );
  }

  it('deletes what lies below the second newest snapshot less the id window, and says so', async () => {
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting']);
    await publish(1, 40);
    expect(start()).toBe(0);
    const [old = 0] = await runtime.parts.log.endOffsets('registry');
    nowMs += 31 * dayMs;
    await publish(41, 60);
    await eventually('something is deleted', () => start() > 0);
    expect(start()).toBeLessThanOrEqual(old);
    const facts = (await said(world, runtime))
      .map(([, detail]) => detail)
      .filter((detail) => detail.includes('heldBy'));
    expect(JSON.parse(facts[0] ?? '{}')).toMatchObject({ from: 0, heldBy: 'counting/registry/0' });
    await eventually('it is counted', () => sum(runtime, 'deleted.registry') === start());
  });

  it('keeps verdicts for as long as a rebuild may come to their records, and no longer', async () => {
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting']);
    await world.append('registry', { ce_id: 'poison' }, Buffer.from('garbage'));
    await eventually('it is a dead letter', async () => (await world.records('dead-letters')).length === 1);
    nowMs += 31 * dayMs;
    await nudge('somebody', 1_000);
    expect(start('dead-letters')).toBe(0);
    await publish(1, 40);
    nowMs += 31 * dayMs;
    await publish(41, 60);
    await eventually('its record is deleted, and the verdict', () => start() > 0 && start('dead-letters') === 1);
  });

  it('does not keep verdicts of a topology that is no more', async () => {
    const removed = await runtime.runTopology(counting({ name: 'removed' }));
    await removed.ready();
    await (await runtime.runTopology(counting())).ready();
    await publish(1, 10);
    await world.append('registry', { ce_id: 'poison' }, Buffer.from('garbage'));
    await eventually('both have it as a dead letter', async () => (await world.records('dead-letters')).length === 2);
    await removed.close();
    await keep(['counting']);
    nowMs += 31 * dayMs;
    for (let version = 11; version <= 30; version++) await runtime.publish([aliasRequest('m', version)]);
    await eventually('the verdicts are deleted', async () => {
      await runtime.publish([aliasRequest('m', 30)]);
      return start('dead-letters') === 2;
    });
  });

  it('deletes also where little comes: a day after the last, a few records are a snapshot', async () => {
    await runtime.close();
    runtime = await open(1_000_000);
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting']);
    await runtime.publish([aliasRequest('m', 1)]);
    await eventually('it is folded', () => runtime.stats().some(({ position }) => position === 1));
    for (let version = 2; version < 5; version++) {
      const last = await newest();
      nowMs += dayMs;
      await runtime.publish([aliasRequest('m', version)]);
      await eventually('a snapshot is taken', async () => {
        // the one before it may be under way still
        await runtime.publish([aliasRequest('m', version)]);
        const now = await newest();
        return Number.isFinite(now) && now > (Number.isFinite(last) ? last : 0);
      });
    }
    nowMs += 31 * dayMs;
    await nudge('somebody', 1_000);
    await eventually('what lies below the second newest, less the id window, is deleted', () => start() > 0);
  });

  it('keeps what a rebuild needs: the state is the same after it, from what is left', async () => {
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting']);
    await publish(1, 40);
    nowMs += 31 * dayMs;
    await publish(41, 60);
    await eventually('something is deleted', () => start() > 0);
    const end = (await runtime.parts.log.endOffsets('registry'))[0] ?? 0;
    const repeats = sum(runtime, 'repeats');
    await runtime.close();
    world.state.wipe();
    const after = await world.open();
    await (await after.runTopology(counting())).ready();
    await after.publish([aliasRequest('m', 60), aliasRequest('m', 61)]);
    await eventually('the repeat and the new one are taken', () => sum(after, 'in') === end + 2);
    expect(sum(after, 'repeats')).toBe(repeats + 1);
    expect((await said(world, after)).at(-1)?.[1]).toBe('v61 is number 61');
  });

  it('waits for the slowest: a service, a projection, a topology that has no snapshots yet', async () => {
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting', 'some-service', 'provenance']);
    await publish(1, 60);
    nowMs += 31 * dayMs;
    await nudge('provenance@here', 30);
    expect(start()).toBe(0);
    world.log.committed.set('some-service', new Map([['registry/0', 1_020]]));
    await nudge('provenance@here', 31);
    expect(start()).toBe(20);
    world.log.committed.set('some-service', new Map([['registry/0', 2_000]]));
    await nudge('provenance@there', 25);
    expect(start()).toBe(25);
  });

  it('keeps what is not sealed yet', async () => {
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting', 'audit-sealer']);
    await publish(1, 60);
    nowMs += 31 * dayMs;
    await nudge('somebody', 60);
    expect(start()).toBe(0);
    await nudge('audit-sealer', 12);
    expect(start()).toBe(12);
  });

  it('does not wait for a projection that was silent for longer than records are kept', async () => {
    await (await runtime.runTopology(counting())).ready();
    await keep(['counting', 'provenance']);
    await publish(1, 60);
    await nudge('provenance@gone', 3);
    nowMs += 31 * dayMs;
    await nudge('provenance@here', 10);
    expect(start()).toBe(10);
  });

  it('waits for a topology of another program that still takes snapshots', async () => {
    await (await runtime.runTopology(counting())).ready();
    await (await runtime.runTopology(counting({ name: 'newer' }))).ready();
    await keep(['counting']);
    await publish(1, 60);
    nowMs += 20 * dayMs;
    await publish(61, 80);
    nowMs += 20 * dayMs;
    await nudge('somebody', 79);
    expect(start()).toBe(0);
    // a snapshot that is under way may still be taken, and counts from then on
    let position = 80;
    await eventually('something is deleted', async () => {
      nowMs += 31 * dayMs;
      await nudge('somebody', position++);
      return start() > 0;
    });
  });

  it('deletes predictions once those that the catalogue names have read them', async () => {
    const of = { topic: 'predictions', partition: 0 } as const;
    const records = Array.from({ length: 300 }, () => ({ ...of, key: 'k', value: null, headers: {} }));
    await runtime.parts.log.append(records);
    nowMs += 31 * dayMs;
    const snapshots = topologies
      .filter((topology) => inputOf(topology) === of.topic)
      .flatMap((topology) =>
        [200_000, 200_001].map((position) => ({ task: `${topology.name}/${of.topic}/0`, position })),
      );
    const terms = { topologyVersion: 1, branch: 0, blob: 'b', sizeBytes: 1 };
    await runtime.publish([
      ...snapshots.map(({ task, position }) => ({
        ...{ topic: 'snapshots' as const, type: 'snapshot-taken' as const, key: `${task}@0.${position}` },
        ...{ id: idOf(task, position), data: { ...terms, task, position } },
      })),
      ...['provenance@here', 'audit-sealer'].map((reader) => ({
        ...{ topic: 'snapshots' as const, type: 'position-reported' as const, key: `${reader}@predictions/0` },
        ...{ id: reader, data: { ...of, reader, position: 250 } },
      })),
    ]);
    await (await runtime.runService(createRetention({ runtime, topologies, keepMs: 30 * dayMs }))).ready();
    expect(start('predictions')).toBe(250);
  });

  it('deletes nothing when it is told so', async () => {
    await (await runtime.runTopology(counting())).ready();
    const options = { runtime, topologies: [counting()], keepMs: dayMs, readers: { registry: ['counting'] } };
    await (await startLogKeeper({ ...options, deletes: false })).ready();
    await publish(1, 60);
    nowMs += 31 * dayMs;
    await publish(61, 90);
    expect(runtime.stats().map(({ task }) => task)).not.toContain('log-retention/snapshots/0');
    expect(start()).toBe(0);
  });

  it('never outruns a reader, and never deletes what is young', { timeout: 60_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    let deletions = 0;
    const offset = fc.nat(200);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          snapshots: fc.uniqueArray(offset, { maxLength: 4 }),
          service: fc.option(offset),
          projections: fc.array(offset, { maxLength: 2 }),
          oldBelow: offset,
        }),
        async ({ snapshots, service, projections, oldBelow }) => {
          const place = await World.create();
          try {
            nowMs = 1_700_000_000_000;
            const parts = () => ({ clock, log: createMemoryLog({ storage: place.log, now: () => nowMs }) });
            const process = await place.open({ parts });
            const append = (count: number): Promise<unknown> =>
              process.parts.log.append(
                Array.from({ length: count }, () => ({
                  topic: 'registry',
                  partition: 0,
                  key: 'k',
                  value: null,
                  headers: {},
                })),
              );
            await append(oldBelow);
            nowMs += 31 * dayMs;
            await append(1_200 - oldBelow);
            for (const position of snapshots)
              await process.publish([
                {
                  topic: 'snapshots',
                  type: 'snapshot-taken',
                  key: `counting/registry/0@0.${position}`,
                  id: `s${position}`,
                  data: {
                    task: 'counting/registry/0',
                    topologyVersion: 1,
                    branch: 0,
                    position,
                    blob: 'b',
                    sizeBytes: 1,
                  },
                },
              ]);
            for (const [index, position] of projections.entries())
              await process.publish([
                {
                  topic: 'snapshots',
                  type: 'position-reported',
                  key: `p${index}`,
                  id: `p${index}`,
                  data: { reader: `provenance@${index}`, topic: 'registry', partition: 0, position },
                },
              ]);
            if (service !== null) place.log.committed.set('some', new Map([['registry/0', 1_000 + service]]));
            const readers = { registry: ['counting', 'some', 'provenance'] };
            const keeper = await process.runService(
              createRetention({ runtime: process, topologies: [counting()], keepMs: 30 * dayMs, readers }),
            );
            await keeper.ready();
            const second = [...snapshots].sort((a, b) => b - a)[1] ?? 0;
            const floor = Math.min(
              Math.max(0, second - 3),
              service ?? 0,
              projections.length === 0 ? 0 : Math.min(...projections),
              oldBelow,
            );
            const got = place.log.topics.get('registry')?.partitions[0]?.start;
            if (floor > 0) deletions += 1;
            expect(got).toBe(floor);
          } finally {
            await place.close();
          }
        },
      ),
      { seed, numRuns: 30, endOnFailure: true },
    );
    expect(deletions).toBeGreaterThan(0);
  });
});
