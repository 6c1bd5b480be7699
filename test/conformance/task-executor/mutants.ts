import type { TaskExecutor, TaskListener, TaskOutcome, TaskWork } from '../../../runtime/ports/index.ts';
import type { Bench } from './suite.ts';

type Mutant = (bench: Bench) => TaskExecutor;
type Completed = Extract<TaskOutcome, { type: 'completed' }>;
type Failed = Extract<TaskOutcome, { type: 'failed' }>;

/** Broken executors: each breaks one clause, on top of the real one. */
export const mutants: Readonly<Record<string, Mutant>> = {
  'loses an artifact': completing((outcome) => ({ ...outcome, artifacts: outcome.artifacts.slice(1) })),
  'says attempt 0': giving((work) => ({ ...work, attempt: 0 })),
  'forgets the inputs': giving((work) => ({ ...work, inputs: [{ branch: '', artifacts: [] }] })),
  'says that everything was read': completing((outcome) => ({
    ...outcome,
    inputs: ['plain', 'vector'].map((name) => ({ name, hash: 'f'.repeat(64) })),
  })),
  'lets a step go on before its checkpoint is kept': hearing((listener) => ({
    ...listener,
    checkpoint: (saved) => {
      void listener.checkpoint(saved);
      return Promise.resolve();
    },
  })),
  'swallows the refusal of a checkpoint': hearing((listener) => ({
    ...listener,
    checkpoint: (saved) => listener.checkpoint(saved).catch(() => undefined),
  })),
  'begins from nothing': giving((work) => ({ ...work, checkpoints: [] })),
  'drops deferred requests': completing((outcome) => ({ ...outcome, requests: [] })),
  'swallows an exception': failing(() => nothing),
  'calls it a platform error': failing((outcome) => ({ ...outcome, kind: 'platform' })),
  'hides the message': failing((outcome) => ({ ...outcome, message: 'it failed' })),
  'hides where it happened': failing((outcome) => ({ ...outcome, stack: outcome.stack.replaceAll(/\d+/g, '?') })),
  'keeps the failure out of the log': failing((outcome) => ({ ...outcome, logs: undefined })),
  'dies with the step': dying(),
  'calls a crash a success': failing(() => nothing),
  'ignores the timeout': endless(),
  'calls it a user error': failing((outcome) => ({ ...outcome, kind: 'user' })),
  'leaves grandchildren': deaf(),
  'cancels what has ended': forgetful(),
  'sorts the log by stream': relogging((text) => text.split('\n').filter(Boolean).sort().join('\n')),
  'keeps the whole log': relogging((text) => `${text}${'x'.repeat(200_000)}`),
  'runs one at a time': serial(),
  'waits for ever for a bundle': silent(),
  'calls a broken bundle a platform error': failing((outcome) => ({ ...outcome, kind: 'platform' })),
};

const nothing: Completed = { type: 'completed', artifacts: [], requests: [], userMs: 0, logs: undefined };

function giving(change: (work: TaskWork) => TaskWork): Mutant {
  return ({ executor }) => wrapped(executor, (work, listener) => executor.start(change(work), listener));
}

function completing(change: (outcome: Completed) => TaskOutcome): Mutant {
  return changing((outcome) => (outcome.type === 'completed' ? change(outcome) : outcome));
}

function failing(change: (outcome: Failed) => TaskOutcome): Mutant {
  return changing((outcome) => (outcome.type === 'failed' ? change(outcome) : outcome));
}

function changing(change: (outcome: TaskOutcome) => TaskOutcome): Mutant {
  return ({ executor }) =>
    wrapped(executor, (work) => {
      const { outcome, cancel } = executor.start(work);
      return { outcome: outcome.then(change), cancel };
    });
}

function hearing(change: (listener: TaskListener) => TaskListener): Mutant {
  return ({ executor }) =>
    wrapped(executor, (work, listener) => executor.start(work, listener === undefined ? undefined : change(listener)));
}

/** After a step that ended badly, nothing more comes of it. */
function dying(): Mutant {
  return ({ executor }) => {
    let dead = false;
    return wrapped(executor, (work) => {
      const { outcome, cancel } = executor.start(work);
      const told = dead ? new Promise<TaskOutcome>(() => undefined) : outcome;
      void outcome.then(({ type }) => {
        dead ||= type === 'failed';
      });
      return { outcome: told, cancel };
    });
  };
}

function endless(): Mutant {
  return changing((outcome) =>
    outcome.type === 'failed' ? { ...outcome, kind: 'killed', message: 'ended at last' } : outcome,
  );
}

/** Answers a cancel without doing anything; the real work is stopped later, so that the suite leaves nothing behind. */
function deaf(): Mutant {
  return ({ executor }) =>
    wrapped(executor, (work) => {
      const real = executor.start(work);
      let answer: (outcome: TaskOutcome) => void = () => undefined;
      const outcome = new Promise<TaskOutcome>((resolve) => {
        answer = resolve;
      });
      return {
        outcome,
        cancel: (reason) => {
          answer({ type: 'failed', kind: 'cancelled', message: reason, stack: '', logs: undefined });
          setTimeout(() => real.cancel(reason), 4_000);
        },
      };
    });
}

/** `outcome` is asked again after a cancel, and says that the step was cancelled. */
function forgetful(): Mutant {
  return ({ executor }) =>
    wrapped(executor, (work) => {
      const real = executor.start(work);
      let cancelled = false;
      return {
        get outcome() {
          return cancelled
            ? Promise.resolve<TaskOutcome>({
                type: 'failed',
                kind: 'cancelled',
                message: '',
                stack: '',
                logs: undefined,
              })
            : real.outcome;
        },
        cancel: () => {
          cancelled = true;
        },
      };
    });
}

function relogging(change: (text: string) => string): Mutant {
  return ({ executor, blobs }) =>
    wrapped(executor, (work) => {
      const { outcome, cancel } = executor.start(work);
      const relogged = outcome.then(async (ended): Promise<TaskOutcome> => {
        if (ended.logs === undefined) return ended;
        const text = (await blobs.get(ended.logs.hash)).toString('utf8');
        const { hash, sizeBytes } = await blobs.put(Buffer.from(change(text)));
        return { ...ended, logs: { ...ended.logs, hash, sizeBytes } };
      });
      return { outcome: relogged, cancel };
    });
}

/** Waits for the step before, whether or not a slot is free. */
function serial(): Mutant {
  return ({ executor }) => {
    let last: Promise<unknown> = Promise.resolve();
    return wrapped(executor, (work) => {
      let started: ReturnType<TaskExecutor['start']> | undefined;
      let cancelled: string | undefined;
      const outcome = last.then(() => {
        if (cancelled !== undefined) {
          return { type: 'failed', kind: 'platform', message: 'never begun', stack: '', logs: undefined } as const;
        }
        started = executor.start(work);
        return started.outcome;
      });
      last = outcome;
      return {
        outcome,
        cancel: (reason) => {
          cancelled = reason;
          started?.cancel(reason);
        },
      };
    });
  };
}

function silent(): Mutant {
  return ({ executor }) =>
    wrapped(executor, () => ({ outcome: new Promise(() => undefined), cancel: () => undefined }));
}

function wrapped(executor: TaskExecutor, start: TaskExecutor['start']): TaskExecutor {
  return { slots: executor.slots, start, close: () => Promise.resolve() };
}
