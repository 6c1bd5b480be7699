import type { TaskExecutor, TaskOutcome, TaskWork } from '../../../runtime/ports/index.ts';

export interface FakeStep {
  readonly work: TaskWork;
  cancelled: string | undefined;
  end(outcome?: Partial<Extract<TaskOutcome, { type: 'completed' }>>): void;
  fail(message: string): void;
}

/** Steps that the test ends by hand. */
export class FakeExecutor implements TaskExecutor {
  readonly slots: number;
  readonly steps: FakeStep[] = [];

  /** Work that an earlier process left running. */
  readonly adopted: FakeStep[] = [];
  adopt?: (work: TaskWork) => ReturnType<FakeExecutor['start']>;

  /** `surviving`: its work outlives the worker. */
  constructor(slots = 2, surviving = false) {
    this.slots = slots;
    if (surviving) this.adopt = (work) => this.#begin(work, this.adopted);
  }

  get running(): readonly FakeStep[] {
    return this.steps;
  }

  start(work: TaskWork): { readonly outcome: Promise<TaskOutcome>; cancel(reason: string): void } {
    return this.#begin(work, this.steps);
  }

  #begin(work: TaskWork, steps: FakeStep[]): ReturnType<FakeExecutor['start']> {
    let resolve: (outcome: TaskOutcome) => void = () => undefined;
    const outcome = new Promise<TaskOutcome>((done) => {
      resolve = done;
    });
    const failed = (kind: 'user' | 'cancelled', message: string): TaskOutcome => ({
      type: 'failed',
      kind,
      message,
      stack: '',
      logs: undefined,
    });
    const step: FakeStep = {
      work,
      cancelled: undefined,
      end: (more = {}) =>
        resolve({ type: 'completed', artifacts: [], requests: [], userMs: 1, logs: undefined, ...more }),
      fail: (message) => resolve(failed('user', message)),
    };
    steps.push(step);
    return {
      outcome,
      cancel: (reason) => {
        step.cancelled = reason;
        resolve(failed('cancelled', reason));
      },
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
