import type { QuerySchema, QueryStore } from '../../../runtime/ports/query-store.ts';
import type { SuiteTables } from './query-store-builders.ts';

export type OpenStore = <Tables extends QuerySchema['tables'] = SuiteTables>(
  schema?: QuerySchema<Tables>,
) => Promise<QueryStore<Tables>>;

/** What a case of the suite may do with one adapter. A harness is made anew, on no data, for each case. */
export interface QueryStoreHarness {
  /** Another store object on the same data. */
  readonly openStore: OpenStore;
  /**
   * Starts a process that writes as `write-forever.ts` does, kills it with -9 while it works, and answers the last position that it
   * saw acknowledged, at least `writesMin`.
   */
  killWhileWriting(writesMin: number): Promise<number>;
  close(): Promise<void>;
}

export interface QueryStoreCase {
  /** A sentence after "a query store …". */
  readonly name: string;
  /** Name of the deliberately broken store that turns this case red, and no other. */
  readonly mutant: string;
  run(harness: QueryStoreHarness): Promise<void>;
}
