import { MillraceError } from '../../ports/index.ts';

/** Counts runs, so that `close` can wait for those under way; the last one out calls `release`. */
export class RunsUnderWay {
  readonly #release: () => Promise<void>;
  #running = 0;
  #closed: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(release: () => Promise<void>) {
    this.#release = release;
  }

  /** Throws CLOSED after `close`. */
  enter(): void {
    if (this.#closed !== undefined)
      throw new MillraceError('CLOSED', 'the model was closed before this run; load it again');
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#idle?.();
  }

  close(): Promise<void> {
    this.#closed ??= this.#wait().then(this.#release);
    return this.#closed;
  }

  #wait(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
