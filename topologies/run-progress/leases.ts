import { derivedId } from '../../schemas/derived-ids.ts';
import { defaultCompute } from '../../schemas/flow-graph.ts';
import type { PhaseLapsed, TaskRef, TaskStarted } from '../../schemas/events.ts';
import { dispatch, revoke, setLease, setPhase } from './dispatch.ts';
import { anotherRound, failAttempt, type OpenTasks } from './ending.ts';
import { memberStarted } from './gang.ts';
import { holderProblem, openFor } from './holding.ts';
import { gangOf, settingsOf } from './places.ts';
import type { RunPlan, TaskState } from './state.ts';
import type { Work } from './work.ts';

/** The first start of the current dispatch becomes its holder; any other is told to stop, and that is recorded. */
export function start(work: Work, started: TaskStarted): void {
  const { taskId, token, worker } = started;
  const found = openFor(work, taskId);
  if (holderProblem(work, taskId, token) === undefined) {
    work.count('startsRepeated');
    return;
  }
  const { attempt, dispatch: number, incarnation } = token;
  const current = found?.task.attempt === attempt && found.task.dispatch === number;
  if (found === undefined || !current || found.task.phase !== 'dispatched') {
    const reason = holderProblem(work, taskId, token) ?? 'another worker was first';
    work.count('startsRefused');
    revoke(work, taskId, token, reason);
    recordRefusal(work, { action: 'task.start', taskId, token, worker, reason });
    return;
  }
  const { plan, place } = found;
  setPhase(
    work,
    taskId,
    { ...found.task, phase: 'started', holder: incarnation, worker },
    work.timeMs + plan.graph.leaseMs,
  );
  const gang = gangOf(plan.graph, place);
  if (gang !== undefined) memberStarted(work, gang.pointId, gang.rank, started);
}

/** A heartbeat of the holder renews its lease by append time; anybody else is told to stop. */
export function renew(work: Work, { taskId, token }: TaskRef): void {
  const found = openFor(work, taskId);
  const problem = holderProblem(work, taskId, token);
  if (problem !== undefined || found === undefined) {
    // the last beat of a member whose gang is not complete yet
    if (found?.task.phase === 'held' && found.task.holder === token.incarnation) return;
    work.count('heartbeatsRefused');
    revoke(work, taskId, token, problem ?? 'the run is over');
    return;
  }
  setPhase(work, taskId, found.task, work.timeMs + found.plan.graph.leaseMs);
}

/**
 * The timer of a phase is due. Unless the log stood still meanwhile, that is said as a fact: what follows needs more of the state than
 * each timer should carry.
 */
export function due(work: Work, taskId: string): void {
  const found = openFor(work, taskId);
  if (found === undefined || found.task.phase === 'held' || found.task.phase === 'recalled') return;
  const { task } = found;
  const dueMs = task.dueMs + work.clock.shiftMs;
  if (dueMs > work.timeMs) {
    work.count('leasesMoved');
    setLease(work, taskId, dueMs);
    return;
  }
  const { runId } = work;
  const { attempt, dispatch: number, phase } = task;
  const waited =
    phase === 'dispatched'
      ? { compute: settingsOf(found.place).compute ?? defaultCompute, waitsSince: offeredAt(work, found.plan, task) }
      : {};
  work.emit({
    topic: 'runs',
    type: 'phase-lapsed',
    key: runId,
    data: { runId, taskId, attempt, dispatch: number, phase, ...waited },
  });
}

/** A phase of a task is over by time, unless it was renewed or ended meanwhile. */
export function lapse(work: Work, lapsed: PhaseLapsed, open: OpenTasks): void {
  const { taskId } = lapsed;
  const found = openFor(work, taskId);
  if (found === undefined) return;
  const { plan, place, task } = found;
  const same =
    task.attempt === lapsed.attempt && task.dispatch === lapsed.dispatch && (task.phase as string) === lapsed.phase;
  if (!same || task.dueMs + work.clock.shiftMs > work.timeMs) return;
  const failed = { plan, place, task, open };
  switch (task.phase) {
    case 'held':
    case 'recalled':
      return;
    case 'sought':
    case 'backoff':
      dispatch(work, plan, place, {
        ...task,
        attempt: task.attempt + 1,
        dispatch: task.dispatch + 1,
        since: undefined,
      });
      return;
    case 'dispatched': {
      const message = 'no worker started it in time';
      work.count('redispatched');
      if (gangOf(plan.graph, place) !== undefined) {
        anotherRound(work, failed, { kind: 'lost', message }, task.attempt);
        return;
      }
      revoke(work, taskId, { ...task, incarnation: null }, message);
      dispatch(work, plan, place, { ...task, dispatch: task.dispatch + 1, since: offeredAt(work, plan, task) });
      return;
    }
    case 'started': {
      const message = `${task.worker ?? 'the worker'} was silent for ${plan.graph.leaseMs} ms: its lease has lapsed`;
      revoke(work, taskId, { ...task, incarnation: task.holder }, 'the lease has lapsed');
      failAttempt(work, failed, { kind: 'lost', message });
      return;
    }
  }
}

interface Refusal {
  readonly action: string;
  readonly taskId: string;
  readonly token: TaskRef['token'];
  readonly worker: string;
  readonly reason: string;
}

/** What a worker wanted that does not hold the task: for the audit. */
/** Of an attempt that waits for a worker. */
function offeredAt({ clock }: Work, { graph }: RunPlan, { since, dueMs }: TaskState): number {
  return since ?? dueMs + clock.shiftMs - graph.startMs;
}

export function recordRefusal(work: Work, { action, taskId, token, worker, reason }: Refusal): void {
  const { runId, timeMs } = work;
  const object = `${runId}/${taskId}`;
  work.emit({
    topic: 'operations',
    type: 'operation-recorded',
    key: object,
    data: {
      operationId: derivedId(timeMs, `${action}-refused`, object, token.attempt, token.dispatch, token.incarnation),
      action,
      object,
      actor: worker,
      outcome: 'refused',
      detail: JSON.stringify({ reason, ...token }),
    },
  });
}
