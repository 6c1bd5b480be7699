import type { MemoryStateStorage, StoredTask } from '../../../runtime/adapters/state/memory-state-store.ts';
import type { StateBatch, StateStore, TaskState } from '../../../runtime/ports/state-store.ts';
import type { BreakStore } from './memory-harness.ts';

export type Mutants = Readonly<Record<string, BreakStore>>;

export interface TaskContext {
  readonly inner: TaskState;
  readonly storage: MemoryStateStorage;
  /** What the storage has of the task now; made anew when it was lost. */
  stored(): StoredTask;
}

/** A store that differs from the given one in what `change` answers. */
export const changeStore =
  (change: (store: StateStore, storage: MemoryStateStorage) => Partial<StateStore>): BreakStore =>
  (store, storage) => ({
    open: (task) => store.open(task),
    reset: (task) => store.reset(task),
    tasks: () => store.tasks(),
    close: () => store.close(),
    ...change(store, storage),
  });

/** A store whose tasks differ in what `change` answers, asked once for each open. */
export const changeTasks = (change: (context: TaskContext) => Partial<TaskState>): BreakStore =>
  changeStore((store, storage) => ({
    open: async (task) => {
      const inner = await store.open(task);
      return {
        task: inner.task,
        epoch: inner.epoch,
        nonce: inner.nonce,
        position: inner.position,
        get: (keys) => inner.get(keys),
        range: (range) => inner.range(range),
        commit: (expected, batch) => inner.commit(expected, batch),
        snapshot: () => inner.snapshot(),
        restore: (position, entries) => inner.restore(position, entries),
        ...change({ inner, storage, stored: () => storedTask(storage, inner) }),
      };
    },
  }));

/** Writes a batch past every check. */
export function force(stored: StoredTask, batch: StateBatch): void {
  for (const key of batch.delete) stored.values.delete(key);
  for (const [key, value] of batch.put) stored.values.set(key, Uint8Array.from(value));
  stored.position = batch.position;
}

function storedTask(storage: MemoryStateStorage, { task, epoch, nonce }: TaskState): StoredTask {
  const found = storage.tasks.get(task) ?? { epoch, nonce, position: undefined, sequence: 0, values: new Map() };
  storage.tasks.set(task, found);
  return found;
}
