import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import type { TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { type Provenance, startProvenance } from '../../../services/provenance/index.ts';

/** The query store of a test's runtime, in SQLite in its folder. */
export async function openProvenance({ runtime, directory }: TestRuntime): Promise<Provenance> {
  const stores = queryStores({ directory, 'query.url': '', 'kafka.prefix': '' } as never, 'query');
  return await startProvenance(runtime, stores, directory);
}
