import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryLog } from '../../../runtime/adapters/memory-log.ts';
import { header, textHeader } from '../../../runtime/engine/envelope.ts';
import type { DueTimer, Effects } from '../../../runtime/engine/topology.ts';
import type { SubscribeOptions, SubscriptionHandler } from '../../../runtime/ports/log.ts';
import { createTopologyDriver, eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { said, say, scripted, sum, World } from './world.ts';

const fired = (timer: DueTimer): Effects => ({ emit: [say(`${timer.name} at ${timer.timeMs}`)] });
const details = (outputs: readonly { readonly data: unknown }[]): string[] =>
  outputs.map(({ data }) => (data as { detail: string }).detail);

describe('timers of a fold', () => {
  it('fire in order of due time, then of name, before the record that made them due', async () => {
    const topology = scripted(
      (event) =>
        event.data.version === 1
          ? { setTimers: ['c', 'b', 'a'].map((name, n) => ({ name, dueMs: name === 'c' ? 1_010 : 1_020 + 0 * n })) }
          : { emit: [say('the record')] },
      { onTimer: fired },
    );
    const driver = await createTopologyDriver(topology, { startMs: 1_000 });
    driver.pipe(aliasRequest('m', 1));
    driver.pipe({ ...aliasRequest('m', 2), timeMs: 1_050 });
    expect(details(driver.takeOutputs())).toEqual(['c at 1050', 'a at 1050', 'b at 1050', 'the record']);
  });

  it('do not fire when cleared, and fire at their last time when set again', async () => {
    const topology = scripted(
      ({ data: { alias, version } }) =>
        alias === 'clear' ? { clearTimers: ['t'] } : { setTimers: [{ name: 't', dueMs: version }] },
      { onTimer: fired },
    );
    const driver = await createTopologyDriver(topology, { startMs: 1_000 });
    driver.pipe(aliasRequest('m', 1_100, 'set'));
    driver.pipe(aliasRequest('m', 1, 'clear'));
    driver.advance(500);
    expect(driver.takeOutputs()).toEqual([]);
    driver.pipe(aliasRequest('m', 2_000, 'set'));
    driver.pipe(aliasRequest('m', 3_000, 'set'));
    driver.advance(800);
    expect(driver.takeOutputs()).toEqual([]);
    driver.advance(1_000);
    expect(details(driver.takeOutputs())).toEqual(['t at 3300']);
  });

  it('go by the running maximum of append times', async () => {
    const topology = scripted(() => ({ setTimers: [{ name: 't', dueMs: 5_000 }] }), { onTimer: fired });
    const driver = await createTopologyDriver(topology, { startMs: 1_000 });
    driver.pipe({ ...aliasRequest('m', 1), timeMs: 4_000 });
    driver.pipe({ ...aliasRequest('m', 2), timeMs: 1_500 });
    expect(driver.takeOutputs()).toEqual([]);
    driver.pipe({ ...aliasRequest('m', 3), timeMs: 5_000 });
    expect(details(driver.takeOutputs())).toEqual(['t at 5000']);
  });

  it('leave a dead letter when their fold throws, and are cleared', async () => {
    const topology = scripted(
      () => ({
        setTimers: [
          { name: 'bad', dueMs: 1_001 },
          { name: 'good', dueMs: 1_002 },
        ],
      }),
      {
        onTimer(timer) {
          if (timer.name === 'bad') throw new Error('this timer throws');
          return fired(timer);
        },
      },
    );
    const driver = await createTopologyDriver(topology, { startMs: 1_000 });
    driver.pipe(aliasRequest('m', 1));
    driver.advance(100);
    expect(details(driver.takeOutputs())).toEqual(['good at 1100']);
    const letters = driver.takeDeadLetters();
    expect(letters.map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()) as unknown)).toEqual([
      { timer: 'bad', dueMs: 1_001, partition: 0 },
    ]);
    driver.advance(100);
    expect(driver.takeDeadLetters()).toEqual([]);
    expect(driver.counters()).toMatchObject({ deadTimers: 1, timersFired: 1 });
  });
});

