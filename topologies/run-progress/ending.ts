import type { Token } from '../../schemas/events.ts';
import type { GraphStep } from '../../schemas/flow-graph.ts';
import { closeTask, dispatch, revoke, setPhase } from './dispatch.ts';
import { type RunPlan, type RunState, type TaskState, tasksPrefix } from './state.ts';
import type { Work } from './work.ts';

/** Open tasks of the run, as read before this fold. */
export type OpenTasks = readonly (readonly [key: string, task: TaskState])[];

/** What remains of a run that is over: enough to refuse what comes late. */
export function endRun(work: Work, status: Exclude<RunState['status'], 'running'>): void {
  const { run } = work;
  if (run === undefined) return;
  work.run = { ...run, status, completed: [], scopes: {} };
  work.plan = undefined;
  work.count(`runs${status[0]?.toUpperCase() ?? ''}${status.slice(1)}`);
}

/** Stops all tasks that are still open. */
export function revokeOpen(work: Work, open: OpenTasks, reason: string): void {
  for (const [key, read] of open) {
    const taskId = key.slice(tasksPrefix(work.runId).length);
    const task = work.current(taskId, read);
    if (task === undefined) continue;
    if (task.phase !== 'backoff') revoke(work, taskId, { ...task, incarnation: task.holder }, reason);
    closeTask(work, taskId, 'Cancelled');
  }
}

/** An attempt ended badly: the retry policy decides. Retry 0 never runs a step twice. */
export function failAttempt(
  work: Work,
  { plan, step, task, open }: { plan: RunPlan; step: GraphStep; task: TaskState; open: OpenTasks },
  { kind, message }: { kind: string; message: string },
): void {
  const { runId, timeMs, run } = work;
  if (run === undefined) return;
  const next = task.attempt + 1;
  if (task.attempt <= step.retry.times) {
    work.count('attemptsRetried');
    work.emit({
      topic: 'runs',
      type: 'task-retried',
      key: runId,
      data: { runId, taskId: step.name, attempt: next, kind, message },
    });
    if (step.retry.backoffMs === 0) {
      dispatch(work, plan, step, next, task.dispatch + 1);
      return;
    }
    setPhase(work, step.name, { ...task, phase: 'backoff', holder: null, worker: null }, timeMs + step.retry.backoffMs);
    return;
  }
  closeTask(work, step.name, kind === 'lost' ? 'Lost' : 'Failed');
  revokeOpen(work, open, `the run failed in step '${step.name}'`);
  const { flow, startedAt } = run;
  endRun(work, 'failed');
  work.emit({
    topic: 'runs',
    type: 'run-failed',
    key: runId,
    data: { runId, flow, startedAt, taskId: step.name, step: step.name, kind, message },
  });
}

/** A terminal fact that does not count. */
export function refuseCompletion(work: Work, taskId: string, token: Token, worker: string, reason: string): void {
  const { runId } = work;
  work.count('completionsRefused');
  work.emit({ topic: 'runs', type: 'completion-refused', key: runId, data: { runId, taskId, token, worker, reason } });
}
