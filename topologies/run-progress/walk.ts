/**
 * How a run moves along its graph. Each walk of a scope goes from step to step; at a point it opens walks inside, as many as may be under
 * way at once, and goes on when they have ended. What is held back needs no list: it is the point's `next`.
 */
import type { Artifact, Pack, Split, TaskInput } from '../../schemas/events.ts';
import {
  flowDefaults,
  type GraphStep,
  type JoinedPoint,
  type JoinStep,
  type Point,
  type RepeatPoint,
  type SwitchPoint,
  type TaskStep,
} from '../../schemas/flow-graph.ts';
import { GraphIndex, type Walk } from '../../schemas/graph-index.ts';
import { open } from './offering.ts';
import { openGang } from './gang.ts';
import { placeOf, packId } from './places.ts';
import { type Chunk, chunkOf, chunkSize, type PointState, type RunPlan, type WalkState } from './state.ts';
import { merged, visible } from './visibility.ts';
import type { Work } from './work.ts';

/** Goes on in a walk with the step at `at`; behind the last one the walk is over. */
export function enter(work: Work, plan: RunPlan, walk: Walk, at: number): void {
  const index = GraphIndex.of(plan.graph);
  const step = index.inside(walk.scope)[at];
  if (step === undefined) {
    leave(work, plan, walk, false);
    return;
  }
  if (plan.resume?.from === step.name) work.markRerun(index.walkId(walk));
  switch (step.kind) {
    case 'step':
    case 'foreach':
    case 'switch':
      openTask(work, plan, walk, step);
      return;
    case 'join':
      openJoin(work, plan, walk, step);
      return;
    case 'branch':
      openPoint(work, plan, walk, step, step.branches.length, []);
      return;
    case 'gang':
      openPoint(work, plan, walk, step, gangSize(plan, step.size), []);
      return;
    case 'repeat':
      begin(work, plan, { scope: step.body, index: [...walk.index, 0] });
      return;
  }
}

/** Goes on behind a step that has ended well. `again`: it decided that there is another round. */
export function goOn(work: Work, plan: RunPlan, walk: Walk, step: GraphStep, again: boolean): void {
  const inside = GraphIndex.of(plan.graph).inside(walk.scope);
  const at = inside.indexOf(step) + 1;
  if (at < inside.length) enter(work, plan, walk, at);
  else leave(work, plan, walk, again);
}

/** Adds what a step returned to its walk; after a join only that remains. */
export function addArtifacts(work: Work, plan: RunPlan, walk: Walk, step: TaskStep, added: readonly Artifact[]): void {
  const walkId = GraphIndex.of(plan.graph).walkId(walk);
  const before = work.walk(walkId);
  if (step.kind === 'join') {
    work.setWalk(walkId, { ...before, artifacts: added, cut: true });
    return;
  }
  if (added.length === 0) return;
  work.setWalk(walkId, { ...before, artifacts: merged(before.artifacts, added) });
}

/** The items of a foreach are known: its walks begin. */
export function openItems(work: Work, plan: RunPlan, walk: Walk, step: JoinedPoint, { size, packs }: Split): void {
  openPoint(work, plan, walk, step, size, packs);
}

/** The case of a switch is known. */
export function openCase(work: Work, plan: RunPlan, walk: Walk, step: SwitchPoint, key: string): void {
  const chosen = step.cases.find((one) => one.key === key);
  if (chosen !== undefined) begin(work, plan, { scope: chosen.scope, index: walk.index });
}

/** Walks of this point begin as long as the run may have more tasks under way. */
export function fill(work: Work, plan: RunPlan, pointId: string): void {
  const place = pointPlace(plan, pointId);
  if (place === undefined) return;
  const { point, walk } = place;
  for (;;) {
    const { run } = work;
    const state = work.point(pointId);
    if (run?.status !== 'running' || state === undefined || state.next >= state.size) break;
    if (point.kind === 'gang') {
      if (run.open > 0 && run.open + state.size > maxWorkers(plan)) return;
      work.setPoint(pointId, { ...state, next: state.size });
      openGang(work, plan, pointId, { scope: point.body, index: walk.index }, state.size);
      break;
    }
    if (run.open > 0 && run.open >= maxWorkers(plan)) return;
    work.setPoint(pointId, { ...state, next: state.next + 1 });
    begin(work, plan, walkOf(point, walk, state.next));
  }
  const { run } = work;
  const state = work.point(pointId);
  if (run === undefined || !run.ready.includes(pointId) || (state !== undefined && state.next < state.size)) return;
  work.run = { ...run, ready: run.ready.filter((id) => id !== pointId) };
}

