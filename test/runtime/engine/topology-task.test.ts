import { afterEach, describe, expect, it } from 'vitest';
import type { FollowedEvent, Runtime } from '../../../runtime/engine/runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import { aliasRequest, toyTopology, toyTopologyThatCloses } from './toy-topology.ts';

describe('a topology on a runtime', () => {
  let tested: TestRuntime;
  afterEach(() => tested.close());

  it('folds every request once and answers it, also when the service says it twice', async () => {
    tested = await createTestRuntime();
    const facts = await collect(tested.runtime);
    await tested.runtime.runTopology(toyTopology);
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
    tested = await createTestRuntime();
    const facts = await collect(tested.runtime);
    await tested.runtime.runTopology(toyTopology);
    await tested.runtime.publish(Array.from({ length: 50 }, (_, index) => aliasRequest(`m${index % 5}`, index)));
    await eventually('all are answered', () => facts.length === 50);
    const { state } = tested.runtime.parts;
    const runtime = await tested.restart();
    for (const task of await runtime.parts.state.tasks()) await runtime.parts.state.reset(task);
    void state;
    const again = await collect(runtime, 'earliest');
    const running = await runtime.runTopology(toyTopology);
    await running.ready();
    await runtime.publish([aliasRequest('m0', 100)]);
    await eventually('the new request is answered', () => again.some(({ data }) => data.version === 100));
    expect(again.find(({ data }) => data.version === 100)?.data.previous).toBe(45);
    expect(again.length).toBe(51);
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

function sum(runtime: Runtime, counter: string): number {
  return runtime.stats().reduce((total, { counters }) => total + (counters[counter] ?? 0), 0);
}
