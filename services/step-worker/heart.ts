import type { Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { TaskRef } from '../../schemas/events.ts';
import { tokenOf } from './claim.ts';
import type { Attempt } from './attempt.ts';
import { idOf, type WorkerName } from './facts.ts';

/** Says for all running tasks that they are alive, one record a run, three times in the shortest lease. */
export class Heart {
  readonly #runtime: Runtime;
  readonly #name: WorkerName;
  readonly #alive: () => readonly Attempt[];
  #beatMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;
  #beats = 0;
  #closed = false;

  constructor(runtime: Runtime, name: WorkerName, alive: () => readonly Attempt[]) {
    this.#runtime = runtime;
    this.#name = name;
    this.#alive = alive;
  }

  /** A task with this lease has started. */
  note(leaseMs: number): void {
    const beatMs = Math.max(20, Math.floor(leaseMs / 3));
    if (this.#closed || beatMs >= this.#beatMs) return;
    this.#beatMs = beatMs;
    this.#cancel?.();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #schedule(): void {
    if (this.#closed || this.#beatMs === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#runtime.parts.clock.after(this.#beatMs, () => {
      void this.#beat().finally(() => this.#schedule());
    });
  }

  async #beat(): Promise<void> {
    const runs = new Map<string, TaskRef[]>();
    for (const { dispatched, identity } of this.#alive()) {
      const { runId, taskId } = dispatched;
      const tasks = runs.get(runId) ?? [];
      runs.set(runId, tasks);
      tasks.push({ taskId, token: tokenOf(dispatched, identity.incarnation) });
    }
    if (runs.size === 0) {
      // the next start sets the pace anew
      this.#beatMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      return;
    }
    this.#beats += 1;
    const { worker, incarnation } = this.#name;
    try {
      await this.#runtime.publish(
        [...runs].map(([runId, tasks]) => ({
          topic: 'runs' as const,
          type: 'task-heartbeat' as const,
          key: runId,
          id: idOf('heartbeat', incarnation, runId, this.#beats),
          data: { runId, tasks, worker },
        })),
      );
    } catch (error) {
      this.#runtime.parts.logger.warn({ worker, error: messageOf(error) }, 'a heartbeat could not be said');
    }
  }
}
