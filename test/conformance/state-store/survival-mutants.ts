import { hasCode } from '../../../runtime/ports/errors.ts';
import type { StateBatch } from '../../../runtime/ports/state-store.ts';
import { changeStore, changeTasks, force, type Mutants } from './break-store.ts';
import { crashTask } from './commit-forever.ts';

/** Broken stores for the cases of survival and of rebuilds. */
export const survivalMutants: Mutants = {
  'forgets the last commit when it is closed': (inner, storage) => {
    let before = storage.copy();
    const store = changeTasks((context) => ({
      commit: async (expected, batch) => {
        const copy = storage.copy();
        await context.inner.commit(expected, batch);
        before = copy;
      },
    }))(inner, storage);
    const close = async (): Promise<void> => {
      if (storage.tasks.has('t/0') && before.tasks.get('t/0')?.position !== undefined) storage.setBack(before);
      await inner.close();
    };
    return { ...store, close };
  },
  'acknowledges before it writes': changeTasks(({ inner }) => {
    let pending: (() => Promise<void>) | undefined;
    if (inner.task !== crashTask) return {};
    return {
      commit: async (expected: number | undefined, batch: StateBatch) => {
        await pending?.();
        pending = () => inner.commit(expected, batch);
      },
    };
  }),
  'takes a lost answer for a success': changeTasks(({ inner }) => ({
    commit: (expected, batch) =>
      inner.commit(expected, batch).catch((error: unknown) => {
        if (!hasCode(error, 'UNKNOWN_OUTCOME')) throw error;
      }),
  })),
  'goes on after an unknown outcome': changeTasks(({ inner, stored }) => {
    let lost = false;
    return {
      commit: async (expected: number | undefined, batch: StateBatch) => {
        try {
          await inner.commit(expected, batch);
        } catch (error) {
          if (!lost) {
            lost = hasCode(error, 'UNKNOWN_OUTCOME');
            throw error;
          }
          force(stored(), batch);
        }
      },
    };
  }),
  'keeps old keys when it restores': changeTasks(({ inner, stored }) => ({
    restore: async (position, entries) => {
      const old = stored().values;
      await inner.restore(position, entries);
      for (const [key, value] of old) if (!stored().values.has(key)) stored().values.set(key, value);
    },
  })),
  'restores for an earlier owner': changeTasks(({ inner, stored }) => ({
    restore: async (position, entries) => {
      const put: (readonly [string, Uint8Array])[] = [];
      for await (const page of entries) put.push(...page);
      const again = async function* () {
        yield put;
      };
      await inner.restore(position, again()).catch(() => force(stored(), { position, put, delete: [] }));
    },
  })),
  'keeps values when it resets': changeStore((store, storage) => ({
    reset: async (task) => {
      const values = storage.tasks.get(task)?.values;
      await store.reset(task);
      const stored = storage.tasks.get(task);
      if (stored !== undefined && values !== undefined) stored.values = values;
    },
  })),
  'leaves the owner in place when it resets': changeStore((store, storage) => ({
    reset: async (task) => {
      const before = storage.tasks.get(task);
      await store.reset(task);
      if (before !== undefined) storage.tasks.set(task, { ...before, position: undefined, values: new Map() });
    },
  })),
  'begins at epoch 1 after a reset': changeStore((_, storage) => ({
    reset: async (task) => {
      storage.tasks.delete(task);
    },
  })),
};
