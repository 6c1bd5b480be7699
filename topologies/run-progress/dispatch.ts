import { partitionOf } from '../../schemas/partitioner.ts';
import type { Artifact, TaskInput, Token } from '../../schemas/events.ts';
import { type GraphStep, parentScope } from '../../schemas/flow-graph.ts';
import { topics } from '../../schemas/topics.ts';
import { leaseClosed, leaseOpened } from './clock.ts';
import { leaseName, readsOfEnd, type RunPlan, type RunState, type TaskState } from './state.ts';
import type { Work } from './work.ts';

/** Opens a task: its first attempt is dispatched. */
export function openTask(work: Work, run: RunState, plan: RunPlan, step: GraphStep): void {
  work.clock = leaseOpened(work.clock, plan.graph.leaseMs);
  work.run = { ...run, open: run.open + 1, opened: run.opened + 1 };
  work.count('tasksOpened');
  dispatch(work, plan, step, 1, 1);
}

/** Offers an attempt to workers: each dispatch lies on the partition after the one before. */
export function dispatch(work: Work, plan: RunPlan, step: GraphStep, attempt: number, number: number): void {
  const { run, runId, timeMs } = work;
  if (run === undefined) return;
  const { graph, bundleHash, parameters } = plan;
  const dueMs = timeMs + graph.startMs;
  setPhase(work, step.name, { attempt, dispatch: number, phase: 'dispatched', holder: null, worker: null }, dueMs);
  const { partitions } = topics.tasks;
  work.emit({
    topic: 'tasks',
    type: 'task-dispatched',
    key: `${runId}/${step.name}/${number}`,
    partition: (partitionOf(`${runId}/${step.name}`, partitions) + number - 1) % partitions,
    data: {
      runId,
      taskId: step.name,
      step: step.name,
      flow: run.flow,
      attempt,
      dispatch: number,
      bundleHash,
      inputs: inputsOf(step, run),
      parameters,
      idempotencyKey: `${runId}.${step.name}`,
      timeoutMs: step.timeoutMs,
      leaseMs: graph.leaseMs,
      startDeadline: dueMs,
    },
  });
}

/** Moves a task on and sets when this phase lapses. */
export function setPhase(work: Work, taskId: string, phase: Omit<TaskState, 'dueMs'>, dueMs: number): void {
  work.setTask(taskId, { ...phase, dueMs: dueMs - work.clock.shiftMs });
  setLease(work, taskId, dueMs);
}

export function setLease(work: Work, taskId: string, dueMs: number): void {
  const { runId } = work;
  work.setTimer({
    name: leaseName(runId, taskId),
    dueMs,
    reads: readsOfEnd(runId, taskId),
    data: { runId, taskId },
  });
}

/** Ends a task under a named outcome: it never opens again. */
export function closeTask(work: Work, taskId: string, outcome: 'Completed' | 'Failed' | 'Lost' | 'Cancelled'): void {
  const { run } = work;
  if (run === undefined) return;
  work.setTask(taskId, undefined);
  work.clearTimer(leaseName(work.runId, taskId));
  work.clock = leaseClosed(work.clock);
  work.run = { ...run, open: run.open - 1 };
  work.count(`tasks${outcome}`);
}

/** Tells whoever runs this dispatch to stop. */
export function revoke(
  work: Work,
  taskId: string,
  token: Omit<Token, 'incarnation'> & { incarnation: string | null },
  reason: string,
): void {
  const { runId } = work;
  const { attempt, dispatch: number, incarnation } = token;
  work.emit({
    topic: 'task-control',
    type: 'task-revoked',
    key: `${runId}/${taskId}`,
    data: { runId, taskId, attempt, dispatch: number, incarnation, reason },
  });
}

/** What the step sees: for a join, what was there before its branches under '', and what each branch added. */
function inputsOf(step: GraphStep, run: RunState): readonly TaskInput[] {
  const before: TaskInput = { branch: '', artifacts: visible(step.scope, run) };
  if (step.kind === 'step') return [before];
  return [
    before,
    ...step.joins.map(({ branch, scope }) => ({ branch, artifacts: run.scopes[scope]?.artifacts ?? [] })),
  ];
}

function visible(scope: string, run: RunState): readonly Artifact[] {
  const own = run.scopes[scope];
  const parent = parentScope(scope);
  if (parent === undefined || own?.cut === true) return own?.artifacts ?? [];
  return merged(visible(parent, run), own?.artifacts ?? []);
}

/** A name that is written again names the newer artifact. */
export function merged(older: readonly Artifact[], newer: readonly Artifact[]): readonly Artifact[] {
  const names = new Set(newer.map(({ name }) => name));
  return [...older.filter(({ name }) => !names.has(name)), ...newer];
}
