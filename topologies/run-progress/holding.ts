import type { Token } from '../../schemas/events.ts';
import type { GraphStep } from '../../schemas/flow-graph.ts';
import type { RunPlan, TaskState } from './state.ts';
import type { Work } from './work.ts';

export interface OpenTask {
  readonly plan: RunPlan;
  readonly step: GraphStep;
  readonly task: TaskState;
}

/** The open task of a running run. */
export function openFor(work: Work, taskId: string): OpenTask | undefined {
  const { plan, run } = work;
  const task = work.task(taskId);
  const step = plan?.graph.steps.find(({ name }) => name === taskId);
  if (run?.status !== 'running' || plan === undefined || task === undefined || step === undefined) return undefined;
  return { plan, step, task };
}

/** Why this token does not hold the task; undefined when it does. */
export function holderProblem(work: Work, taskId: string, token: Token): string | undefined {
  const { run } = work;
  if (run === undefined) return 'there is no such run';
  if (run.status !== 'running') return `the run is ${run.status}`;
  const task = work.task(taskId);
  if (task === undefined) return 'the task has ended, or never was';
  if (task.attempt !== token.attempt || task.dispatch !== token.dispatch) {
    return `attempt ${token.attempt} dispatch ${token.dispatch} was replaced by attempt ${task.attempt} dispatch ${task.dispatch}`;
  }
  if (task.phase !== 'started') return 'the task was not started';
  if (task.holder !== token.incarnation) return `the task is held by ${task.worker ?? 'another worker'}`;
  return undefined;
}
