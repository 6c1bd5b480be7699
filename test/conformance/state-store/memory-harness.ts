import type { StateStore } from '../../../runtime/ports/state-store.ts';
import { createMemoryStateStore, MemoryStateStorage } from '../../../runtime/adapters/state/memory-state-store.ts';
import { commitForever } from './commit-forever.ts';
import type { StateStoreHarness } from './state-store-harness.ts';

/** Wraps a store, to break it. Called once for each store object, with what all of them share. */
export type BreakStore = (store: StateStore, storage: MemoryStateStorage) => StateStore;

/** Harness of the memory store. Its storage stands for the disk, and a store object that is left unclosed for a killed process. */
export function createMemoryHarness(breakStore: BreakStore = (store) => store): StateStoreHarness {
  const storage = new MemoryStateStorage();
  let fault: 'before' | 'after' | undefined;
  const commitFault = (): 'before' | 'after' | undefined => {
    const now = fault;
    fault = undefined;
    return now;
  };
  const openStore = async (): Promise<StateStore> =>
    breakStore(createMemoryStateStore({ storage, commitFault }), storage);
  return {
    openStore,
    wipe: async () => storage.wipe(),
    checkpoint: async () => {
      const copy = storage.copy();
      return async () => storage.setBack(copy);
    },
    killWhileCommitting: async (commitsMin) => {
      let acknowledged = 0;
      const tell = (position: number): void => {
        acknowledged = position;
      };
      await commitForever(await openStore(), tell, () => acknowledged >= commitsMin);
      return acknowledged;
    },
    loseNextCommit: async (when) => {
      fault = when;
    },
    close: async () => {},
  };
}
