import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryLog, MemoryLogStorage } from '../../../runtime/adapters/memory-log.ts';
import type { FollowedEvent, Running } from '../../../runtime/engine/runtime.ts';
import { type Clock, systemClock } from '../../../runtime/ports/clock.ts';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import type { SlotsJudged } from '../../../schemas/events.ts';
import { partitionOf } from '../../../schemas/partitioner.ts';
import { topics } from '../../../schemas/topics.ts';
import { flow } from '../../../sdk/index.ts';
import { createScheduler } from '../../../services/scheduler/scheduler.ts';
import { flowStarts } from '../../../topologies/flow-starts.ts';

const hour = 3_600_000;
/** Lies in one partition with `train`, so that what is said of both comes in order. */
const partitionMate = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].find(
  (name) => partitionOf(name, topics.starts.partitions) === partitionOf('train', topics.starts.partitions),
) as string;
const start = Date.UTC(2026, 5, 1);

/** Stands still until it is moved; whoever waits is asked again soon. */
class HandClock implements Clock {
  nowMs = start;
  now(): number {
    return this.nowMs;
  }
  after(_: number, callback: () => void): () => void {
    return systemClock.after(5, callback);
  }
}

let test: TestRuntime;
let logClock: HandClock;
let ownClock: HandClock;
let judged: SlotsJudged[];
let open: Running[];
let schedulers: Running[];

beforeEach(async () => {
  logClock = new HandClock();
  ownClock = logClock;
  judged = [];
  schedulers = [];
  const storage = new MemoryLogStorage();
  const clock: Clock = { now: () => ownClock.now(), after: (delayMs, callback) => ownClock.after(delayMs, callback) };
  test = await createTestRuntime({
    parts: () => ({ log: createMemoryLog({ storage, now: () => logClock.now() }), clock }),
  });
  open = [await test.runtime.runTopology(flowStarts)];
  await followJudged();
});

async function followJudged(): Promise<void> {
  judged = [];
  const onEvent = (event: FollowedEvent<'starts'>): void => {
    if (event.type === 'slots-judged') judged.push(event.data);
  };
  open.push(await test.runtime.follow('starts', { from: 'earliest', onEvent }));
}

async function saidSlots(): Promise<number> {
  const { runtime } = test;
  const topic = runtime.topic('starts');
  let said = 0;
  for (let partition = 0; partition < runtime.partitions('starts'); partition++)
    for await (const records of runtime.parts.log.read({ topic, partition }, { from: 0 }))
      for (const record of records) if ((await runtime.decode('starts', record)).type === 'slots-due') said++;
  return said;
}

afterEach(async () => {
  for (const part of [...schedulers, ...open].reverse()) await part.close();
  await test.close();
});

async function deploy(options: object, name = 'train'): Promise<void> {
  const chain = flow(name)
    .schedule({ every: '1h', overlap: 'allow', ...options })
    .step('a', () => ({})) as unknown as FlowCode;
  const json = (value: unknown) => JSON.stringify(value);
  const data = {
    flow: name,
    requestId: `d-${name}`,
    bundleHash: 'b'.repeat(64),
    graph: json(chain.graph),
    actor: 'ada',
  };
  const more = { triggers: json(chain.triggers), policy: '{}', authorize: '', newToken: false };
  await test.runtime.publish([
    { topic: 'starts', type: 'flow-deploy-requested', key: name, id: `d-${name}`, data: { ...data, ...more } },
  ]);
}

async function startScheduler(): Promise<Running> {
  const scheduler = await test.runtime.runService(createScheduler(test.runtime));
  schedulers.push(scheduler);
  return scheduler;
}

const told = () =>
  judged.map(
    ({ outcome, firstMs, count }) =>
      `${outcome} ${(firstMs - start) / hour}${count > 1 ? ` and ${count - 1} more` : ''}`,
  );
const toldEventually = (expected: readonly string[]) =>
  eventually(
    `slots are judged: ${expected.join(', ')}; so far ${told().join(', ')}`,
    () => told().join() === expected.join(),
  );

