/**
 * Walks each run along its graph. A task is held by the first worker incarnation that starts its current dispatch; the first terminal
 * fact of that holder counts, and only then artifacts and deferred requests become facts. Counters of a token (attempt, dispatch) are
 * never reset. A lease that lapses before the start is a new dispatch of the same attempt on the next partition; after it, the retry
 * policy decides, and without retries the outcome is `lost`.
 *
 * Ledger: tasksOpened = tasksCompleted + tasksFailed + tasksLost + tasksCancelled + tasksCloned + tasksRecalled + open; the same for runs.
 */
import type { DueTimer, Effects, InputEvent, Reads, StateView, Topology } from '../runtime/engine/topology.ts';
import { nothing } from '../runtime/engine/topology.ts';
import type { RunCancelRequested, TaskCompleted, TaskFailed } from '../schemas/events.ts';
import { prefixesOfId } from '../schemas/graph-index.ts';
import { accept, acceptGang, completionProblem } from './run-progress/acceptance.ts';
import { saveCheckpoint } from './run-progress/checkpoints.ts';
import { dispatch } from './run-progress/dispatch.ts';
import { anotherRound, failAttempt, type OpenTasks, refuseCompletion, revokeOpen } from './run-progress/ending.ts';
import { membersOf } from './run-progress/gang.ts';
import { holderProblem, openFor } from './run-progress/holding.ts';
import { due, lapse, renew, start } from './run-progress/leases.ts';
import { begin, openRun } from './run-progress/opening.ts';
import { gangOf } from './run-progress/places.ts';
import { gangRecalled, recalled } from './run-progress/recalling.ts';
import { remembered } from './run-progress/remembering.ts';
import {
  chunkSize,
  isPlainId,
  pastMembersPrefix,
  pastPrefix,
  readsOfEnd,
  readsOfForgetting,
  readsOfRecall,
  readsOfRequest,
  readsOfLeases,
  readsOfPoint,
  readsOfRun,
  readsOfSweep,
  readsOfTags,
  readsOfTask,
  sweepMax,
  tasksPrefix,
  walksPrefix,
} from './run-progress/state.ts';
import { endRun } from './run-progress/run-end.ts';
import { changeTags } from './run-progress/tagging.ts';
import { fill, fillFrom } from './run-progress/walk.ts';
import { pulseName, Work } from './run-progress/work.ts';