/** A task has ended: whoever was held back may begin, first what is nearest; but a gang that waits for room is not overtaken. */
export function fillFrom(work: Work, plan: RunPlan, around: readonly string[]): void {
  const newest = work.run?.ready.at(-1);
  if (newest === undefined) return;
  const near = new Set(around);
  const gang = pointPlace(plan, newest)?.point;
  const waits = gang?.kind === 'gang' && !near.has(newest);
  if (!waits)
    for (const pointId of [...around].reverse())
      if (work.run?.ready.includes(pointId) === true) fill(work, plan, pointId);
  const { run, runId } = work;
  const waiting = run?.ready.at(-1);
  if (run?.status !== 'running' || waiting === undefined || run.resuming || near.has(waiting)) return;
  const wanted = waits ? gangSize(plan, gang.size) : 1;
  if (run.open > 0 && run.open + wanted > maxWorkers(plan)) return;
  // its state was not fetched for this fold
  work.run = { ...run, resuming: true };
  work.emit({ topic: 'runs', type: 'walk-resumed', key: runId, data: { runId, pointId: waiting } });
}

/** Where results of a chunk that was packed now lie. */
export function packed(work: Work, plan: RunPlan, pointId: string, chunk: number, pack: Pack): void {
  const place = pointPlace(plan, pointId);
  const state = work.point(pointId);
  if (place === undefined || state === undefined) return;
  const packs = [...work.packs(pointId)];
  while (packs.length <= chunk) packs.push(null);
  packs[chunk] = pack;
  work.setPacks(pointId, packs);
  work.setChunk(pointId, chunk, undefined);
  work.setPoint(pointId, { ...state, packed: state.packed + 1 });
  goOnWhenDone(work, plan, place.walk, place.point, pointId);
}

/** A walk under a branch, foreach or gang has ended well. */
export function walkDone(
  work: Work,
  plan: RunPlan,
  around: Walk,
  point: JoinedPoint,
  which: number,
  { artifacts, rerun = false }: Pick<WalkState, 'artifacts' | 'rerun'>,
): void {
  const pointId = GraphIndex.of(plan.graph).stepId(around, point);
  const state = work.point(pointId);
  if (state === undefined) return;
  const chunk = chunkOf(which);
  const first = chunk * chunkSize;
  const length = Math.min(chunkSize, state.size - first);
  const results: (readonly Artifact[] | null)[] = [...work.chunk(pointId, chunk)];
  while (results.length < length) results.push(null);
  results[which - first] = artifacts;
  work.setChunk(pointId, chunk, results);
  work.setPoint(pointId, { ...state, done: state.done + 1, ...(rerun ? { rerun } : {}) });
  if (state.size > chunkSize && results.every((result) => result !== null)) openPack(work, plan, pointId, chunk);
  goOnWhenDone(work, plan, around, point, pointId);
}

function begin(work: Work, plan: RunPlan, walk: Walk): void {
  work.beginWalk(GraphIndex.of(plan.graph).walkId(walk));
  enter(work, plan, walk, 0);
}

/** A walk is over: what it added goes to whoever opened it. */
function leave(work: Work, plan: RunPlan, walk: Walk, again: boolean): void {
  const index = GraphIndex.of(plan.graph);
  const ended = work.endWalk(index.walkId(walk));
  const owner = index.owner(walk.scope);
  const around = index.parent(walk);
  if (owner === undefined || around === undefined) return;
  switch (owner.kind) {
    case 'branch':
      walkDone(
        work,
        plan,
        around,
        owner,
        owner.branches.findIndex(({ scope }) => scope === walk.scope),
        ended,
      );
      return;
    case 'foreach':
    case 'gang':
      walkDone(work, plan, around, owner, walk.index.at(-1) ?? 0, ended);
      return;
    case 'switch':
      keep(work, index.walkId(around), ended);
      goOn(work, plan, around, owner, false);
      return;
    case 'repeat':
      keep(work, index.walkId(around), ended);
      endRound(work, plan, around, owner, (walk.index.at(-1) ?? 0) + 1, again);
      return;
  }
}

