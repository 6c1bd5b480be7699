import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { say, scripted, sum, World } from './world.ts';

/** Has an effect for the alias `said` alone. */
const topology = scripted((event) => (event.data.alias === 'said' ? { emit: [say(`v${event.data.version}`)] } : {}));

describe('records without effects', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  /** A process in which nobody waits: what is to happen after some time does not happen. */
  const hasty = (): Promise<Runtime> =>
    world.open({ parts: ({ clock }) => ({ clock: { ...clock, now: () => 1, after: () => () => undefined } }) });

  it('are committed together with the next one that has one', async () => {
    const runtime = await hasty();
    await runtime.runTopology(topology);
    for (let n = 1; n <= 10; n++) {
      await runtime.publish([aliasRequest('m', n)]);
      await eventually('it is folded', () => sum(runtime, 'in') === n);
    }
    expect(runtime.stats()[0]).toMatchObject({ commits: 0, position: 0, takenRecords: 10 });
    await runtime.publish([aliasRequest('m', 11, 'said')]);
    await eventually('all are committed', () => runtime.stats()[0]?.position === 11);
    expect(runtime.stats()[0]).toMatchObject({ commits: 1, takenRecords: 0 });
  });

  it('are committed by themselves when nothing more comes', async () => {
    const runtime = await world.open();
    await runtime.runTopology(topology);
    await runtime.publish([aliasRequest('m', 1)]);
    await eventually('it is committed', () => runtime.stats()[0]?.position === 1);
    expect(world.state.tasks.get('scripted/registry/0')?.position).toBe(1);
  });

  it('are folded again by the next owner, and what follows them is said once', async () => {
    // its last commit, when it closes, does not come to pass: as if it had been killed
    const first = await world.open({ commitFault: () => 'before' });
    await first.runTopology(topology);
    await first.publish([aliasRequest('m', 1), aliasRequest('m', 2)]);
    await eventually('both are folded', () => sum(first, 'in') === 2);
    await first.close();
    expect(world.state.tasks.get('scripted/registry/0')?.position ?? 0).toBe(0);
    const next = await world.open();
    await (await next.runTopology(topology)).ready();
    await next.publish([aliasRequest('m', 3, 'said')]);
    await eventually('the third is folded', () => sum(next, 'in') === 3);
    await eventually('it is said', async () => (await world.records('operations')).length === 1);
    expect(sum(next, 'repeats')).toBe(0);
  });
});
