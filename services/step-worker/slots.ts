/** As many as the executor has; whoever finds none waits in line. */
export class Slots {
  #free: number;
  readonly #waiting: ((taken: boolean) => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  /** False when the signal aborts first. */
  take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const answer = (taken: boolean): void => {
        signal.removeEventListener('abort', abandon);
        resolve(taken);
      };
      const abandon = (): void => {
        const at = this.#waiting.indexOf(answer);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve(false);
      };
      signal.addEventListener('abort', abandon, { once: true });
      this.#waiting.push(answer);
    });
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next(true);
  }
}
