import type { Log } from '../../../runtime/ports/log.ts';

/** What a case of the suite may do with one adapter. A harness is made anew for each case. */
export interface LogHarness {
  /** The log that is open now. */
  readonly log: Log;
  /** Longest wait for a thing that must happen. */
  readonly deadlineMs: number;
  /** Closes the log and opens another on the same data, as a restarted process does. */
  reopen(): Promise<Log>;
  /**
   * Closes the log, runs `append-child.ts` on the same data, kills it with -9 once it told `callsMin` acknowledged calls, opens
   * the log again, and answers what was told.
   */
  killWhileAppending(topic: string, callsMin: number): Promise<readonly AcknowledgedAppend[]>;
  /**
   * Time goes on by `laterMs`, and what is due of retention and compaction is done, at once or in the background. Records under
   * {@link fillerKey} may be appended where a log cleans only behind new ones.
   */
  clean(topic: string, laterMs: number): Promise<void>;
  /** Every connection to the log's servers breaks; new ones are accepted. */
  dropConnections(): Promise<void>;
  /** Closes whatever is open and removes the data. */
  close(): Promise<void>;
}

export const fillerKey = 'filler';

/** One acknowledged call of `append-child.ts`: consecutive records from number `first`, and the offsets that were answered. */
export interface AcknowledgedAppend {
  readonly first: number;
  readonly offsets: readonly number[];
}

/** What an adapter, or the way in which it is run here, cannot do. */
export type LogFeature = 'killWhileAppending' | 'compaction' | 'retention' | 'dropConnections';
export type LogFeatures = Readonly<Record<LogFeature, true | { readonly skipped: string }>>;

export interface LogCase {
  /** A sentence after "a log …". */
  readonly name: string;
  /** Name of the deliberately broken log (`mutants.ts`) that turns this case red, and no other. */
  readonly mutant: string;
  readonly needs?: LogFeature;
  run(harness: LogHarness): Promise<void>;
}
