import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLmdbStateStore } from '../../../runtime/adapters/state/lmdb-state-store.ts';
import type { StateStore } from '../../../runtime/ports/state-store.ts';
import { killWhileCommitting } from '../../conformance/state-store/kill-child.ts';
import type { StateStoreFeatures, StateStoreHarness } from '../../conformance/state-store/state-store-harness.ts';
import { compiledFile } from '../../compiled.ts';

export const lmdbFeatures: StateStoreFeatures = {
  killWhileCommitting: true,
  loseNextCommit: { skipped: 'a commit is a call in this process: it answers, or the process is dead' },
};

const tamper = fileURLToPath(new URL('lmdb-tamper.mjs', import.meta.url));
const adapter = compiledFile(new URL('../../../runtime/adapters/state/lmdb-state-store.ts', import.meta.url));

/** Number of keys in the file, those that no task owns included. */
export function storedKeyCount(directory: string): number {
  const dump = execFileSync(process.execPath, [tamper, directory, 'process', 'dump'], { encoding: 'utf8' });
  const [, values] = JSON.parse(dump) as readonly (readonly unknown[])[];
  return values?.length ?? 0;
}

export async function createLmdbHarness(durability: 'process' | 'disk'): Promise<StateStoreHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-lmdb-'));
  const options = { directory, durability };
  const stores: StateStore[] = [];
  const inAnotherProcess = (command: 'dump' | 'load', input = ''): string =>
    execFileSync(process.execPath, [tamper, directory, durability, command], { input, encoding: 'utf8' });
  return {
    openStore: async () => {
      const store = await openLmdbStateStore(options);
      stores.push(store);
      return store;
    },
    wipe: async () => void inAnotherProcess('load', '[[],[]]'),
    checkpoint: async () => {
      const entries = inAnotherProcess('dump');
      return async () => void inAnotherProcess('load', entries);
    },
    killWhileCommitting: (commitsMin) =>
      killWhileCommitting({ module: adapter, open: 'openLmdbStateStore', options }, commitsMin),
    loseNextCommit: () => Promise.reject(new Error('This adapter cannot lose the answer of a commit.')),
    close: async () => {
      for (const store of stores) await store.close();
      await rm(directory, { recursive: true });
    },
  };
}
