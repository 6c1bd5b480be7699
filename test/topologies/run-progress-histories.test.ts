import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Token } from '../../schemas/events.ts';
import { artifact, forked, RunDriver, runId } from './run-progress-fixture.ts';

const steps = ['load', 'train.left', 'train.right.grow', 'train.right.prune', 'choose', 'register'] as const;
const incarnations = ['i2', 'i3'] as const;

type Action =
  | {
      readonly type: 'start' | 'beat' | 'complete' | 'fail';
      readonly step: (typeof steps)[number];
      readonly incarnation: string;
      readonly stale: boolean;
    }
  | { readonly type: 'pass'; readonly ms: number; readonly times: number }
  | { readonly type: 'cancel' };

const fact = (type: 'start' | 'beat' | 'complete' | 'fail'): fc.Arbitrary<Action> =>
  fc.record({
    type: fc.constant(type),
    step: fc.constantFrom('load', ...steps),
    incarnation: fc.constantFrom('i1', 'i1', 'i1', ...incarnations),
    stale: fc.nat(5).map((n) => n === 0),
  });

/** A while, a standstill of the log, or a long silence with ticks. */
const passing: fc.Arbitrary<Action> = fc.constantFrom(
  { type: 'pass', ms: 4_000, times: 1 },
  { type: 'pass', ms: 40_000, times: 1 },
  { type: 'pass', ms: 5_000, times: 14 },
  { type: 'pass', ms: 5_000, times: 14 },
);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fact('start') },
  { weight: 2, arbitrary: fact('beat') },
  { weight: 6, arbitrary: fact('complete') },
  { weight: 1, arbitrary: fact('fail') },
  {
    weight: 3,
    arbitrary: passing,
  },
  { weight: 1, arbitrary: fc.constant<Action>({ type: 'cancel' }) },
);

describe('any history of worker facts', () => {
  it('gives each task at most one accepted completion, and books that balance', async () => {
    const seed = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    const seen = { completed: 0, refused: 0, redispatched: 0, retried: 0, cancelled: 0, lost: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 2 }),
        async (actions, retries) => {
          const graph = structuredClone((forked() as { graph: { steps: { retry?: object }[] } }).graph);
          for (const step of graph.steps) step.retry = { times: retries, backoffMs: 0 };
          const run = await RunDriver.open({ graph });
          for (const next of actions) apply(run, next);
          check(run, seen);
        },
      ),
      { seed, numRuns: 500 },
    );
    for (const [what, count] of Object.entries(seen)) expect(count, `histories with ${what}`).toBeGreaterThan(0);
  });

  it('runs to its end under one honest worker, whatever noise others make before', async () => {
    const seed = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          action.filter(({ type }) => type === 'complete' || type === 'beat'),
          { maxLength: 30 },
        ),
        async (noise) => {
          const run = await RunDriver.open(forked());
          for (const step of steps) {
            for (const next of noise) apply(run, { ...next, incarnation: 'i3' } as Action);
            run.start(step);
            for (const next of noise) apply(run, { ...next, incarnation: 'i3' } as Action);
            run.complete(step, { artifacts: [artifact(step.replaceAll('.', '_'))] });
          }
          expect(run.outputs.filter(({ type }) => type === 'run-completed')).toHaveLength(1);
          expect(run.outputs.filter(({ type }) => type === 'artifact-written')).toHaveLength(steps.length);
        },
      ),
      { seed, numRuns: 50 },
    );
  });
});

function apply(run: RunDriver, next: Action): void {
  if (next.type === 'pass') {
    for (let time = 0; time < next.times; time++) run.advance(next.ms);
    return;
  }
  if (next.type === 'cancel') {
    // one in three, or few histories would get far
    if (run.driver.position % 3 === 0)
      run.pipe('run-cancel-requested', { runId, requestId: 'c', actor: 'bob', reason: '' });
    return;
  }
  if (
    !run.outputs.some(
      ({ type, data }) => type === 'task-dispatched' && (data as { taskId: string }).taskId === next.step,
    )
  )
    return;
  const fresh = run.token(next.step, next.incarnation);
  const token: Token = next.stale ? { ...fresh, dispatch: Math.max(1, fresh.dispatch - 1) } : fresh;
  switch (next.type) {
    case 'start':
      run.start(next.step, next.incarnation, token);
      return;
    case 'beat':
      run.beat(next.step, next.incarnation, token);
      return;
    case 'complete':
      run.complete(next.step, { token, artifacts: [artifact(next.step.replaceAll('.', '_'))] });
      return;
    case 'fail':
      run.fail(next.step, { token });
      return;
  }
}

function check(run: RunDriver, seen: Record<string, number>): void {
  const accepted = run.outputs
    .filter(({ type }) => type === 'artifact-written')
    .map(({ data }) => (data as { taskId: string }).taskId);
  expect(new Set(accepted).size).toBe(accepted.length);
  const ends = run.types().filter((type) => ['run-completed', 'run-failed', 'run-cancelled'].includes(type));
  expect(ends.length).toBeLessThanOrEqual(1);
  const dispatches = run.outputs
    .filter(({ type }) => type === 'task-dispatched')
    .map(({ data }) => data as { taskId: string; dispatch: number; attempt: number });
  expect(new Set(dispatches.map(({ taskId, dispatch }) => `${taskId}/${dispatch}`)).size).toBe(dispatches.length);
  const counters = run.driver.counters();
  const of = (name: string): number => counters[name] ?? 0;
  const open = run.driver.stateKeys('task/').length;
  expect(of('dead')).toBe(0);
  expect(of('tasksOpened')).toBe(
    of('tasksCompleted') + of('tasksFailed') + of('tasksLost') + of('tasksCancelled') + open,
  );
  expect(of('tasksCompleted')).toBe(accepted.length);
  const closed = run.closed();
  expect(new Set(closed.map((said) => said.split(' ')[0])).size).toBe(closed.length);
  expect(closed.length).toBe(of('tasksOpened') - open);
  expect(closed.filter((said) => said.endsWith(' completed'))).toEqual(accepted.map((taskId) => `${taskId} completed`));
  if (ends.length > 0) expect(open).toBe(0);
  expect(run.driver.state<{ openLeases: number }>('clock')?.openLeases).toBe(open);
  seen['completed'] = (seen['completed'] ?? 0) + of('tasksCompleted');
  seen['refused'] = (seen['refused'] ?? 0) + of('completionsRefused');
  seen['redispatched'] = (seen['redispatched'] ?? 0) + of('redispatched');
  seen['retried'] = (seen['retried'] ?? 0) + of('attemptsRetried');
  seen['cancelled'] = (seen['cancelled'] ?? 0) + of('tasksCancelled');
  seen['lost'] = (seen['lost'] ?? 0) + of('tasksLost');
}
