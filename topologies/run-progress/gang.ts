/**
 * Gangs: so many tasks that begin together. Members that have started wait until all have; then `gang-assembled` lets them begin. One that
 * finds no worker in time sends all of them into another round; one that fails ends the attempt of all. A member that completed is held
 * until all have: a gang's artifacts become facts together, or not at all.
 */
import type { Artifact, TaskCompleted, TaskStarted } from '../../schemas/events.ts';
import { GraphIndex, type Walk } from '../../schemas/graph-index.ts';
import { closeTask, dispatch, opened, recall, revoke, type TaskEnd } from './dispatch.ts';
import { open } from './offering.ts';
import { placeOf, type StepPlace } from './places.ts';
import { type GangState, leaseName, revived, type RunPlan, type TaskState, tasksPrefix } from './state.ts';
import type { Work } from './work.ts';

export type Members = readonly (readonly [taskId: string, task: TaskState])[];

/** Rounds after which it is given up that a gang will ever assemble. */
const vainMax = 5;

/** Opens all members at once; `walk` is that of the body, without the rank. */
export function openGang(work: Work, plan: RunPlan, pointId: string, walk: Walk, size: number): void {
  const index = GraphIndex.of(plan.graph);
  const [step] = index.inside(walk.scope);
  const point = work.point(pointId);
  if (step === undefined || point === undefined) return;
  work.setPoint(pointId, { ...point, gang: newRound(1, 1) });
  for (let rank = 0; rank < size; rank++) {
    const member = { scope: walk.scope, index: [...walk.index, rank] };
    work.beginWalk(index.walkId(member));
    const taskId = index.stepId(member, step);
    if (plan.resume === undefined) open(work, plan, taskId, 1);
    else opened(work, plan, taskId, 1);
  }
  if (plan.resume !== undefined) recall(work, plan, pointId, true);
}

/** The gang of a resumed run is run again: its counters go on behind those of `last`, which are 0 in a new run. */
export function beginRounds(
  work: Work,
  plan: RunPlan,
  pointId: string,
  members: Members,
  last: { readonly attempt: number; readonly dispatch: number },
  saved: (taskId: string) => readonly Artifact[] | undefined,
): void {
  const point = work.point(pointId);
  if (point === undefined) return;
  work.setPoint(pointId, { ...point, rerun: true, gang: newRound(last.dispatch + 1, 1) });
  for (const [taskId] of members) {
    const place = placeOf(plan.graph, taskId);
    if (place?.kind !== 'step') continue;
    work.beginWalk(GraphIndex.of(plan.graph).walkId(place.walk));
    const offer = {
      attempt: last.attempt + 1,
      dispatch: last.dispatch + 1,
      before: last.attempt,
      checkpoints: saved(taskId),
    };
    dispatch(work, plan, place, offer);
  }
}

/** A member has started; with the last one the gang may begin. */
export function memberStarted(work: Work, pointId: string, rank: number, { address = '' }: TaskStarted): void {
  const point = work.point(pointId);
  const gang = point?.gang;
  if (point === undefined || gang === undefined || gang.assembled || gang.started.includes(rank)) return;
  const started = [...gang.started, rank];
  const assembled = started.length === point.size;
  const at = rank === 0 ? address : gang.address;
  work.setPoint(pointId, {
    ...point,
    gang: { ...gang, started, address: at, assembled, vain: assembled ? 0 : gang.vain },
  });
  if (!assembled) return;
  const { runId } = work;
  work.emit({
    topic: 'task-control',
    type: 'gang-assembled',
    key: `${runId}/${pointId}`,
    data: { runId, point: pointId, round: gang.round, size: point.size, address: at },
  });
}

export function hasAssembled(work: Work, pointId: string): boolean {
  return work.point(pointId)?.gang?.assembled === true;
}

/** Another round, of the same attempt or the next: all members are dispatched again. False when it would be one too many. */
export function regroup(
  work: Work,
  plan: RunPlan,
  pointId: string,
  members: Members,
  { attempt, reason }: { readonly attempt: number; readonly reason: string },
): boolean {
  const point = work.point(pointId);
  const gang = point?.gang;
  if (point === undefined || gang === undefined) return false;
  const vain = gang.assembled ? 1 : gang.vain + 1;
  if (vain > vainMax) return false;
  work.setPoint(pointId, { ...point, done: 0, gang: newRound(gang.round + 1, vain) });
  for (const [taskId, read] of members) {
    const task = work.current(taskId, read);
    const place = placeOf(plan.graph, taskId);
    if (task === undefined || place?.kind !== 'step') continue;
    // a member is the only step of its walk, which has nothing yet
    work.beginWalk(GraphIndex.of(plan.graph).walkId(place.walk));
    if (task.phase === 'dispatched' || task.phase === 'started')
      revoke(work, taskId, { ...task, incarnation: task.holder }, reason);
    dispatch(work, plan, place, { ...task, attempt, dispatch: task.dispatch + 1 });
  }
  return true;
}

/** Why no round assembled. */
export function vainReason(work: Work, plan: RunPlan, pointId: string): string {
  const point = work.point(pointId);
  const { graph } = plan;
  return `gang '${pointId}' needs ${point?.size ?? 0} free slots of workers at once; in ${vainMax} rounds of ${graph.startMs} ms at most ${point?.gang?.started.length ?? 0} members found one: raise worker.slots, add workers or make the gang smaller`;
}

/** A member completed: it is held. With the last one `walk-resumed` brings all of them together. */
export function hold(
  work: Work,
  pointId: string,
  { taskId }: StepPlace,
  task: TaskState,
  completed: TaskCompleted,
): void {
  const point = work.point(pointId);
  const { run, runId } = work;
  if (point === undefined || run === undefined) return;
  const { artifacts, requests } = completed;
  work.setTask(taskId, { ...task, phase: 'held', held: { artifacts, requests } });
  work.clearTimer(leaseName(runId, taskId));
  const done = point.done + 1;
  work.setPoint(pointId, { ...point, done });
  if (done === point.size) work.emit({ topic: 'runs', type: 'walk-resumed', key: runId, data: { runId, pointId } });
}

/** Members of a gang among open tasks. */
export function membersOf(work: Work, pointId: string, open: readonly (readonly [string, TaskState])[]): Members {
  const prefix = tasksPrefix(work.runId);
  return open
    .map(([key, task]) => [key.slice(prefix.length), task] as const)
    .filter(([taskId]) => taskId.startsWith(`${pointId}.`));
}

/** Closes held members; answers them by rank. */
export function release(work: Work, members: Members, cloned?: string): Members {
  const held = members.filter(([, { phase }]) => phase === 'held');
  for (const [taskId, task] of held) {
    const artifacts = revived(task.held?.artifacts ?? []);
    const end: TaskEnd = cloned === undefined ? { outcome: 'completed' } : { outcome: 'cloned', originRunId: cloned };
    closeTask(work, taskId, task, end, { artifacts });
  }
  return held;
}

function newRound(round: number, vain: number): GangState {
  return { round, vain, started: [], address: '', assembled: false };
}
