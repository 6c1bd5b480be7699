/**
 * Walks each run along its graph. A task is held by the first worker incarnation that starts its current dispatch; the first terminal
 * fact of that holder counts, and only then artifacts and deferred requests become facts. Counters of a token (attempt, dispatch) are
 * never reset. A lease that lapses before the start is a new dispatch of the same attempt on the next partition; after it, the retry
 * policy decides, and without retries the outcome is `lost`.
 *
 * Ledger: tasksOpened = tasksCompleted + tasksFailed + tasksLost + tasksCancelled + open; the same for runs.
 */
import type { DueTimer, Effects, InputEvent, Reads, StateView, Topology } from '../runtime/engine/topology.ts';
import { nothing } from '../runtime/engine/topology.ts';
import type { RunCancelRequested, TaskCompleted, TaskFailed } from '../schemas/events.ts';
import { accept } from './run-progress/acceptance.ts';
import { dispatch } from './run-progress/dispatch.ts';
import { endRun, failAttempt, type OpenTasks, refuseCompletion, revokeOpen } from './run-progress/ending.ts';
import { holderProblem, openFor } from './run-progress/holding.ts';
import { lapse, renew, start } from './run-progress/leases.ts';
import { openRun } from './run-progress/opening.ts';
import { isPlainId, readsOfEnd, readsOfRun, readsOfTask, tasksPrefix } from './run-progress/state.ts';
import { pulseName, Work } from './run-progress/work.ts';

export const runProgress: Topology<'runs'> = {
  name: 'run-progress',
  version: 1,
  input: 'runs',
  outputs: ['tasks', 'task-control', 'artifacts', 'registry', 'runs', 'operations'],
  summary: 'walks runs along their graphs: dispatches tasks, holds leases, accepts completions',

  reads(event): Reads {
    const { runId } = event.data;
    if (!isPlainId(runId)) return {};
    switch (event.type) {
      case 'run-requested':
      case 'run-cancel-requested':
        return readsOfRun(runId);
      case 'task-started':
      case 'task-completed':
        return isPlainId(event.data.taskId) ? readsOfTask(runId, [event.data.taskId]) : {};
      case 'task-heartbeat':
        return readsOfTask(runId, event.data.tasks.map(({ taskId }) => taskId).filter(isPlainId));
      case 'task-failed':
        return isPlainId(event.data.taskId) ? readsOfEnd(runId, event.data.taskId) : {};
      default:
        return {};
    }
  },

  fold(event, state): Effects {
    const { runId } = event.data;
    if (isOwn(event)) return nothing;
    if (!isPlainId(runId) || ('taskId' in event.data && !isPlainId(event.data.taskId)))
      return { count: { malformed: 1 } };
    const work = new Work(state, runId, event.timeMs);
    take(event, work, state);
    return work.effects();
  },

  onTimer(timer, state): Effects {
    return timer.name === pulseName ? pulse(timer, state) : lapsed(timer, state);
  },
};

/** What this topology says on its own input; read by others. */
function isOwn({ type }: InputEvent<'runs'>): boolean {
  switch (type) {
    case 'task-retried':
    case 'completion-refused':
    case 'run-completed':
    case 'run-failed':
    case 'run-cancelled':
      return true;
    default:
      return false;
  }
}

function take(event: InputEvent<'runs'>, work: Work, state: StateView): void {
  switch (event.type) {
    case 'run-requested':
      openRun(work, event.data);
      return;
    case 'task-started':
      start(work, event.data);
      return;
    case 'task-heartbeat':
      for (const task of event.data.tasks) if (isPlainId(task.taskId)) renew(work, task);
      return;
    case 'task-completed':
      complete(work, event.data);
      return;
    case 'task-failed':
      fail(work, event.data, openTasks(state, work.runId));
      return;
    case 'run-cancel-requested':
      cancel(work, event.data, openTasks(state, work.runId));
      return;
    default:
      return;
  }
}

function complete(work: Work, completed: TaskCompleted): void {
  const { taskId, token, worker } = completed;
  const problem = holderProblem(work, taskId, token);
  const found = openFor(work, taskId);
  if (problem !== undefined || found === undefined) {
    refuseCompletion(work, taskId, token, worker, problem ?? 'the run is over');
    return;
  }
  accept(work, found.plan, found.step, completed);
}

function fail(work: Work, { taskId, token, worker, kind, message }: TaskFailed, open: OpenTasks): void {
  const found = openFor(work, taskId);
  const neverBegan =
    found?.task.phase === 'dispatched' &&
    found.task.attempt === token.attempt &&
    found.task.dispatch === token.dispatch;
  const problem = neverBegan ? undefined : holderProblem(work, taskId, token);
  if (problem !== undefined || found === undefined) {
    refuseCompletion(work, taskId, token, worker, problem ?? 'the run is over');
    return;
  }
  // User code begins only behind an acknowledged task-started, so without one this attempt has had no effect.
  if (neverBegan || kind === 'not-started') {
    work.count('redispatched');
    dispatch(work, found.plan, found.step, token.attempt, token.dispatch + 1);
    return;
  }
  failAttempt(work, { ...found, open }, { kind, message });
}

function cancel(work: Work, { actor, reason }: RunCancelRequested, open: OpenTasks): void {
  const { run, runId } = work;
  if (run === undefined || run.status !== 'running') {
    work.count('cancelsIgnored');
    return;
  }
  revokeOpen(work, open, `the run was cancelled by ${actor}`);
  const { flow, startedAt } = run;
  endRun(work, 'cancelled');
  work.emit({ topic: 'runs', type: 'run-cancelled', key: runId, data: { runId, flow, startedAt, actor, reason } });
}

function pulse(timer: DueTimer, state: StateView): Effects {
  const work = new Work(state, '', timer.timeMs);
  work.pulse();
  return work.effects();
}

function lapsed(timer: DueTimer, state: StateView): Effects {
  const { runId, taskId } = timer.data as { runId: string; taskId: string };
  const work = new Work(state, runId, timer.timeMs);
  lapse(work, taskId, openTasks(state, runId));
  return work.effects();
}

function openTasks(state: StateView, runId: string): OpenTasks {
  return state.range(tasksPrefix(runId));
}