describe('the scheduler', () => {
  it('says each slot when it is due', async () => {
    await startScheduler();
    await deploy({});
    logClock.nowMs = start + hour - 1;
    logClock.nowMs = start + hour;
    await toldEventually(['started 1']);
    logClock.nowMs = start + 2 * hour;
    await toldEventually(['started 1', 'started 2']);
  });

  it.each([
    ['none', ['missed 2 and 2 more', 'started 5']],
    ['last', ['missed 2 and 1 more', 'started 4', 'started 5']],
    ['all', ['started 2', 'started 3', 'started 4', 'started 5']],
  ])('that was away for three slots catches up %s', async (catchUp, expected) => {
    const first = await startScheduler();
    await deploy({ catchUp });
    logClock.nowMs = start + hour;
    await toldEventually(['started 1']);
    await first.close();
    logClock.nowMs = start + 4.5 * hour;
    await startScheduler();
    await toldEventually(['started 1', ...expected.slice(0, -1)]);
    logClock.nowMs = start + 5 * hour;
    await toldEventually(['started 1', ...expected]);
  });

  it('of which two run at once starts each slot once', async () => {
    await deploy({ catchUp: 'all' });
    await startScheduler();
    await eventually('the first knows the flow', () =>
      test.runtime.stats().some(({ task, position }) => task.startsWith('scheduler/') && position > 0),
    );
    const zombie = createScheduler(test.runtime);
    schedulers.push(await test.runtime.runService({ ...zombie, name: 'scheduler-zombie' }));
    for (let at = 1; at <= 5; at++) {
      logClock.nowMs = start + at * hour;
      await toldEventually(Array.from({ length: at }, (_, n) => `started ${n + 1}`));
    }
  });

  it('knows its schedules again when the state store has lost them', async () => {
    await startScheduler();
    await deploy({ catchUp: 'all' });
    logClock.nowMs = start + 2 * hour;
    await toldEventually(['started 1', 'started 2']);
    const saidBefore = await saidSlots();
    await test.restart('state');
    open = [await test.runtime.runTopology(flowStarts)];
    schedulers = [];
    await followJudged();
    await startScheduler();
    logClock.nowMs = start + 3 * hour;
    await toldEventually(['started 1', 'started 2', 'started 3']);
    // what was decided is not said anew while the values are rebuilt
    expect(await saidSlots()).toBe(saidBefore + 1);
  });

  it('goes by the log, whether its own clock is ahead or behind', async () => {
    ownClock = new HandClock();
    ownClock.nowMs = start + 3 * hour;
    await startScheduler();
    await deploy({ catchUp: 'none' });
    await eventually('a slot was said too early', () => judged.some(({ outcome }) => outcome === 'early'));
    logClock.nowMs = start + hour;
    ownClock.nowMs = start + 4 * hour;
    await eventually('the slot is due', () => told().includes('started 1'));
    ownClock.nowMs = start - 5 * hour;
    logClock.nowMs = start + 2 * hour;
    // Something else is said on the topic, and tells what time it is there.
    const data = { flow: 'other', requestId: 'x', action: 'pause', reason: '', actor: 'ada' };
    for (let n = 0; n < 3; n++)
      await test.runtime.publish([
        {
          topic: 'starts',
          type: 'flow-control-requested',
          key: 'train',
          id: `x${n}`,
          data: { ...data, flow: 'train', requestId: `x${n}`, action: 'none' },
        },
      ]);
    await eventually('the next slot is due', () => told().includes('started 2'));
    expect(told().filter((one) => one.startsWith('missed'))).toEqual([]);
  });

  it('decides nothing twice when the clock jumps back, and starts no slot of a removed flow', async () => {
    await startScheduler();
    await deploy({});
    logClock.nowMs = start + 2 * hour;
    await toldEventually(['missed 1', 'started 2']);
    logClock.nowMs = start + hour;
    await startScheduler();
    logClock.nowMs = start + 3 * hour;
    await toldEventually(['missed 1', 'started 2', 'started 3']);
    const data = { flow: 'train', requestId: 'r1', action: 'remove', reason: '', actor: 'ada' };
    await test.runtime.publish([{ topic: 'starts', type: 'flow-control-requested', key: 'train', id: 'r1', data }]);
    await deploy({}, partitionMate);
    logClock.nowMs = start + 9 * hour;
    await eventually('a flow of the same partition has its slot', () =>
      judged.some((one) => one.flow === partitionMate && one.outcome === 'started'),
    );
    const started = judged.filter((one) => one.flow === 'train' && one.outcome === 'started');
    expect(started.map(({ firstMs }) => (firstMs - start) / hour)).toEqual([2, 3]);
  });
});
