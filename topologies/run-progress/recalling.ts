/**
 * Resumed runs. The graph is walked from its beginning as ever, but a task that opens is first looked up among what the origin has kept:
 * one that ended well, with nothing before it run again, ends as it did there; any other is dispatched. So what is taken over is
 * decided here, task by task, also when the code has changed since.
 */
import type { TaskCompleted, TaskRecalled } from '../../schemas/events.ts';
import { GraphIndex, type Walk } from '../../schemas/graph-index.ts';
import { acceptClone, acceptGang, completionProblem } from './acceptance.ts';
import { beginRounds, membersOf } from './gang.ts';
import { openFor } from './holding.ts';
import { offer } from './offering.ts';
import { placeOf, type StepPlace } from './places.ts';
import { chunkSize, pastKey, pastMembersPrefix, type PastTask, type RunPlan, type TaskState } from './state.ts';
import type { Work } from './work.ts';

/** What the origin knows of a task has come. */
export function recalled(work: Work, { taskId, origin }: TaskRecalled): void {
  const found = openFor(work, taskId);
  if (found?.task.phase !== 'recalled') return;
  const { plan, place } = found;
  const past = work.past(origin, taskId);
  if (place.kind === 'step') {
    const { outcome } = past ?? {};
    if (past !== undefined && outcome !== undefined && reusable(work, plan, place, past, place.walk)) {
      acceptClone(work, plan, place, past, outcome);
      return;
    }
    work.markRerun(GraphIndex.of(plan.graph).walkId(place.walk));
  }
  const before = origin === work.runId ? past : undefined;
  offer(work, plan, place, {
    attempt: (before?.attempt ?? 0) + 1,
    dispatch: (before?.dispatch ?? 0) + 1,
    before: before?.attempt,
    checkpoints: past?.checkpoints,
  });
}

/** A gang is taken over whole, or run again whole. */
export function gangRecalled(
  work: Work,
  { taskId: pointId, origin }: TaskRecalled,
  open: readonly (readonly [string, TaskState])[],
  past: readonly (readonly [string, PastTask])[],
): void {
  const { plan } = work;
  const point = work.point(pointId);
  if (plan === undefined || work.run?.status !== 'running' || point === undefined) return;
  const known = new Map(past);
  // walks of members begin with their only task: nothing of them is known before
  const around = ({ walk }: StepPlace): Walk => GraphIndex.of(plan.graph).parent(walk) ?? walk;
  const members = membersOf(work, pointId, open).filter(([, { phase }]) => phase === 'recalled');
  const held = members.flatMap(([taskId, task]) => {
    const place = placeOf(plan.graph, taskId);
    const before = known.get(pastKey(origin, taskId));
    if (place?.kind !== 'step' || before?.outcome === undefined || !reusable(work, plan, place, before, around(place)))
      return [];
    const { artifacts } = before.outcome;
    const { attempt, dispatch: number } = before;
    return [
      [taskId, { ...task, attempt, dispatch: number, phase: 'held', held: { artifacts, requests: [] } }] as const,
    ];
  });
  if (held.length === point.size) {
    work.beginResults(pointId, Math.ceil(point.size / chunkSize));
    acceptGang(work, plan, held, plan.resume?.origin);
    return;
  }
  const inPlace =
    origin === work.runId ? past.filter(([key]) => !key.includes(`${pastMembersPrefix(origin, pointId)}-`)) : [];
  const last = {
    attempt: Math.max(0, ...inPlace.map(([, { attempt }]) => attempt)),
    dispatch: Math.max(0, ...inPlace.map(([, { dispatch: number }]) => number)),
  };
  beginRounds(work, plan, pointId, members, last, (taskId) => known.get(pastKey(origin, taskId))?.checkpoints);
}

/** It ended well, so did all before it, nothing before it was run again, and the graph still takes its answer. */
function reusable(work: Work, plan: RunPlan, place: StepPlace, { outcome }: PastTask, walk: Walk): boolean {
  if (outcome === undefined || isRerun(work, plan, walk)) return false;
  const { split = null, choice = null } = outcome;
  return completionProblem(plan, place, { split, choice } as TaskCompleted) === undefined;
}

function isRerun(work: Work, plan: RunPlan, walk: Walk): boolean {
  const index = GraphIndex.of(plan.graph);
  for (let at: Walk | undefined = walk; at !== undefined; at = index.parent(at))
    if (work.walk(index.walkId(at)).rerun === true) return true;
  return false;
}
