import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { StateStore, TaskState } from '../../ports/state-store.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { LmdbTaskState } from './lmdb-task-state.ts';
import { checkTask } from './state-checks.ts';

export interface LmdbStateStoreOptions {
  /** Made when it is missing. Belongs to one process at a time. */
  readonly directory: string;
  /**
   * 'process': a resolved commit survives kill -9 of every process; a power loss empties the store, and tasks are rebuilt.
   * 'disk': it survives power loss as well; a commit waits for the disk, one wait for all that came meanwhile.
   * @default 'process'
   */
  readonly durability?: 'process' | 'disk' | undefined;
  /** Told when a power loss was found and the state was removed. @default nobody */
  readonly onDiscarded?: ((directory: string) => void) | undefined;
  /**
   * True when another thread of this process opened the directory before, with the same durability, and closes it after this one. Each
   * task is opened by one of them at a time, as ever. @default false
   */
  readonly shared?: boolean | undefined;
}

/**
 * StateStore on LMDB: one environment for all tasks.
 *
 * A table maps a task's name to its mark (epoch, nonce, position, prefix); another prefix + key to bytes. The mark carries a
 * version that no two commits share, and a commit is one conditional batch on it: it is checked and written by LMDB's own thread,
 * so the caller's thread only hands the bytes over. A version stands for epoch, nonce, position and the whole history.
 * `reset` and `restore` give the task a new prefix in one step, and clear the old one afterwards.
 */
export async function openLmdbStateStore(options: LmdbStateStoreOptions): Promise<StateStore> {
  const { directory, durability = 'process', onDiscarded = () => {}, shared = false } = options;
  mkdirSync(directory, { recursive: true });
  const environment = new LmdbEnvironment(directory, durability, shared, onDiscarded);
  const live = environment.findPrefixes();
  if (!shared) await environment.sweep(live);
  return new LmdbStateStore(environment);
}

class LmdbStateStore implements StateStore {
  readonly #environment: LmdbEnvironment;

  constructor(environment: LmdbEnvironment) {
    this.#environment = environment;
  }

  async open(task: string): Promise<TaskState> {
    this.#environment.checkOpen();
    checkTask(task);
    const { after, version } = this.#environment.changeMark(task, (before) => ({
      epoch: (before?.epoch ?? 0) + 1,
      nonce: randomBytes(12).toString('hex'),
      position: before?.position,
      prefix: before?.prefix ?? this.#environment.newPrefix(),
    }));
    return new LmdbTaskState(this.#environment, task, after, version);
  }

  async reset(task: string): Promise<void> {
    this.#environment.checkOpen();
    checkTask(task);
    const { before } = this.#environment.changeMark(task, (found) =>
      found === undefined
        ? undefined
        : { epoch: found.epoch + 1, nonce: '', position: undefined, prefix: this.#environment.newPrefix() },
    );
    if (before !== undefined) await this.#environment.clear(task, before.prefix);
  }

  async tasks(): Promise<readonly string[]> {
    this.#environment.checkOpen();
    return [...this.#environment.allMarks()].filter(([, { position }]) => position !== undefined).map(([task]) => task);
  }

  close(): Promise<void> {
    return this.#environment.close();
  }
}
