import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { CollectionOptions, CollectionReport } from '../../schemas/api/collection.ts';
import { LiveBlobs } from './live-blobs.ts';

/** What the query store knows of runs; it answers for all that was acknowledged before it is asked. */
export interface RunRetention {
  /**
   * Runs that ended so long ago that nothing of them is kept for their own sake: `olderThanMs`, or as a tag of theirs says (`keep`,
   * `retain:<duration>`), and that cannot be resumed any more.
   */
  expiredRuns(nowMs: number, olderThanMs: number): Promise<ReadonlySet<string>>;
  /** Blobs that runs name which are not among these. */
  blobsOfRuns(expired: ReadonlySet<string>): AsyncIterable<readonly string[]>;
  /** Why its rows cannot be all that was ever written; undefined: they are. */
  incomplete(): Promise<string | undefined>;
}

/** What legal holds keep though its records may have left the log. */
export interface HeldBlobs {
  /** Those that are held, without those that it answered before. */
  next(): Promise<readonly string[]>;
}

const sampleMax = 20;

/**
 * Removes blobs that nothing names. What is in use is marked first; before each page is removed, what was said meanwhile is marked too. A
 * crash in between has removed garbage, and nothing else; the next collection goes on.
 */
export async function collect(
  runtime: Runtime,
  runs: RunRetention,
  held: HeldBlobs,
  wanted: Required<CollectionOptions>,
): Promise<CollectionReport> {
  const { clock, blobs } = runtime.parts;
  const { olderThanMs, graceMs, dryRun } = wanted;
  const problem = await runs.incomplete();
  if (problem !== undefined) throw new MillraceError('CONFLICT', `nothing is removed: ${problem}`);
  const nowMs = clock.now();
  const putBeforeMs = nowMs - graceMs;
  const expired = await runs.expiredRuns(nowMs, olderThanMs);
  const live = new LiveBlobs(runtime, expired);
  // the log first: what is written to it meanwhile is in the rows, or is looked at again below
  const readOn = async (): Promise<void> => {
    await live.readLog();
    live.add(await held.next());
  };
  await readOn();
  for await (const page of runs.blobsOfRuns(expired)) live.add(page);
  const counts = { blobs: 0, bytes: 0, live: 0, young: 0, removed: 0, removedBytes: 0 };
  const sample: string[] = [];
  for await (const page of blobs.list()) {
    const old = page.filter(({ hash, sizeBytes, putAtMs }) => {
      counts.blobs += 1;
      counts.bytes += sizeBytes;
      if (live.has(hash)) counts.live += 1;
      else if (putAtMs >= putBeforeMs) counts.young += 1;
      else return true;
      return false;
    });
    if (old.length > 0 && !dryRun) await readOn();
    for (const { hash, sizeBytes } of old) {
      if (live.has(hash)) counts.live += 1;
      else if (!dryRun && !(await blobs.deleteOld(hash, putBeforeMs))) counts.young += 1;
      else {
        counts.removed += 1;
        counts.removedBytes += sizeBytes;
        if (sample.length < sampleMax) sample.push(hash);
      }
    }
  }
  return { ...wanted, ...counts, expiredRuns: expired.size, sample };
}
