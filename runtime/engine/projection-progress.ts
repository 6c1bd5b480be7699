import type { Clock } from '../ports/clock.ts';
import { MillraceError } from '../ports/errors.ts';
import type { QueryStore } from '../ports/query-store.ts';

export interface ProgressView {
  /** Of a partition that is filled here. */
  positionOf(source: string): number | undefined;
  /** Throws when nothing will move any more. */
  check(): void;
}

/** Waits until tables have passed places on the log, whoever fills them: this instance, or another one on the same store. */
export class ProjectionProgress {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #store: QueryStore;
  readonly #view: ProgressView;

  constructor(clock: Clock, name: string, store: QueryStore, view: ProgressView) {
    this.#clock = clock;
    this.#name = name;
    this.#store = store;
    this.#view = view;
  }

  /** `ends`: by source, the offset that must be passed. */
  async reach(ends: ReadonlyMap<string, number>, timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    const deadline = this.#clock.now() + timeoutMs;
    let elsewhere: ReadonlyMap<string, number> = new Map();
    for (let waitMs = 1; ; waitMs = Math.min(waitMs + 1, 20)) {
      const at = (name: string): number => Math.max(this.#view.positionOf(name) ?? 0, elsewhere.get(name) ?? 0);
      const behind = [...ends].filter(([name, end]) => at(name) < end);
      if (behind.length === 0) return;
      this.#view.check();
      if (this.#clock.now() > deadline) {
        const records = behind.reduce((sum, [name, end]) => sum + end - at(name), 0);
        throw new MillraceError(
          'TIMEOUT',
          `the tables of ${this.#name} are ${records} record(s) behind the log after ${timeoutMs} ms, among others in ${behind[0]?.[0]}: ask again later`,
        );
      }
      await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
      if (this.#store.shared && behind.some(([name]) => this.#view.positionOf(name) === undefined))
        elsewhere = new Map((await this.#store.positions()).map(({ source, position }) => [source, position]));
    }
  }
}
