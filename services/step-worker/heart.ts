import { idOf } from '../../schemas/derived-ids.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { TaskRef } from '../../schemas/events.ts';
import { tokenOf } from './claim.ts';
import type { Attempt } from './attempt.ts';
import type { WorkerName } from './facts.ts';

/**
 * Says for all running tasks that they are alive, one record a run, three times in the shortest lease. Each run is said by itself: what
 * cannot be said for one of them, since its partition stands still, holds up no other one, nor the next beat.
 */
export class Heart {
  readonly #runtime: Runtime;
  readonly #name: WorkerName;
  readonly #alive: () => readonly Attempt[];
  /** Runs whose last beat is not acknowledged yet: another one would only wait behind it. */
  readonly #saying = new Set<string>();
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
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  /** One timer at a time. */
  #schedule(): void {
    this.#cancel?.();
    this.#cancel = this.#runtime.parts.clock.after(this.#beatMs, () => this.#beat());
  }

  #beat(): void {
    if (this.#closed) return;
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
    this.#schedule();
    this.#beats += 1;
    for (const [runId, tasks] of runs) void this.#say(runId, tasks);
  }

  async #say(runId: string, tasks: TaskRef[]): Promise<void> {
    if (this.#saying.has(runId)) return;
    this.#saying.add(runId);
    const { worker, incarnation } = this.#name;
    try {
      await this.#runtime.publish([
        {
          topic: 'runs',
          type: 'task-heartbeat',
          key: runId,
          id: idOf('heartbeat', incarnation, runId, this.#beats),
          data: { runId, tasks, worker },
        },
      ]);
    } catch (error) {
      this.#runtime.parts.logger.warn({ worker, runId, error: messageOf(error) }, 'a heartbeat could not be said');
    } finally {
      this.#saying.delete(runId);
    }
  }
}
