import type { Running } from '../../runtime/engine/runtime.ts';

/** Who catches up with the log. A part is asked once, and again only when it said that it cannot: what it waits for goes on meanwhile. */
export class CatchingUp {
  readonly #asked = new Map<Pick<Running, 'ready'>, Promise<void>>();
  readonly #behind = new Set<Pick<Running, 'ready'>>();

  /** Resolves when all of them have; rejects as soon as one cannot. */
  async all(parts: readonly Pick<Running, 'ready'>[]): Promise<void> {
    await Promise.all(parts.map((part) => this.#ready(part)));
  }

  /** Whether the part was asked and has not caught up yet. */
  isBehind(part: Pick<Running, 'ready'>): boolean {
    return this.#behind.has(part);
  }

  #ready(part: Pick<Running, 'ready'>): Promise<void> {
    const before = this.#asked.get(part);
    if (before !== undefined) return before;
    const ready = part.ready();
    this.#asked.set(part, ready);
    this.#behind.add(part);
    ready.then(
      () => this.#behind.delete(part),
      () => this.#asked.delete(part),
    );
    return ready;
  }
}
