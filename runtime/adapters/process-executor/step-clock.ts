const timerMsMax = 2 ** 31 - 1;

/** The time that a step may take. It can stand still while the platform prepares something for it. */
export class StepClock {
  readonly #onEnd: () => void;
  #leftMs: number;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, onEnd: () => void) {
    this.#leftMs = timeoutMs;
    this.#onEnd = onEnd;
    this.resume();
  }

  pause(): void {
    if (this.#timer === undefined) return;
    this.stop();
    this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - this.#since));
  }

  resume(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(this.#onEnd, Math.min(this.#leftMs, timerMsMax));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
