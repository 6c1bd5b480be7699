import { setTimeout as sleep } from 'node:timers/promises';
import { asMillraceError, isLasting } from './kafka-errors.ts';

/** Repeats what may heal (a broker that restarts, a leader that moves) until the time is up, then rejects with UNAVAILABLE. */
export async function retrying<T>(doing: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const pauseMs = backoffMs(attempt);
      if (isLasting(error) || performance.now() + pauseMs > deadline) throw asMillraceError(error, doing);
      await sleep(pauseMs);
    }
  }
}

/** 20 ms, doubled up to 500 ms. */
export const backoffMs = (attempt: number): number => Math.min(500, 20 * 2 ** Math.min(attempt, 10));

/** A wait that something else can end: `wake` before or during `wait` ends it. */
export class Signal {
  #woken = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  async wait(timeoutMs?: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = false;
    this.#resolve = undefined;
  }
}
