/**
 * Keeps calls from a server that does not answer: after so many failures in a row calls are turned away for a while, then one is let
 * through, and its outcome decides. The while doubles as long as it goes on.
 */
import { MillraceError } from '../../ports/index.ts';

export interface CircuitBreakerOptions {
  /** For the message. */
  readonly server: string;
  /** Failures in a row. @default 5 */
  readonly failuresMax?: number | undefined;
  /** The first while. @default 1000 */
  readonly openMs?: number | undefined;
  /** @default 30000 */
  readonly openMsMax?: number | undefined;
  readonly now: () => number;
}

export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #openUntil = 0;
  #trying = false;
  #last = '';

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  /** UNAVAILABLE, without a call, while the circuit is open. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    const trial = this.#enter();
    try {
      const answer = await work();
      this.#failures = 0;
      return answer;
    } catch (error) {
      if (error instanceof MillraceError && error.retryable) this.#failed(error);
      else this.#failures = 0;
      throw error;
    } finally {
      if (trial) this.#trying = false;
    }
  }

  /** Whether this call is the one that decides. */
  #enter(): boolean {
    const { failuresMax = 5, now, server } = this.#options;
    if (this.#failures < failuresMax) return false;
    const waitMs = this.#openUntil - now();
    if (waitMs <= 0 && !this.#trying) {
      this.#trying = true;
      return true;
    }
    throw new MillraceError(
      'UNAVAILABLE',
      `${server} failed ${this.#failures} times in a row and is asked again in ${Math.max(0, waitMs)} ms; last: ${this.#last}`,
    );
  }

  #failed(error: MillraceError): void {
    const { failuresMax = 5, openMs = 1_000, openMsMax = 30_000, now } = this.#options;
    this.#failures += 1;
    this.#last = error.message.slice(0, 300);
    if (this.#failures < failuresMax) return;
    this.#openUntil = now() + Math.min(openMs * 2 ** (this.#failures - failuresMax), openMsMax);
  }
}
