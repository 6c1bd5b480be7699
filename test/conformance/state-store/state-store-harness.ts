import type { StateStore } from '../../../runtime/ports/state-store.ts';

/** What a case of the suite may do with one adapter. A harness is made anew for each case. */
export interface StateStoreHarness {
  /** Another store object on the same data. */
  openStore(): Promise<StateStore>;
  /** All data is lost under the stores that are open. */
  wipe(): Promise<void>;
  /** Copies the data; the answer brings the copy back under the stores that are open. */
  checkpoint(): Promise<() => Promise<void>>;
  /**
   * Starts a process that commits to `crashTask` (see `commit-forever.ts`), kills it with -9 while it works, and answers the
   * last position that it saw acknowledged, at least `commitsMin`.
   */
  killWhileCommitting(commitsMin: number): Promise<number>;
  /** The next commit's answer is lost, before or after the store wrote it. */
  loseNextCommit(when: 'before' | 'after'): Promise<void>;
  close(): Promise<void>;
}

/** What an adapter cannot do, with the reason for which its cases are skipped. */
export interface StateStoreFeatures {
  readonly killWhileCommitting: true | { readonly skipped: string };
  readonly loseNextCommit: true | { readonly skipped: string };
}

export interface StateStoreCase {
  /** A sentence after "a state store …". */
  readonly name: string;
  /** Name of the deliberately broken store that turns this case red, and no other. */
  readonly mutant: string;
  readonly needs?: keyof StateStoreFeatures;
  run(harness: StateStoreHarness): Promise<void>;
}
