import type { Runtime } from '../../runtime/engine/runtime.ts';

/** Whether a process is of use: it has caught up with the log, nothing that it runs has stopped, and it is not on its way out. */
export class Health {
  readonly #runtime: Runtime;
  #phase: 'starting' | 'up' | 'closing' = 'starting';

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Every role has caught up. */
  isUp(): void {
    if (this.#phase === 'starting') this.#phase = 'up';
  }

  isClosing(): void {
    this.#phase = 'closing';
  }

  /** Why it should get no work; undefined: it should. */
  unready(): string | undefined {
    if (this.#phase !== 'up') return `the process is ${this.#phase}`;
    const stopped = this.#runtime.stopped();
    return stopped.length === 0 ? undefined : `stopped: ${stopped.join(', ')}`;
  }
}
