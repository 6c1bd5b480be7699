import { describe, expect, it } from 'vitest';
import { createMemoryStateStore, MemoryStateStorage } from '../../../runtime/adapters/state/memory-state-store.ts';
import { MillraceError, type StateStore } from '../../../runtime/ports/index.ts';
import { LinearRuntime } from './linear-runtime.ts';
import { openServer } from './server-fixture.ts';

/** The first commit of each task of the model server is lost: its outcomes are on the log, its position is not noted. */
function forgetfulState(): StateStore {
  const store = createMemoryStateStore({ storage: new MemoryStateStorage() });
  const forgot = new Set<string>();
  return new Proxy(store, {
    get: (target, property) => {
      const member = Reflect.get(target, property) as unknown;
      if (property !== 'open') return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      return async (task: string) => {
        const state = await target.open(task);
        if (!task.startsWith('model-server/') || forgot.has(task)) return state;
        return new Proxy(state, {
          get: (inner, name) => {
            const value = Reflect.get(inner, name) as unknown;
            if (name !== 'commit') return typeof value === 'function' ? (value.bind(inner) as unknown) : value;
            return () => {
              forgot.add(task);
              return Promise.reject(new MillraceError('UNKNOWN_OUTCOME', 'the store went away'));
            };
          },
        });
      };
    },
  });
}

describe('a model server that dies before it notes its position', () => {
  it('says every outcome again under the same id, with the same answer, and no other', async () => {
    const fixture = await openServer(new LinearRuntime(), { parts: { state: forgetfulState() } });
    await fixture.deploy('linear', ...[0, 100].map((bias) => Buffer.from(JSON.stringify({ weights: [1, 1], bias }))));
    const { runtime } = fixture.test;
    await runtime.parts.log.append(
      Array.from({ length: 40 }, (_, i) => {
        const data = i % 7 === 0 ? [i] : [i, 0];
        const inputs = [{ name: 'x', datatype: 'FP64', shape: [1, data.length], data }];
        return {
          topic: runtime.topic('prediction-requests'),
          partition: i % 6,
          key: `e${i}`,
          value: Buffer.from(JSON.stringify({ inputs })),
          headers: { 'millrace-deployment': 'linear' },
        };
      }),
    );
    await fixture.outcomesOf(40);
    const all = await fixture.outcomesOf(46);
    const byId = new Map<string, unknown[]>();
    for (const { id, type, data, partition, key } of all) {
      const { queueMs: _, runMs: __, ...said } = data as unknown as Record<string, unknown>;
      byId.set(id, [...(byId.get(id) ?? []), { type, partition, key, said }]);
    }
    expect(byId.size).toBe(40);
    for (const [once, ...again] of byId.values()) for (const twice of again) expect(twice).toEqual(once);
    expect(
      [...byId.values()].filter(([first]) => (first as { type: string }).type === 'prediction-failed'),
    ).toHaveLength(6);
    await fixture.close();
  });
});
