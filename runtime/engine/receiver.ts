import { parseStamp } from './stamp.ts';

/** What to do with a record, judged by its id alone. */
export type Verdict =
  | { readonly type: 'taken' }
  | { readonly type: 'repeat' }
  /** The record counts, but its origin said something in between that never came. */
  | { readonly type: 'gap'; readonly origin: string; readonly fromOrdinal: number; readonly toOrdinal: number }
  /** Said by a branch of its origin that was since replaced. */
  | { readonly type: 'stale-branch' };

/** Last ordinal seen of an origin: [branch, ordinal]. */
export type Watermarks = Readonly<Record<string, readonly [branch: number, ordinal: number]>>;

const taken: Verdict = { type: 'taken' };
const repeat: Verdict = { type: 'repeat' };

/**
 * The stamp check of one input partition. Stamped records are judged by their origin's dense ordinals; records of services by the ids
 * seen within the last `idWindow` records. What an origin says first is its baseline.
 */
export class Receiver {
  readonly #watermarks: Map<string, [number, number]>;
  /** Last offset of each id of the window. */
  readonly #ids = new Map<string, number>();
  /** The sights themselves, oldest first, as ids and their offsets; those before `#oldest` have left the window. */
  #sightIds: string[] = [];
  #sightOffsets: number[] = [];
  #oldest = 0;
  readonly #idWindow: number;

  constructor(watermarks: Watermarks, idWindow: number) {
    this.#watermarks = new Map(
      Object.entries(watermarks).map(([origin, [branch, ordinal]]) => [origin, [branch, ordinal]]),
    );
    this.#idWindow = idWindow;
  }

  judge(id: string, offset: number): Verdict {
    const stamp = parseStamp(id);
    if (stamp === undefined) return this.#judgeId(id, offset);
    const seen = this.#watermarks.get(stamp.origin);
    if (seen === undefined) {
      this.#watermarks.set(stamp.origin, [stamp.branch, stamp.ordinal]);
      return taken;
    }
    const [branch, ordinal] = seen;
    if (stamp.branch < branch) return { type: 'stale-branch' };
    if (stamp.branch === branch && stamp.ordinal <= ordinal) return repeat;
    seen[0] = stamp.branch;
    seen[1] = stamp.ordinal;
    // A new branch counts on from where it forked, which is not after what was seen: a jump is a gap there, too.
    if (stamp.ordinal > ordinal + 1) {
      return { type: 'gap', origin: stamp.origin, fromOrdinal: ordinal + 1, toOrdinal: stamp.ordinal - 1 };
    }
    return taken;
  }

  /** Notes the id of a record that was judged before this process began. */
  remember(id: string, offset: number): void {
    if (parseStamp(id) === undefined) this.#note(id, offset);
  }

  watermarks(): Watermarks {
    return Object.fromEntries(
      [...this.#watermarks].map(([origin, [branch, ordinal]]) => [origin, [branch, ordinal] as const]),
    );
  }

  #judgeId(id: string, offset: number): Verdict {
    const known = this.#ids.get(id);
    // A repeat counts as a sight of the id, too: the verdict follows from the last `idWindow` records alone, also after a restart.
    this.#note(id, offset);
    return known !== undefined && known > offset - this.#idWindow ? repeat : taken;
  }

  #note(id: string, offset: number): void {
    this.#ids.set(id, offset);
    this.#sightIds.push(id);
    this.#sightOffsets.push(offset);
    for (; this.#oldest < this.#sightIds.length; this.#oldest++) {
      const seenAt = this.#sightOffsets[this.#oldest] ?? 0;
      if (seenAt > offset - this.#idWindow) break;
      const seenId = this.#sightIds[this.#oldest] ?? '';
      // An id that was seen again since stays, under its later sight.
      if (this.#ids.get(seenId) === seenAt) this.#ids.delete(seenId);
    }
    if (this.#oldest <= this.#idWindow) return;
    this.#sightIds = this.#sightIds.slice(this.#oldest);
    this.#sightOffsets = this.#sightOffsets.slice(this.#oldest);
    this.#oldest = 0;
  }
}
