import { compareStamps, parseStamp, type Stamp } from './stamp.ts';

/**
 * Which row of a key counts on a compacted topic. A zombie may append an old row behind newer ones, and compaction may then keep it:
 * so rows are judged key by key, by their ordinals, and not by where they lie. There is no gap check: compaction makes gaps.
 */
export class NewestRows {
  readonly #newest = new Map<string, Stamp>();

  /** True when a newer row of the key was seen before. Rows of services carry no ordinals: the last one counts. */
  isOld(keyBytes: Buffer | null, id: string): boolean {
    const stamp = parseStamp(id);
    if (stamp === undefined) return false;
    const key = keyBytes?.toString('utf8') ?? '';
    const newest = this.#newest.get(key);
    if (newest !== undefined && newest.origin === stamp.origin && compareStamps(stamp, newest) <= 0) return true;
    this.#newest.set(key, stamp);
    return false;
  }
}
