import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryStateStore } from '../../../runtime/adapters/state/memory-state-store.ts';
import { StateCache } from '../../../runtime/engine/state-cache.ts';

interface Step {
  readonly puts: readonly number[];
  readonly deletes: readonly number[];
  readonly limit: number;
}

/** What each step sees of the range, with a commit after every `batch` steps. */
async function play(steps: readonly Step[], batch: number): Promise<string[]> {
  const store = createMemoryStateStore();
  const state = await store.open('t');
  const cache = new StateCache(state);
  const seen: string[] = [];
  let position: number | undefined;
  const commit = async (): Promise<void> => {
    const next = (position ?? 0) + 1;
    await state.commit(position, { position: next, ...cache.takeWrites() });
    position = next;
  };
  const declared = ({ limit }: Step) => ({ ranges: [{ prefix: 'r/', limit }] });
  for (let at = 0; at < steps.length; ) {
    const slice = steps.slice(at, at + batch);
    await cache.prefetch(slice.map(declared));
    for (const step of slice) {
      if (!cache.covers(declared(step))) break;
      cache.begin(declared(step));
      seen.push(
        cache
          .range<number>('r/')
          .map(([key, value]) => `${key}=${value}`)
          .join(),
      );
      for (const key of step.puts) cache.put(`r/${key}`, at);
      for (const key of step.deletes) cache.delete(`r/${key}`);
      cache.keep();
      at += 1;
    }
    await commit();
  }
  return seen;
}

const step = fc.record({
  puts: fc.array(fc.nat(9), { maxLength: 4 }),
  deletes: fc.array(fc.nat(9), { maxLength: 4 }),
  limit: fc.integer({ min: 1, max: 6 }),
});

describe('what a fold reads of a range', () => {
  it('does not depend on where batches end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 2, max: 12 }),
        async (steps, batch) => {
          expect(await play(steps, batch)).toEqual(await play(steps, 1));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is an error when it was not declared', async () => {
    const cache = new StateCache(await createMemoryStateStore().open('t'));
    await cache.prefetch([{ keys: ['a'] }]);
    cache.begin({ keys: ['a'] });
    expect(cache.get('a')).toBeUndefined();
    expect(() => cache.get('b')).toThrow("key 'b' without declaring");
    expect(() => cache.range('r/')).toThrow("range 'r/' without declaring");
  });
});

describe('what a fold reads of a key', () => {
  it('is what was written last, be it null or nothing, before and after a commit', async () => {
    const state = await createMemoryStateStore().open('t');
    const cache = new StateCache(state);
    const declared = { keys: ['k'] };
    const seen: unknown[] = [];
    const look = async (): Promise<void> => {
      await cache.prefetch([declared]);
      cache.begin(declared);
      seen.push(cache.get('k'));
    };
    let position: number | undefined;
    for (const value of ['first', null, 'second', undefined]) {
      cache.begin(declared);
      if (value === undefined) cache.delete('k');
      else cache.put('k', value);
      cache.keep();
      await look();
      const next = (position ?? 0) + 1;
      await state.commit(position, { position: next, ...cache.takeWrites() });
      position = next;
      await look();
    }
    expect(seen).toEqual(['first', 'first', null, null, 'second', 'second', undefined, undefined]);
  });

  it('is nothing where no store takes the key', async () => {
    const cache = new StateCache(await createMemoryStateStore().open('t'));
    const declared = { keys: ['schlüssel'], ranges: [{ prefix: 'ü', limit: 3 }] };
    await cache.prefetch([declared]);
    cache.begin(declared);
    expect(cache.get('schlüssel')).toBeUndefined();
    expect(cache.range('ü')).toEqual([]);
  });
});
