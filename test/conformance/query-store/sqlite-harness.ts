import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteQueryStore } from '../../../runtime/adapters/query/sqlite-query-store.ts';
import { killWhileWriting } from './kill-child.ts';
import { suiteSchema } from './query-store-builders.ts';
import type { OpenStore, QueryStoreHarness } from './query-store-harness.ts';
import { writeForever } from './write-forever.ts';
import { compiledFile } from '../../compiled.ts';

const module = compiledFile(new URL('../../../runtime/adapters/query/sqlite-query-store.ts', import.meta.url));

/** Turns the opening of stores into that of broken ones. */
export type BreakOpening = (open: OpenStore) => OpenStore;

/** With a mutant, the process to kill is played: what the broken store had acknowledged is left as it is. */
export async function createSqliteHarness(mutant?: BreakOpening): Promise<QueryStoreHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-query-'));
  const file = join(directory, 'deep', 'suite.db');
  const real: { close(): Promise<void> }[] = [];
  const open = (async (schema = suiteSchema as never) => {
    const store = await openSqliteQueryStore({ file, schema });
    real.push(store);
    return store;
  }) as OpenStore;
  const openStore = mutant?.(open) ?? open;
  return {
    openStore,
    killWhileWriting: async (writesMin) => {
      if (mutant === undefined)
        return await killWhileWriting({ module, open: 'openSqliteQueryStore', options: { file } }, writesMin);
      let told = 0;
      await writeForever(
        await openStore(),
        (position) => void (told = position),
        () => told < writesMin,
      );
      return told;
    },
    close: async () => {
      await Promise.all(real.map((store) => store.close()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
