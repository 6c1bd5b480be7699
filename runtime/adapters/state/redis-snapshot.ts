import { MillraceError } from '../../ports/errors.ts';
import type { StateEntry } from '../../ports/state-store.ts';
import { buffersOf, entriesOf } from './redis-answers.ts';
import { fenced } from './state-checks.ts';

/** One page of a snapshot. */
export interface SnapshotPage {
  readonly entries: readonly StateEntry[];
  /** Where the next page begins (exclusive); undefined after the last. */
  readonly cursor: string | undefined;
}

/** What a snapshot or a restore leaves behind when its process dies goes after this long. */
export const leftoverTtlMs = 10 * 60 * 1000;

/** From the answer of the script: what is there now, and how keys were that have been written since. */
export function snapshotPage(task: string, answer: readonly unknown[]): SnapshotPage {
  const [outcome, liveAtEnd, live, imagesAtEnd, images] = answer;
  const word = String(outcome);
  if (word === 'EXPIRED') throw stoodStill(`The snapshot of task ${task}`);
  if (word !== 'OK') throw fenced(task, 'a snapshot needs the present owner');
  return mergeSnapshotPage(liveAtEnd === 1, buffersOf(live), imagesAtEnd === 1, buffersOf(images));
}

export function stoodStill(what: string): MillraceError {
  return new MillraceError('TIMEOUT', `${what} stood still for ${leftoverTtlMs} ms and has expired. Begin it again.`);
}

/** Puts the state of the snapshot's position together: an image replaces, or takes away, what is there now. */
function mergeSnapshotPage(
  liveAtEnd: boolean,
  live: readonly Buffer[],
  imagesAtEnd: boolean,
  images: readonly Buffer[],
): SnapshotPage {
  const liveEntries = entriesOf(live);
  const imageEntries = entriesOf(images);
  // Both pages are known up to here only.
  const bounds = [
    ...(liveAtEnd ? [] : [liveEntries.at(-1)?.[0] ?? '']),
    ...(imagesAtEnd ? [] : [imageEntries.at(-1)?.[0] ?? '']),
  ].sort();
  const cursor = bounds[0];
  const known = (key: string): boolean => cursor === undefined || key <= cursor;

  const merged = new Map<string, Uint8Array>();
  for (const [key, value] of liveEntries) if (known(key)) merged.set(key, value);
  for (const [key, image] of imageEntries) {
    if (!known(key)) continue;
    if (image[0] === presentImage) merged.set(key, image.subarray(1));
    else merged.delete(key);
  }
  const entries = [...merged].sort(([a], [b]) => (a < b ? -1 : 1));
  return { entries, cursor };
}

/** 'v': the image of a key that was there. */
const presentImage = 0x76;
