import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
});
