import type { StateEntry } from '../../../runtime/ports/state-store.ts';
import { changeTasks, type Mutants } from './break-store.ts';
import { pages } from './state-store-builders.ts';

/** Broken stores for the cases of ranges and snapshots. */
export const rangeMutants: Mutants = {
  'includes the upper bound': changeTasks(({ inner }) => ({
    range: (range) => inner.range(range.reverse === true ? range : { ...range, lt: `${range.lt}\0` }),
  })),
  'ignores the limit': changeTasks(({ inner }) => ({
    range: (range) => {
      const valid = Number.isSafeInteger(range.limit) && range.limit > 0 && range.reverse !== true;
      return inner.range(valid ? { ...range, limit: 10_000 } : range);
    },
  })),
  'takes the lowest keys of a reverse range': changeTasks(({ inner }) => ({
    range: async ({ reverse, ...range }) => {
      const page = await inner.range(range);
      return reverse === true ? [...page].reverse() : page;
    },
  })),
  'orders keys without regard to case': changeTasks(({ inner }) => ({
    range: async (range) => {
      const page = await inner.range(range);
      return range.reverse === true ? page : [...page].sort(byLowerCase);
    },
  })),
  'lists a rewritten key twice': changeTasks(({ inner, stored }) => {
    const rewritten = new Set<string>();
    return {
      commit: async (expected, batch) => {
        for (const [key] of batch.put) if (stored().values.has(key) && !batch.delete.includes(key)) rewritten.add(key);
        await inner.commit(expected, batch);
      },
      range: async (range) =>
        (await inner.range(range)).flatMap((found) => (rewritten.has(found[0]) ? [found, found] : [found])),
    };
  }),
  'takes a limit of zero': changeTasks(({ inner }) => ({
    range: (range) => inner.range({ ...range, limit: Math.max(1, Math.floor(range.limit)) }),
  })),
  'takes a torn snapshot': changeTasks(({ inner }) => ({
    snapshot: async () => {
      const { position, entries } = await inner.snapshot();
      async function* torn(): AsyncIterable<readonly StateEntry[]> {
        const first = await entries[Symbol.asyncIterator]().next();
        if (first.done === true) return;
        yield first.value;
        const last = first.value.at(-1)?.[0] ?? '';
        for await (const page of (await inner.snapshot()).entries) yield page.filter(([key]) => key > last);
      }
      return { position, entries: torn() };
    },
  })),
  'says position 0 for none': changeTasks(({ inner }) => ({
    snapshot: async () => {
      const { position, entries } = await inner.snapshot();
      return { position: position ?? 0, entries };
    },
  })),
  'has one snapshot at a time': changeTasks(({ inner }) => {
    let reading = false;
    return {
      snapshot: async () => {
        const { position, entries } = await inner.snapshot();
        if (reading) return { position, entries: pages() };
        reading = true;
        async function* alone(): AsyncIterable<readonly StateEntry[]> {
          yield* entries;
          reading = false;
        }
        return { position, entries: alone() };
      },
    };
  }),
};

const byLowerCase = ([a]: StateEntry, [b]: StateEntry): number =>
  a.toLowerCase() < b.toLowerCase() ? -1 : Number(a.toLowerCase() > b.toLowerCase());
