import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { Log, SubscriptionHandler } from '../../../runtime/ports/log.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest, toyTopologyThatCloses } from './toy-topology.ts';
import { World } from './world.ts';

const partition = { topic: 'registry', partition: 0 };
const toy = toyTopologyThatCloses(3_600_000);

describe('a partition that goes while its state is being opened', () => {
  let world: World;
  /** Plays the coordinator of the group. */
  let handler: SubscriptionHandler;
  /** Openings of the state that wait until they are let go. */
  let waiting: (() => void)[];
  let held: boolean;
  beforeEach(async () => {
    world = await World.create();
    waiting = [];
    held = true;
  });
  afterEach(() => world.close());

  const open = () =>
    world.open({
      parts: ({ log, state }) => ({
        log: withCoordinator(log),
        state: {
          open: async (task) => {
            if (held) await new Promise<void>((resolve) => waiting.push(resolve));
            return await state.open(task);
          },
          close: () => state.close(),
        } as typeof state,
      }),
    });

  const letGo = (): void => {
    held = false;
    for (const go of waiting) go();
  };

  const withCoordinator = (log: Log): Log =>
    new Proxy(log, {
      get: (target, name) => {
        if (name === 'subscribe') {
          return async (_: unknown, given: SubscriptionHandler) => {
            handler = given;
            return {
              pause: () => undefined,
              resume: () => undefined,
              commit: async () => undefined,
              close: async () => undefined,
            };
          };
        }
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });

  it('is not worked on, and does not keep the process from being ready', async () => {
    const runtime = await open();
    const [at] = await runtime.publish([aliasRequest('a', 1)]);
    const running = await runtime.runTopology(toy);
    const assigned = handler.assigned([partition], 1);
    await eventually('its state is being opened', () => waiting.length === 1);
    handler.revoked([partition], 1);
    letGo();
    await assigned;
    expect(runtime.stats()).toEqual([]);
    await handler.assigned([], 2);
    await running.ready();
    expect([at?.offset, world.complaints]).toEqual([0, []]);
  });

  it('is told to a service as closed after it was told as opened, or not as opened at all', async () => {
    held = false;
    const runtime = await open();
    const told: string[] = [];
    let go: (() => void) | undefined;
    await runtime.runService({
      name: 'watcher',
      inputs: ['registry'],
      outputs: [],
      summary: 'notes what it is told',
      opened: async () => {
        await new Promise<void>((resolve) => (go = resolve));
        told.push('opened');
      },
      handle: () => Promise.resolve({ outputs: [] }),
      closed: () => void told.push('closed'),
    });
    const assigned = handler.assigned([partition], 1);
    await eventually('the service is being told', () => go !== undefined);
    handler.revoked([partition], 1);
    go?.();
    await assigned;
    expect(told).toEqual(['opened', 'closed']);
    held = true;
    const again = handler.assigned([partition], 2);
    await eventually('its state is being opened', () => waiting.length === 1);
    handler.revoked([partition], 2);
    letGo();
    await again;
    expect(told.slice(2)).toEqual(['closed']);
  });

  it('is said to have stopped when its state cannot be opened, until another has it', async () => {
    const runtime = await world.open({
      parts: ({ log, state }) => ({
        log: withCoordinator(log),
        state: {
          open: () => Promise.reject(new MillraceError('CORRUPT', 'the state is damaged')),
          close: () => state.close(),
        } as unknown as typeof state,
      }),
    });
    const running = await runtime.runTopology(toy);
    await handler.assigned([partition], 1);
    const name = `${toy.name}/registry/0`;
    expect(runtime.stopped()).toEqual([name]);
    expect(runtime.stats()).toMatchObject([{ task: name, status: 'failed' }]);
    await expect(running.ready()).rejects.toMatchObject({ code: 'CORRUPT' });
    handler.revoked([partition], 1);
    expect(runtime.stopped()).toEqual([]);
    expect(runtime.stats()).toEqual([]);
    await handler.assigned([], 2);
    await running.ready();
  });

  it('is tried again when the disk is full, and worked on when it has room', async () => {
    let tries = 0;
    const runtime = await world.open({
      parts: ({ log, state }) => ({
        log: withCoordinator(log),
        state: {
          open: async (task) => {
            tries += 1;
            if (tries === 1) throw new MillraceError('DISK_FULL', 'no space is left');
            return await state.open(task);
          },
          close: () => state.close(),
        } as typeof state,
      }),
    });
    const running = await runtime.runTopology(toy);
    await handler.assigned([partition], 1);
    await running.ready();
    expect(tries).toBeGreaterThan(1);
    expect(runtime.stopped()).toEqual([]);
  });

  it('is caught up when what is left of it holds no records', async () => {
    held = false;
    const runtime = await open();
    await world.append('registry', { ce_id: 'x' }, Buffer.alloc(0));
    const running = await runtime.runTopology(toy);
    await handler.assigned([partition], 1);
    let ready = false;
    const waitingToBe = running.ready().then(() => (ready = true));
    handler.passed?.(partition, 0, 1);
    await waitingToBe;
    expect(ready).toBe(true);
  });
});

describe('a subscription that dies after its start', () => {
  let world: World;
  let handlers: SubscriptionHandler[];
  beforeEach(async () => {
    world = await World.create();
    handlers = [];
  });
  afterEach(() => world.close());

  const open = () =>
    world.open({
      partitions: { models: 1 },
      parts: ({ log }) => ({
        log: new Proxy(log, {
          get: (target, name) => {
            const value: unknown = Reflect.get(target, name);
            if (typeof value !== 'function') return value;
            return (...given: readonly unknown[]): unknown => {
              if (name === 'subscribe') handlers.push(given[1] as SubscriptionHandler);
              return Reflect.apply(value, target, given);
            };
          },
        }),
      }),
    });
  const die = (): void => handlers.at(-1)?.failed(new MillraceError('FORBIDDEN', 'the grant is gone'));

  it('is said of a topology, a table and a follower, until they are closed', async () => {
    const runtime = await open();
    const running = await runtime.runTopology(toy);
    await running.ready();
    expect(runtime.stopped()).toEqual([]);
    die();
    expect(runtime.stopped()).toEqual([`the subscription of ${toy.name}`]);
    const table = await runtime.openTable('models');
    die();
    const follower = await runtime.follow('operations', { onEvent: () => undefined });
    die();
    expect(runtime.stopped()).toEqual([
      `the subscription of ${toy.name}`,
      'what follows models',
      'what follows operations',
    ]);
    await Promise.all([running.close(), table.close(), follower.close()]);
    expect(runtime.stopped()).toEqual([]);
  });

  it('is told to the follower who wants to hear of it', async () => {
    const runtime = await open();
    let told: unknown;
    await runtime.follow('operations', { onEvent: () => undefined, onStopped: (error) => (told = error) });
    die();
    expect([runtime.stopped(), told]).toMatchObject([[], { code: 'FORBIDDEN' }]);
  });

  it('is an answer to who looks for a row, not a wait without end', async () => {
    const runtime = await open();
    const table = await runtime.openTable('models');
    die();
    await world.append('models', { ce_id: 'registry/0.0/models/0/1' }, Buffer.from('x'), 'm/1');
    await expect(table.find('m/1')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
