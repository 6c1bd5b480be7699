import type { Token } from '../../schemas/events.ts';
import { type FailureKind, failureKinds, type RetryPolicy } from '../../schemas/flow-graph.ts';
import { endCaught } from './acceptance.ts';
import { closeTask, dispatch, revoke, setPhase } from './dispatch.ts';
import { hasAssembled, membersOf, regroup, vainReason } from './gang.ts';
import { gangOf, type Place, retryOf, settingsOf, stepNameOf } from './places.ts';
import { type RunPlan, type TaskState, tasksPrefix } from './state.ts';
import { endRun } from './run-end.ts';
import type { Work } from './work.ts';

/** Open tasks of the run, as read before this fold. */
export type OpenTasks = readonly (readonly [key: string, task: TaskState])[];

export interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly stack?: string;
  /** Another attempt would end the same way. */
  readonly final?: boolean | undefined;
}

interface FailedTask {
  readonly plan: RunPlan;
  readonly place: Place;
  readonly task: TaskState;
  readonly open: OpenTasks;
}

const longestBackoffMs = 3_600_000;

/** Stops all tasks that are still open. */
export function revokeOpen(work: Work, open: OpenTasks, reason: string): void {
  for (const [key, read] of open) {
    const taskId = key.slice(tasksPrefix(work.runId).length);
    const task = work.current(taskId, read);
    if (task === undefined) continue;
    if (task.phase === 'dispatched' || task.phase === 'started')
      revoke(work, taskId, { ...task, incarnation: task.holder }, reason);
    closeTask(work, taskId, task, { outcome: 'cancelled', message: reason });
  }
}

/** An attempt ended badly: the retry policy decides. Retry 0 never runs a step twice. */
export function failAttempt(work: Work, failed: FailedTask, failure: Failure): void {
  const { plan, place, task } = failed;
  const { kind, message } = failure;
  const gang = gangOf(plan.graph, place);
  if (gang !== undefined && !hasAssembled(work, gang.pointId) && kind === 'lost') {
    // nobody had begun
    anotherRound(work, failed, failure, task.attempt);
    return;
  }
  const policy = retryOf(place);
  const before = task.before ?? 0;
  if (task.attempt - before > policy.times || !mayPass(policy, failure)) {
    giveUp(work, failed, failure);
    return;
  }
  const { runId, timeMs } = work;
  const next = task.attempt + 1;
  work.count('attemptsRetried');
  work.emit({
    topic: 'runs',
    type: 'task-retried',
    key: runId,
    data: { runId, taskId: place.taskId, attempt: next, kind, message },
  });
  if (gang !== undefined) {
    anotherRound(work, failed, failure, next);
    return;
  }
  const waitMs = Math.min(policy.backoffMs * (policy.factor ?? 1) ** (task.attempt - before - 1), longestBackoffMs);
  if (waitMs === 0) {
    const { checkpoints } = task;
    dispatch(work, plan, place, { attempt: next, dispatch: task.dispatch + 1, before, checkpoints });
  } else setPhase(work, place.taskId, { ...task, phase: 'backoff', holder: null, worker: null }, timeMs + waitMs);
}

/** All members of a gang are dispatched again, or it is given up. */
export function anotherRound(work: Work, failed: FailedTask, failure: Failure, attempt: number): void {
  const { plan, place, open } = failed;
  const gang = gangOf(plan.graph, place);
  if (gang === undefined) return;
  const { pointId } = gang;
  work.count('gangsRegrouped');
  const reason = `another member of the gang ended: ${failure.message}`.slice(0, 1_000);
  if (regroup(work, plan, pointId, membersOf(work, pointId, open), { attempt, reason })) return;
  giveUp(work, failed, { kind: 'platform', message: vainReason(work, plan, pointId) });
}

/** There is no further attempt: the failure is caught, or ends the run. */
function giveUp(work: Work, { plan, place, task, open }: FailedTask, failure: Failure): void {
  const { runId, run } = work;
  if (run === undefined) return;
  const { kind } = failure;
  const message = failure.message.slice(0, 10_000);
  if (place.kind === 'step' && settingsOf(place).catch !== undefined) {
    endCaught(work, plan, place, task, failure);
    return;
  }
  closeTask(work, place.taskId, task, { outcome: kind === 'lost' ? 'lost' : 'failed', kind, message });
  if (place.kind === 'hook') {
    work.count('hooksFailed');
    return;
  }
  const step = stepNameOf(place);
  revokeOpen(work, open, `the run failed in step '${step}'`);
  const { flow, startedAt } = run;
  work.emit({
    topic: 'runs',
    type: 'run-failed',
    key: runId,
    data: { runId, flow, startedAt, taskId: place.taskId, step, kind, message },
  });
  endRun(work, plan, 'failed', { step, kind, message: message.slice(0, 1_000) });
}

/** Whether another attempt could end otherwise. */
function mayPass({ on }: RetryPolicy, { kind, final }: Failure): boolean {
  if (final === true) return false;
  if (on === undefined) return true;
  return !failureKinds.includes(kind as FailureKind) || on.includes(kind as FailureKind);
}

/** A terminal fact that does not count. */
export function refuseCompletion(work: Work, taskId: string, token: Token, worker: string, reason: string): void {
  const { runId } = work;
  work.count('completionsRefused');
  work.emit({ topic: 'runs', type: 'completion-refused', key: runId, data: { runId, taskId, token, worker, reason } });
}