function endRound(work: Work, plan: RunPlan, around: Walk, repeat: RepeatPoint, rounds: number, again: boolean): void {
  if (again && rounds < repeat.most) begin(work, plan, { scope: repeat.body, index: [...around.index, rounds] });
  else goOn(work, plan, around, repeat, false);
}

/** What a switch or repeat added stays in the scope in which it lies. */
function keep(work: Work, walkId: string, { artifacts: added, rerun }: WalkState): void {
  if (rerun === true) work.markRerun(walkId);
  if (added.length === 0) return;
  const walk = work.walk(walkId);
  work.setWalk(walkId, { ...walk, artifacts: merged(walk.artifacts, added) });
}

function openPoint(
  work: Work,
  plan: RunPlan,
  walk: Walk,
  point: JoinedPoint,
  size: number,
  items: readonly Pack[],
): void {
  const { run } = work;
  if (run === undefined) return;
  const pointId = GraphIndex.of(plan.graph).stepId(walk, point);
  work.beginPoint(pointId, { size, next: 0, done: 0, packed: 0 }, items);
  if (size === 0) {
    goOn(work, plan, walk, point, false);
    return;
  }
  work.run = { ...run, ready: [...run.ready, pointId] };
  fill(work, plan, pointId);
}

function goOnWhenDone(work: Work, plan: RunPlan, around: Walk, point: JoinedPoint, pointId: string): void {
  const state = work.point(pointId);
  if (state === undefined || state.done < state.size) return;
  if (state.size > chunkSize && state.packed < Math.ceil(state.size / chunkSize)) return;
  goOn(work, plan, around, point, false);
}

function openTask(work: Work, plan: RunPlan, walk: Walk, step: TaskStep): void {
  open(work, plan, GraphIndex.of(plan.graph).stepId(walk, step), 1);
}

function openPack(work: Work, plan: RunPlan, pointId: string, chunk: number): void {
  open(work, plan, packId(pointId, chunk), 0);
}

/** A join's inputs are kept until it is accepted: another attempt gets the same. */
function openJoin(work: Work, plan: RunPlan, walk: Walk, join: JoinStep): void {
  const index = GraphIndex.of(plan.graph);
  const point = index.step(join.joins);
  if (point?.kind !== 'branch' && point?.kind !== 'foreach' && point?.kind !== 'gang') return;
  const pointId = index.stepId(walk, point);
  const state = work.point(pointId);
  if (state === undefined) return;
  if (state.rerun === true) work.markRerun(index.walkId(walk));
  const before: TaskInput = { branch: '', artifacts: visible(work, plan, walk) };
  const inPacks = state.size > chunkSize;
  const inputs = inPacks ? [] : inputsOf(point, state, work.chunk(pointId, 0));
  const packs = inPacks ? work.packs(pointId).filter((pack) => pack !== null) : [];
  work.endPoint(pointId, { withItems: point.kind === 'foreach', withPacks: inPacks });
  work.setJoinInputs(index.stepId(walk, join), { inputs: [before, ...inputs], packs });
  openTask(work, plan, walk, join);
}

function inputsOf(point: JoinedPoint, { size }: PointState, results: Chunk): TaskInput[] {
  return Array.from({ length: size }, (_, place) => ({
    branch: point.kind === 'branch' ? (point.branches[place]?.branch ?? '') : String(place),
    artifacts: results[place] ?? [],
  }));
}

function walkOf(point: Exclude<Point, SwitchPoint | RepeatPoint>, around: Walk, which: number): Walk {
  if (point.kind === 'branch') return { scope: point.branches[which]?.scope ?? '', index: around.index };
  return { scope: point.body, index: [...around.index, which] };
}

function pointPlace(plan: RunPlan, pointId: string): { readonly point: JoinedPoint; readonly walk: Walk } | undefined {
  const place = placeOf(plan.graph, packId(pointId, 0));
  return place?.kind === 'pack' ? place : undefined;
}

export function gangSize({ parameters }: Pick<RunPlan, 'parameters'>, size: number | string): number {
  if (typeof size === 'number') return size;
  return Number((JSON.parse(parameters) as Readonly<Record<string, unknown>>)[size]);
}

export function maxWorkers({ graph }: Pick<RunPlan, 'graph'>): number {
  return graph.maxWorkers ?? flowDefaults.maxWorkers;
}
