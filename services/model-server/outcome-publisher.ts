/** Publishes outcomes of HTTP requests: what comes while one publication is under way goes out together with the next. */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';

interface Waiting {
  readonly output: IdentifiedOutput;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class OutcomePublisher {
  readonly #runtime: Runtime;
  #waiting: Waiting[] = [];
  #busy = false;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Resolves when the outcome is acknowledged. */
  publish(output: IdentifiedOutput): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ output, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      // The answers of one model run arrive in the same turn.
      process.nextTick(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax);
      try {
        await this.#runtime.publish(batch.map(({ output }) => output));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else await this.#publishApart(batch);
      }
    }
    this.#busy = false;
  }

  /** So that an outcome that cannot be written spoils only itself; ids make repeats harmless. */
  async #publishApart(batch: readonly Waiting[]): Promise<void> {
    for (const { output, resolve, reject } of batch) {
      await this.#runtime.publish([output]).then(resolve, reject);
    }
  }
}

const batchMax = 500;
