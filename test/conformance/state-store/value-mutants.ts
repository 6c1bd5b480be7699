import { hasCode, MillraceError } from '../../../runtime/ports/errors.ts';
import { changeStore, changeTasks, type Mutants } from './break-store.ts';

/** Broken stores for the cases of values and limits. */
export const valueMutants: Mutants = {
  'keeps the epoch': changeTasks(({ inner }) => ({ epoch: inner.epoch === 2 ? 1 : inner.epoch })),
  'takes an empty value for none': changeTasks(({ inner }) => ({
    get: async (keys) => (await inner.get(keys)).map((value) => (value?.length === 0 ? undefined : value)),
  })),
  'ignores deletes': changeTasks(({ inner }) => ({
    commit: (expected, batch) => inner.commit(expected, { ...batch, delete: batch.delete.filter((key) => key === '') }),
  })),
  'keeps the first value of a key in a batch': changeTasks(({ inner }) => ({
    commit: (expected, batch) => inner.commit(expected, { ...batch, put: [...new Map([...batch.put].reverse())] }),
  })),
  'keeps the buffer of the caller': changeTasks(({ inner, stored }) => ({
    commit: async (expected, batch) => {
      await inner.commit(expected, batch);
      for (const [key, value] of batch.put) stored().values.set(key, value);
    },
  })),
  'takes the beginning of a task name for the whole': changeStore((store, storage) => ({
    open: (task) => store.open([...storage.tasks.keys()].find((known) => task.startsWith(known)) ?? task),
  })),
  'lists tasks that never committed': changeStore((_, storage) => ({
    tasks: async () =>
      [...storage.tasks]
        .filter(([, { nonce }]) => nonce !== '')
        .map(([name]) => name)
        .sort(),
  })),
  'applies a batch in two steps': changeTasks(({ inner, stored }) => ({
    commit: async (expected, batch) => {
      const second = batch.put.slice(batch.put.length / 2);
      const before = second.map(([key]) => [key, stored().values.get(key)] as const);
      await inner.commit(expected, batch);
      for (const [key, value] of before) {
        if (value === undefined) stored().values.delete(key);
        else stored().values.set(key, value);
      }
      await new Promise(setImmediate);
      for (const [key, value] of second) stored().values.set(key, Uint8Array.from(value));
    },
  })),
  'refuses while another task commits': (store, storage) => {
    let committing = 0;
    return changeTasks(({ inner }) => ({
      commit: async (expected, batch) => {
        if (committing > 0) throw new MillraceError('CONFLICT', 'Another task commits.');
        committing += 1;
        await inner.commit(expected, batch).finally(() => {
          committing -= 1;
        });
      },
    }))(store, storage);
  },
  'cuts keys at 512 characters': changeTasks(({ inner }) => ({
    get: (keys) => inner.get(keys.map((key) => key.slice(0, 512))),
    commit: (expected, batch) => {
      const put = batch.put.map(([key, value]) => [key.length > 1024 ? key : key.slice(0, 512), value] as const);
      return inner.commit(expected, { ...batch, put });
    },
  })),
  'writes what comes before the guilty entry': changeTasks(({ inner, stored }) => ({
    commit: (expected, batch) =>
      inner.commit(expected, batch).catch((error: unknown) => {
        const [first] = batch.put;
        if (hasCode(error, 'INVALID_ARGUMENT', 'TOO_LARGE') && first !== undefined) stored().values.set(...first);
        throw error;
      }),
  })),
  'takes any task name': changeStore((store) => ({
    open: (task) => store.open(/^[\x20-\x7e]{1,512}$/.test(task) ? task : 'other'),
  })),
  'answers after close': changeStore(() => ({ close: async () => {} })),
};