export const runProgress: Topology<'runs'> = {
  name: 'run-progress',
  version: 3,
  input: 'runs',
  outputs: ['tasks', 'task-control', 'artifacts', 'registry', 'runs', 'memory', 'operations', 'tracking'],
  summary: 'walks runs along their graphs: dispatches tasks, holds leases, accepts completions',

  reads(event): Reads {
    const { runId } = event.data;
    if (!isPlainId(runId) || ('taskId' in event.data && !isPlainId(event.data.taskId))) return {};
    switch (event.type) {
      case 'run-requested':
        return readsOfRequest(runId, event.data.resume?.runId);
      case 'run-cancel-requested':
        return readsOfRun(runId);
      case 'task-started':
      case 'task-remembered':
        return readsOfTask(runId, event.data.taskId);
      case 'task-completed':
        // its answer may be one that fails the run
        return hasAnswer(event.data) ? readsOfEnd(runId, event.data.taskId) : readsOfTask(runId, event.data.taskId);
      case 'checkpoint-saved':
        return readsOfLeases(runId, [event.data.taskId]);
      case 'task-heartbeat':
        return readsOfLeases(runId, event.data.tasks.map(({ taskId }) => taskId).filter(isPlainId));
      case 'task-failed':
      case 'phase-lapsed':
        return readsOfEnd(runId, event.data.taskId);
      case 'walk-resumed':
        return readsOfPoint(runId, event.data.pointId);
      case 'run-tags-requested':
        return readsOfTags(runId);
      case 'task-recalled': {
        const { taskId, origin, gang } = event.data;
        return isPlainId(origin) ? readsOfRecall(runId, taskId, origin, gang) : {};
      }
      case 'run-swept':
        return readsOfSweep(runId);
      case 'run-forgotten':
        return readsOfForgetting(runId);
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
    if (timer.name === pulseName) return pulse(timer, state);
    return 'forget' in (timer.data as object) ? forgetting(timer, state) : dueTask(timer, state);
  },
};

/** What this topology says on its own input; read by others. */
function isOwn({ type }: InputEvent<'runs'>): boolean {
  switch (type) {
    case 'task-retried':
    case 'task-closed':
    case 'completion-refused':
    case 'run-tags-changed':
    case 'run-tags-refused':
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
      openRun(work, event.data, openTasks(state, work.runId));
      return;
    case 'task-started':
      start(work, event.data);
      return;
    case 'task-heartbeat':
      for (const task of event.data.tasks) if (isPlainId(task.taskId)) renew(work, task);
      return;
    case 'task-completed':
      complete(work, event.data, () => openTasks(state, work.runId));
      return;
    case 'task-failed':
      fail(work, event.data, openTasks(state, work.runId));
      return;
    case 'phase-lapsed':
      lapse(work, event.data, openTasks(state, work.runId));
      return;
    case 'walk-resumed':
      resume(work, event.data.pointId, state);
      return;
    case 'run-tags-requested':
      changeTags(work, event.data);
      return;
    case 'task-recalled': {
      const { taskId, origin, gang } = event.data;
      if (!isPlainId(origin)) work.count('malformed', 1);
      else if (gang)
        gangRecalled(
          work,
          event.data,
          state.range(`${tasksPrefix(work.runId)}${taskId}.`),
          state.range(pastMembersPrefix(origin, taskId)),
        );
      else recalled(work, event.data);
      return;
    }
    case 'checkpoint-saved':
      saveCheckpoint(work, event.data);
      return;
    case 'task-remembered':
      remembered(work, event.data);
      return;
    case 'run-swept':
      sweep(work, state);
      return;
    case 'run-forgotten':
      forget(work, state);
      return;
    case 'run-cancel-requested':
      cancel(work, event.data, openTasks(state, work.runId));
      return;
    default:
      return;
  }
}

/** Of a point: items or a choice. */
function hasAnswer({ split = null, choice = null }: TaskCompleted): boolean {
  return split !== null || choice !== null;
}

function complete(work: Work, completed: TaskCompleted, open: () => OpenTasks): void {
  const { taskId, token, worker } = completed;
  const problem = holderProblem(work, taskId, token);
  const found = openFor(work, taskId);
  if (problem !== undefined || found === undefined) {
    refuseCompletion(work, taskId, token, worker, problem ?? 'the run is over');
    return;
  }
  const { plan, place, task } = found;
  const message = completionProblem(plan, place, completed);
  if (message === undefined) accept(work, plan, place, task, completed);
  else if (hasAnswer(completed))
    failAttempt(work, { plan, place, task, open: open() }, { kind: 'user', message, final: true });
  else refuseCompletion(work, taskId, token, worker, message);
}

function fail(work: Work, failed: TaskFailed, open: OpenTasks): void {
  const { taskId, token, worker, kind, message } = failed;
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
  const { plan, place } = found;
  // User code begins only behind an acknowledged task-started, so without one this attempt has had no effect.
  if (neverBegan || kind === 'not-started') {
    work.count('redispatched');
    if (gangOf(plan.graph, place) !== undefined)
      anotherRound(work, { ...found, open }, { kind: 'lost', message }, token.attempt);
    else
      dispatch(work, plan, place, {
        attempt: token.attempt,
        dispatch: token.dispatch + 1,
        before: found.task.before,
        checkpoints: found.task.checkpoints,
      });
    return;
  }
  failAttempt(work, { ...found, open }, failed);
}

/** Tasks that a point held back may begin; a gang whose members have all completed is accepted. */
function resume(work: Work, pointId: string, state: StateView): void {
  const { run, plan, runId } = work;
  if (run?.status !== 'running' || plan === undefined) return;
  work.run = { ...run, resuming: false };
  const point = work.point(pointId);
  if (point?.gang !== undefined && point.done === point.size) {
    const open = state.range<never>(`${tasksPrefix(runId)}${pointId}.`);
    const members = membersOf(work, pointId, open);
    work.setPoint(pointId, { ...point, done: 0 });
    work.beginResults(pointId, Math.ceil(point.size / chunkSize));
    acceptGang(work, plan, members);
    return;
  }
  fill(work, plan, pointId);
  fillFrom(work, plan, [...prefixesOfId(pointId)]);
}

/** A bounded part of what is left goes; the next sweep takes the next. */
function sweep(work: Work, state: StateView): void {
  const { run, runId, plan } = work;
  if (run === undefined || (run.status === 'running' && run.sweeping !== true)) return;
  const left = state.range(walksPrefix(runId));
  work.forget(left.map(([key]) => key));
  if (left.length === sweepMax) work.emit({ topic: 'runs', type: 'run-swept', key: runId, data: { runId } });
  else if (run.status === 'running' && plan !== undefined) {
    work.run = { ...run, sweeping: false };
    begin(work, plan);
  }
}

/** Nobody has resumed the run: what was kept for that goes, a bounded part at a time. */
function forget(work: Work, state: StateView): void {
  const { run, runId } = work;
  if (run?.status === 'running') return;
  const left = state.range(pastPrefix(runId));
  work.forget(left.map(([key]) => key));
  if (left.length === sweepMax) work.emit({ topic: 'runs', type: 'run-forgotten', key: runId, data: { runId } });
  else work.plan = undefined;
}

function cancel(work: Work, { actor, reason }: RunCancelRequested, open: OpenTasks): void {
  const { run, runId } = work;
  if (run === undefined || run.status !== 'running') {
    work.count('cancelsIgnored');
    return;
  }
  revokeOpen(work, open, `the run was cancelled by ${actor}`);
  const { flow, startedAt } = run;
  work.emit({ topic: 'runs', type: 'run-cancelled', key: runId, data: { runId, flow, startedAt, actor, reason } });
  if (work.plan !== undefined) endRun(work, work.plan, 'cancelled');
}

function pulse(timer: DueTimer, state: StateView): Effects {
  const work = new Work(state, '', timer.timeMs);
  work.pulse();
  return work.effects();
}

function forgetting(timer: DueTimer, state: StateView): Effects {
  const { forget: runId } = timer.data as { forget: string };
  const work = new Work(state, runId, timer.timeMs);
  work.emit({ topic: 'runs', type: 'run-forgotten', key: runId, data: { runId } });
  return work.effects();
}

function dueTask(timer: DueTimer, state: StateView): Effects {
  const { runId, taskId } = timer.data as { runId: string; taskId: string };
  const work = new Work(state, runId, timer.timeMs);
  due(work, taskId);
  return work.effects();
}

function openTasks(state: StateView, runId: string): OpenTasks {
  return state.range(tasksPrefix(runId));
}
