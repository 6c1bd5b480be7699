/** Collection of garbage, as the API is asked for it and answers it. */

export interface CollectionOptions {
  /** Removes nothing. @default false */
  readonly dryRun?: boolean;
  /** Runs that ended before so long ago have expired, milliseconds. @default 90 days */
  readonly olderThanMs?: number;
  /** What was put since so long ago is left alone, milliseconds. @default 1 day */
  readonly graceMs?: number;
}

export interface CollectionReport extends Required<CollectionOptions> {
  readonly blobs: number;
  readonly bytes: number;
  /** In use. */
  readonly live: number;
  /** Not in use, as far as anybody can tell, but put within the grace. */
  readonly young: number;
  readonly removed: number;
  readonly removedBytes: number;
  readonly expiredRuns: number;
  /** The first of them. */
  readonly sample: readonly string[];
}
