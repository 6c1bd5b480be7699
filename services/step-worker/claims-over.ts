import type { ServiceTask } from '../../runtime/engine/service.ts';
import type { Clock } from '../../runtime/ports/clock.ts';

/** A busy worker deletes with the commit of its next claim; an idle one after this. */
const restMs = 250;

/** Claims whose end is said, or that nothing can come of: deleted with the next commit of their task, so that no restart takes them for lost. */
export class ClaimsOver {
  readonly #clock: Clock;
  /** By task of the engine. */
  readonly #keys = new Map<string, Set<string>>();
  /** Tasks that will be told, once for all that is over by then. */
  readonly #told = new Set<ServiceTask>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(task: ServiceTask, key: string): void {
    const keys = this.#keys.get(task.name) ?? new Set();
    this.#keys.set(task.name, keys.add(key));
    this.opened(task);
  }

  /** What an earlier owner of the partition, in this process, has left over is deleted by this one. */
  opened(task: ServiceTask): void {
    if (!this.#keys.has(task.name) || this.#told.has(task)) return;
    this.#told.add(task);
    this.#clock.after(restMs, () => {
      this.#told.delete(task);
      task.changed();
    });
  }

  of({ name }: ServiceTask): readonly string[] {
    return [...(this.#keys.get(name) ?? [])];
  }

  /** They were deleted. */
  forget({ name }: ServiceTask, keys: readonly string[]): void {
    const known = this.#keys.get(name);
    for (const key of keys) known?.delete(key);
    if (known?.size === 0) this.#keys.delete(name);
  }
}
