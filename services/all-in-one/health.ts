import type { Runtime } from '../../runtime/engine/runtime.ts';

/** Whether a process is of use: it has caught up with the log, nothing that it runs has stopped, and it is not on its way out. */
export class Health {
  readonly #runtime: Runtime;
  readonly #behind: () => readonly string[];
  #phase: 'starting' | 'up' | 'closing' = 'starting';

  /** `behind`: roles that have not caught up yet. */
  constructor(runtime: Runtime, behind: () => readonly string[] = () => []) {
    this.#runtime = runtime;
    this.#behind = behind;
  }

  /** Every role has caught up. */
  isUp(): void {
    if (this.#phase === 'starting') this.#phase = 'up';
  }

  isClosing(): void {
    this.#phase = 'closing';
  }

  get hasEnded(): boolean {
    return this.#phase === 'closing';
  }

  /** Why it should get no work; undefined: it should. */
  unready(): string | undefined {
    if (this.#phase === 'closing') return 'the process is closing';
    // Also of a process that is starting: what has stopped keeps it from ever being up.
    const stopped = this.#runtime.stopped();
    if (stopped.length > 0) return `stopped: ${stopped.join(', ')}`;
    if (this.#phase === 'up') return undefined;
    const behind = this.#behind();
    return `the process is starting${behind.length === 0 ? '' : `: ${behind.join(', ')} must catch up with the log`}`;
  }
}
