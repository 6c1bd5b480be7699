import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FollowedEvent, Runtime } from '../../../runtime/engine/runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import { systemClock } from '../../../runtime/ports/clock.ts';
import { aliasRequest, toyTopology, toyTopologyThatCloses } from './toy-topology.ts';
import { said, say, scripted, sum, World } from './world.ts';

describe('a topology on a runtime', () => {
  let tested: TestRuntime;
  afterEach(() => tested.close());

  it('folds every request once and answers it, also when the service says it twice', async () => {
    tested = await createTestRuntime();
    const facts = await collect(tested.runtime);
    await tested.runtime.runTopology(toyTopologyThatCloses(600_000));
    await tested.runtime.publish([aliasRequest('a', 1), aliasRequest('b', 1)]);
    await tested.runtime.publish([aliasRequest('a', 2), aliasRequest('a', 1)]);
    await eventually('three answers', () => facts.length >= 3 && sum(tested.runtime, 'repeats') >= 1);
    expect(facts.map(({ data }) => [data.model, data.version, data.previous]).sort()).toEqual([
      ['a', 1, 0],
      ['a', 2, 1],
      ['b', 1, 0],
    ]);
    expect(sum(tested.runtime, 'aliasesSet')).toBe(3);
  });

  it('goes on where it stopped after a restart, and drops what it folded before', async () => {
    const topology = toyTopologyThatCloses(600_000);
    tested = await createTestRuntime();
    await tested.runtime.runTopology(topology);
    await tested.runtime.publish([aliasRequest('a', 1)]);
    await eventually('the first answer', () => sum(tested.runtime, 'aliasesSet') === 1);
    const runtime = await tested.restart();
    const facts = await collect(runtime);
    await runtime.publish([aliasRequest('a', 1), aliasRequest('a', 2)]);
    await runtime.runTopology(topology);
    // An outbox that is said again is a repeat, too: there may be more than that of the request.
    await eventually(
      'the second answer',
      () => facts.some(({ data }) => data.version === 2) && sum(runtime, 'repeats') >= 1,
    );
    expect(facts.filter(({ data }) => data.version === 2).map(({ data }) => data.previous)).toEqual([1]);
    expect(sum(runtime, 'aliasesSet')).toBe(2);
  });

  it('fires timers on an idle partition by a tick', async () => {
    tested = await createTestRuntime();
    await tested.runtime.runTopology(toyTopology);
    await tested.runtime.publish([aliasRequest('a', 1)]);
    await eventually('the model is closed', () => sum(tested.runtime, 'modelsClosed') === 1);
    expect(sum(tested.runtime, 'ticks')).toBeGreaterThanOrEqual(1);
  });

  it('puts a record whose fold throws aside and folds the next one of the same partition', async () => {
    tested = await createTestRuntime({ partitions: { registry: 1 } });
    await tested.runtime.runTopology(toyTopology);
    await tested.runtime.publish([aliasRequest('a', 1, 'throw'), aliasRequest('a', 2)]);
    await eventually('the second is folded', () => sum(tested.runtime, 'aliasesSet') === 1);
    expect(sum(tested.runtime, 'dead')).toBe(1);
    const letters = [];
    for await (const records of tested.runtime.parts.log.read({ topic: 'dead-letters', partition: 0 }, { from: 0 }))
      letters.push(...records);
    expect(letters[0]?.headers['__streams.errors.message']?.toString()).toBe('this alias always throws');
    expect(letters[0]?.headers['ce_id']?.toString()).toBe('request-a-1');
  });

  it('makes its state anew when the store lost it, and says nothing twice', async () => {
    // A model that closes meanwhile would begin anew.
    const topology = toyTopologyThatCloses(600_000);
    tested = await createTestRuntime();
    const facts = await collect(tested.runtime);
    await tested.runtime.runTopology(topology);
    await tested.runtime.publish(Array.from({ length: 50 }, (_, index) => aliasRequest(`m${index % 5}`, index)));
    await eventually('all are answered', () => facts.length === 50);
    const { state } = tested.runtime.parts;
    const runtime = await tested.restart();
    for (const task of await runtime.parts.state.tasks()) await runtime.parts.state.reset(task);
    void state;
    const again = await collect(runtime, 'earliest');
    const running = await runtime.runTopology(topology);
    await running.ready();
    await runtime.publish([aliasRequest('m0', 100)]);
    await eventually('the new request is answered', () => again.some(({ data }) => data.version === 100));
    expect(again.find(({ data }) => data.version === 100)?.data.previous).toBe(45);
    expect(again.length).toBe(51);
  });
});

describe('a topology that lingers', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  const lingerMs = 60_000;
  const counting = scripted(
    (event, state) => {
      const count = (state.get<number>('count') ?? 0) + 1;
      return { put: [['count', count]], emit: [say(`v${event.data.version} is number ${count}`)], count: { asked: 1 } };
    },
    { reads: () => ({ keys: ['count'] }), lingerMs },
  );

  /** A clock whose lingering ends when the test says so. */
  function handCranked() {
    const lingering = new Set<() => void>();
    const after = (delayMs: number, done: () => void): (() => void) => {
      if (delayMs !== lingerMs) return systemClock.after(delayMs, done);
      const end = (): void => void (lingering.delete(end), done());
      lingering.add(end);
      return () => void lingering.delete(end);
    };
    return { lingering, clock: { now: () => systemClock.now(), after } };
  }

  it('folds what came while it waited in one commit, and once, also when it does not learn what became of that', async () => {
    const { lingering, clock } = handCranked();
    let faults = 0;
    const runtime = await world.open({
      parts: () => ({ clock }),
      commitFault: () => (faults-- > 0 ? 'after' : undefined),
    });
    const running = await runtime.runTopology(counting);
    await running.ready();
    await runtime.publish([aliasRequest('a', 1)]);
    await eventually('it waits', () => lingering.size === 1);
    await runtime.publish([aliasRequest('a', 2), aliasRequest('a', 3)]);
    await eventually('all are queued', () => runtime.stats()[0]?.queuedRecords === 3);
    expect(sum(runtime, 'asked')).toBe(0);
    faults = 1;
    for (const end of lingering) end();
    await eventually('all are folded', () => runtime.stats()[0]?.position === 3);
    expect(new Set((await said(world, runtime)).map(([, detail]) => detail))).toEqual(
      new Set([1, 2, 3].map((n) => `v${n} is number ${n}`)),
    );
    expect([sum(runtime, 'asked'), faults, runtime.stats()[0]?.commits]).toEqual([3, 0, 0]);
  });

  it('closes at once while it waits', async () => {
    const { lingering, clock } = handCranked();
    const runtime = await world.open({ parts: () => ({ clock }) });
    const running = await runtime.runTopology(counting);
    await running.ready();
    await runtime.publish([aliasRequest('a', 1)]);
    await eventually('it waits', () => lingering.size === 1);
    await running.close();
    expect([lingering.size, await said(world, runtime)]).toEqual([0, []]);
  });
});

async function collect(runtime: Runtime, from: 'latest' | 'earliest' = 'latest') {
  const facts: Extract<FollowedEvent<'registry'>, { type: 'alias-set' }>[] = [];
  const follower = await runtime.follow('registry', {
    from,
    onEvent: (event) => event.type === 'alias-set' && facts.push(event),
  });
  await follower.ready();
  return facts;
}