describe('timers of a running task', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  it('see their keys although they are set and due within one batch', async () => {
    const time = { nowMs: 1_000 };
    const runtime = await world.open({
      parts: () => ({ log: createMemoryLog({ storage: world.log, now: () => time.nowMs }) }),
    });
    await runtime.publish([aliasRequest('a', 1)]);
    time.nowMs = 2_000;
    await runtime.publish([aliasRequest('b', 2)]);
    const topology = scripted(
      ({ data: { model } }) => ({
        put: [[model, `${model} was here`]],
        setTimers: [{ name: model, dueMs: 1_500, reads: { keys: [model] } }],
      }),
      { onTimer: (timer, state) => ({ emit: [say(String(state.get(timer.name)))] }) },
    );
    await (await runtime.runTopology(topology)).ready();
    await eventually('the first timer fired', () => sum(runtime, 'timersFired') === 1);
    expect((await said(world, runtime)).map(([, detail]) => detail)).toEqual(['a was here']);
  });

  it('cost no commit each when a task that is behind sets them and finds them due', async () => {
    const time = { nowMs: 1_000 };
    const runtime = await world.open({
      parts: () => ({ log: createMemoryLog({ storage: world.log, now: () => time.nowMs }) }),
    });
    const many = 200;
    for (let n = 1; n <= many; n++) {
      await runtime.publish([aliasRequest('a', n)]);
      time.nowMs += 10;
    }
    const topology = scripted(
      ({ data: { version }, timeMs }, state) => ({
        put: [['sum', (state.get<number>('sum') ?? 0) + version]],
        setTimers: [{ name: `t${version}`, dueMs: timeMs + 5, reads: { keys: ['sum'] } }],
      }),
      {
        reads: () => ({ keys: ['sum'] }),
        onTimer: (timer, state) => ({ emit: [say(`${timer.name} saw ${state.get('sum')}`)] }),
      },
    );
    await (await runtime.runTopology(topology)).ready();
    await eventually('all but the last have fired', () => sum(runtime, 'timersFired') >= many - 1);
    const wanted = Array.from({ length: many - 1 }, (_, n) => `t${n + 1} saw ${((n + 1) * (n + 2)) / 2}`);
    expect((await said(world, runtime)).map(([, detail]) => detail).slice(0, many - 1)).toEqual(wanted);
    expect(runtime.stats()[0]?.commits).toBeLessThan(10);
  });

  it('ask for time by one tick, not by a storm, when the clock of the log is an hour behind', async () => {
    const hourMs = 3_600_000;
    const runtime = await world.open({
      parts: () => ({ log: createMemoryLog({ storage: world.log, now: () => Date.now() - hourMs }) }),
    });
    const topology = scripted((event) => ({ setTimers: [{ name: 't', dueMs: event.timeMs + 600 }] }), {
      onTimer: fired,
    });
    await (await runtime.runTopology(topology)).ready();
    await runtime.publish([aliasRequest('a', 1)]);
    await eventually('the timer fired', () => sum(runtime, 'timersFired') === 1);
    expect(sum(runtime, 'ticks')).toBeLessThanOrEqual(3);
  });

  it('write one tick and wait for it, however long it takes to come back', async () => {
    let ticks = 0;
    let redeliver = (): void => undefined;
    const runtime = await world.open({
      parts: ({ log }) => ({
        clock: {
          now: () => Date.now(),
          after: (_, done) => {
            const turn = setImmediate(done);
            return () => clearImmediate(turn);
          },
        },
        log: Object.assign(Object.create(log) as typeof log, {
          append: (records: Parameters<typeof log.append>[0]) => {
            if (records[0]?.headers[header.control] !== 'tick') return log.append(records);
            ticks += 1;
            return Promise.resolve([0]);
          },
          subscribe: (options: SubscribeOptions, handler: SubscriptionHandler) =>
            log.subscribe(options, {
              assigned: (partitions, generation) => handler.assigned(partitions, generation),
              revoked: (partitions, generation) => handler.revoked(partitions, generation),
              failed: (error) => handler.failed(error),
              records: (partition, records, end) => {
                redeliver = () => handler.records(partition, records, end);
                handler.records(partition, records, end);
              },
            }),
          ensureTopics: log.ensureTopics.bind(log),
          startOffsets: log.startOffsets.bind(log),
          endOffsets: log.endOffsets.bind(log),
          committed: log.committed.bind(log),
          read: log.read.bind(log),
          close: log.close.bind(log),
        }),
      }),
    });
    const topology = scripted((event) => ({ setTimers: [{ name: 't', dueMs: event.timeMs }] }), { onTimer: fired });
    await (await runtime.runTopology(topology)).ready();
    await runtime.publish([aliasRequest('a', 1)]);
    await eventually('a tick went out', () => ticks > 0);
    // What was folded before comes again and wakes the task, which has nothing to do; the clock never makes it wait.
    for (let turn = 0; turn < 200; turn++) {
      if (turn % 10 === 0) redeliver();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(ticks).toBe(1);
  });

  it('of several topologies that are due together are served by one tick', async () => {
    const runtime = await world.open();
    const waiting = (name: string) =>
      scripted((event) => ({ setTimers: [{ name: 't', dueMs: event.timeMs + 30 }] }), { name, onTimer: () => ({}) });
    const names = ['one', 'two', 'three', 'four', 'five'];
    for (const name of names) await (await runtime.runTopology(waiting(name))).ready();
    for (let n = 1; n <= 4; n++) {
      await runtime.publish([aliasRequest('m', n)]);
      await eventually('all have fired', () => sum(runtime, 'timersFired') === n * names.length);
    }
    const ticks = (await world.records('registry')).filter((record) => textHeader(record, header.control) === 'tick');
    expect(ticks.length).toBe(4);
  });

  it('are many at once: they fire over several commits, each once', async () => {
    const many = 12_000;
    const time = { nowMs: 1_000 };
    const runtime = await world.open({
      parts: () => ({ log: createMemoryLog({ storage: world.log, now: () => time.nowMs }) }),
    });
    const topology = scripted(
      (event) =>
        event.data.version === 1
          ? { setTimers: Array.from({ length: many }, (_, n) => ({ name: `t${n}`, dueMs: 1_500 })) }
          : { emit: [say('after all timers')] },
      { onTimer: () => ({ count: { mine: 1 } }) },
    );
    await (await runtime.runTopology(topology)).ready();
    await runtime.publish([aliasRequest('a', 1)]);
    await eventually('the timers are set', () => runtime.stats().some(({ timers }) => timers === many));
    time.nowMs = 2_000;
    await runtime.publish([aliasRequest('a', 2)]);
    await eventually('all fired', () => sum(runtime, 'mine') === many && sum(runtime, 'folded') === 2);
    const ticks = (await world.records('registry')).filter((record) => textHeader(record, header.control) === 'tick');
    expect(sum(runtime, 'in')).toBe(2 + ticks.length);
  });
});
