import { derivedId } from '../../schemas/derived-ids.ts';
import type { TaskRef, TaskStarted } from '../../schemas/events.ts';
import { dispatch, revoke, setLease, setPhase } from './dispatch.ts';
import { failAttempt, type OpenTasks } from './ending.ts';
import { holderProblem, openFor } from './holding.ts';
import type { Work } from './work.ts';

/** The first start of the current dispatch becomes its holder; any other is told to stop, and that is recorded. */
export function start(work: Work, { taskId, token, worker }: TaskStarted): void {
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
    recordRefusal(work, taskId, token, worker, reason);
    return;
  }
  const { plan } = found;
  setPhase(
    work,
    taskId,
    { attempt, dispatch: number, phase: 'started', holder: incarnation, worker },
    work.timeMs + plan.graph.leaseMs,
  );
}

/** A heartbeat of the holder renews its lease by append time; anybody else is told to stop. */
export function renew(work: Work, { taskId, token }: TaskRef): void {
  const found = openFor(work, taskId);
  const problem = holderProblem(work, taskId, token);
  if (problem !== undefined || found === undefined) {
    work.count('heartbeatsRefused');
    revoke(work, taskId, token, problem ?? 'the run is over');
    return;
  }
  setPhase(work, taskId, found.task, work.timeMs + found.plan.graph.leaseMs);
}

/** A phase of a task is over by time, unless the log stood still meanwhile. */
export function lapse(work: Work, taskId: string, open: OpenTasks): void {
  const found = openFor(work, taskId);
  if (found === undefined) return;
  const { plan, step, task } = found;
  const dueMs = task.dueMs + work.clock.shiftMs;
  if (dueMs > work.timeMs) {
    work.count('leasesMoved');
    setLease(work, taskId, dueMs);
    return;
  }
  switch (task.phase) {
    case 'backoff':
      dispatch(work, plan, step, task.attempt + 1, task.dispatch + 1);
      return;
    case 'dispatched':
      work.count('redispatched');
      revoke(work, taskId, { ...task, incarnation: null }, 'no worker started it in time');
      dispatch(work, plan, step, task.attempt, task.dispatch + 1);
      return;
    case 'started': {
      const message = `${task.worker ?? 'the worker'} was silent for ${plan.graph.leaseMs} ms: its lease has lapsed`;
      revoke(work, taskId, { ...task, incarnation: task.holder }, 'the lease has lapsed');
      failAttempt(work, { plan, step, task, open }, { kind: 'lost', message });
      return;
    }
  }
}

function recordRefusal(work: Work, taskId: string, token: TaskRef['token'], worker: string, reason: string): void {
  const { runId, timeMs } = work;
  const object = `${runId}/${taskId}`;
  work.emit({
    topic: 'operations',
    type: 'operation-recorded',
    key: object,
    data: {
      operationId: derivedId(timeMs, 'start-refused', object, token.attempt, token.dispatch, token.incarnation),
      action: 'task.start',
      object,
      actor: worker,
      outcome: 'refused',
      detail: JSON.stringify({ reason, ...token }),
    },
  });
}
