import type { StateEntry } from '../../ports/state-store.ts';

/** One page of a snapshot as the script answers it: what is there now, and how keys were that have been written since. */
export interface SnapshotPage {
  readonly entries: readonly StateEntry[];
  /** Where the next page begins (exclusive); undefined after the last. */
  readonly cursor: string | undefined;
}

/** Puts the state of the snapshot's position together: an image replaces, or takes away, what is there now. */
export function mergeSnapshotPage(
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

export function entriesOf(turns: readonly Buffer[]): (readonly [string, Buffer])[] {
  const entries: (readonly [string, Buffer])[] = [];
  for (let at = 0; at + 1 < turns.length; at += 2) {
    const key = turns[at];
    const value = turns[at + 1];
    if (key !== undefined && value !== undefined) entries.push([key.toString('latin1'), value]);
  }
  return entries;
}
