import type { Token } from '../../schemas/events.ts';
import { isHookId, type Place, placeOf } from './places.ts';
import type { RunPlan, TaskState } from './state.ts';
import type { Work } from './work.ts';

export interface OpenTask {
  readonly plan: RunPlan;
  readonly place: Place;
  readonly task: TaskState;
}

/** The open task of a running run, or the exit hook of one that is over. */
export function openFor(work: Work, taskId: string): OpenTask | undefined {
  const { plan, run } = work;
  const task = work.task(taskId);
  if (run === undefined || plan === undefined || task === undefined) return undefined;
  if (run.status !== 'running' && !isHookId(taskId)) return undefined;
  const place = placeOf(plan.graph, taskId);
  return place === undefined ? undefined : { plan, place, task };
}

/** Why this token does not hold the task; undefined when it does. */
export function holderProblem(work: Work, taskId: string, token: Token): string | undefined {
  const { run } = work;
  if (run === undefined) return 'there is no such run';
  if (run.status !== 'running' && !isHookId(taskId)) return `the run is ${run.status}`;
  const task = work.task(taskId);
  if (task === undefined) return 'the task has ended, or never was';
  if (task.attempt !== token.attempt || task.dispatch !== token.dispatch) {
    return `attempt ${token.attempt} dispatch ${token.dispatch} was replaced by attempt ${task.attempt} dispatch ${task.dispatch}`;
  }
  if (task.phase === 'held') return 'the task has completed and waits for its gang';
  if (task.phase !== 'started') return 'the task was not started';
  if (task.holder !== token.incarnation) return `the task is held by ${task.worker ?? 'another worker'}`;
  return undefined;
}
