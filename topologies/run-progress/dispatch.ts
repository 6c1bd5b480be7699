import { partitionOf } from '../../schemas/partitioner.ts';
import type { Artifact, TaskDispatched, TaskInput, Token } from '../../schemas/events.ts';
import { flowDefaults, type TaskSettings } from '../../schemas/flow-graph.ts';
import { GraphIndex } from '../../schemas/graph-index.ts';
import { fileParameters } from '../../schemas/flow-parameters.ts';
import { topics } from '../../schemas/topics.ts';
import { leaseClosed, leaseOpened } from './clock.ts';
import { gangOf, type Place, placeOf, settingsOf, stepNameOf } from './places.ts';
import { leaseName, type PastOutcome, readsOfLeases, revived, type RunPlan, type TaskState } from './state.ts';
import { framesOf, visible } from './visibility.ts';
import type { Work } from './work.ts';

/** Which attempt is offered, for the how manieth time in all, and how many attempts do not count for its retries. */
export interface Offer {
  readonly attempt: number;
  readonly dispatch: number;
  /** @default 0 */
  readonly before?: number | undefined;
  /** When this attempt was first offered. @default now */
  readonly since?: number | undefined;
  /** What earlier attempts have saved. @default none */
  readonly checkpoints?: readonly Artifact[] | undefined;
}

/** A task counts as open from here on; whoever called it says what comes next. */
export function opened(work: Work, plan: RunPlan, taskId: string, counted: number): Place | undefined {
  const { run } = work;
  const place = placeOf(plan.graph, taskId);
  if (run === undefined || place === undefined) return undefined;
  work.clock = leaseOpened(work.clock, plan.graph.leaseMs);
  work.run = { ...run, open: run.open + 1, opened: run.opened + counted };
  work.count('tasksOpened');
  if (plan.resume !== undefined)
    work.setTask(taskId, { attempt: 0, dispatch: 0, phase: 'recalled', holder: null, worker: null, dueMs: 0 });
  return place;
}

/** What the origin knows of a task, or of all members of a gang, was not fetched for this fold: it comes in a record of its own. */
export function recall(work: Work, { resume }: RunPlan, taskId: string, gang: boolean): void {
  const { runId } = work;
  const origin = resume?.origin ?? '';
  work.emit({ topic: 'runs', type: 'task-recalled', key: runId, data: { runId, taskId, origin, gang } });
}

/** Offers an attempt to workers: each dispatch lies on the partition after the one before. */
export function dispatch(work: Work, plan: RunPlan, place: Place, offer: Offer): void {
  const { run, runId, timeMs } = work;
  if (run === undefined) return;
  const { attempt, dispatch: number, before = 0, since, checkpoints = [] } = offer;
  const { graph, bundleHash, parameters } = plan;
  const { taskId } = place;
  const { timeoutMs } = settingsOf(place);
  const dueMs = timeMs + graph.startMs;
  const counted = {
    ...{ attempt, dispatch: number },
    ...(before === 0 ? {} : { before }),
    ...(since === undefined ? {} : { since }),
    ...(checkpoints.length === 0 ? {} : { checkpoints }),
  };
  setPhase(work, taskId, { ...counted, phase: 'dispatched', holder: null, worker: null }, dueMs);
  const { partitions } = topics.tasks;
  work.emit({
    topic: 'tasks',
    type: 'task-dispatched',
    key: `${runId}/${taskId}/${number}`,
    partition: (partitionOf(`${runId}/${taskId}`, partitions) + number - 1) % partitions,
    data: {
      runId,
      taskId,
      step: stepNameOf(place),
      flow: run.flow,
      attempt,
      dispatch: number,
      bundleHash,
      parameters,
      idempotencyKey: `${runId}.${taskId}`,
      timeoutMs,
      leaseMs: graph.leaseMs,
      startDeadline: dueMs,
      ...workOf(work, plan, place),
      ...(checkpoints.length === 0 ? {} : { checkpoints: [...revived(checkpoints)] }),
    },
  });
}

type TaskKindFields = Pick<
  TaskDispatched,
  'kind' | 'inputs' | 'frames' | 'items' | 'packs' | 'gang' | 'settings' | 'configuration'
>;

/** What the task works on. */
export function workOf(work: Work, plan: RunPlan, place: Place): TaskKindFields {
  const { configuration } = plan.graph;
  const common = {
    settings: JSON.stringify(executorSettings(work, plan, place)),
    ...(configuration === undefined ? {} : { configuration: JSON.stringify(configuration) }),
  };
  switch (place.kind) {
    case 'hook':
      return { kind: 'hook', inputs: [], ...common };
    case 'pack': {
      const results = work.chunk(place.pointId, place.chunk);
      return {
        kind: 'pack',
        inputs: results.map((artifacts) => ({ branch: '', artifacts: artifacts ?? [] })),
        ...common,
      };
    }
    case 'step': {
      const { step, walk, taskId } = place;
      const { frames, items } = framesOf(work, plan, walk);
      const gang = gangOf(plan.graph, place);
      const joined = step.kind === 'join' ? work.joinInputs(taskId) : undefined;
      const before: TaskInput[] = joined === undefined ? [{ branch: '', artifacts: visible(work, plan, walk) }] : [];
      return {
        kind: step.kind,
        inputs: joined?.inputs ?? before,
        packs: joined?.packs ?? [],
        frames,
        items,
        gang: gang === undefined ? null : memberOf(work, gang),
        ...common,
      };
    }
  }
}

function memberOf(
  work: Work,
  { pointId, rank }: { pointId: string; rank: number },
): NonNullable<TaskDispatched['gang']> {
  const point = work.point(pointId);
  return { point: pointId, round: point?.gang?.round ?? 1, rank, size: point?.size ?? 1 };
}

/** What a worker or executor needs of the settings; retries and the like are decided here. */
function executorSettings(work: Work, { graph }: RunPlan, place: Place): Readonly<Record<string, unknown>> {
  const { resources, compute, image, environment, secrets }: TaskSettings = settingsOf(place);
  const shown: Record<string, unknown> = { resources, compute, image, environment, secrets };
  const files = fileParameters(graph.parameters);
  if (Object.keys(files).length > 0) shown['files'] = files;
  if (place.kind === 'hook') shown['end'] = { status: work.run?.status, ...work.run?.end };
  if (place.kind === 'step' && place.step.kind === 'foreach') {
    shown['maxSplits'] = graph.maxSplits ?? flowDefaults.maxSplits;
    if (GraphIndex.of(graph).remembersInside(place.step)) shown['digests'] = true;
  }
  return shown;
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
    reads: readsOfLeases(runId, [taskId]),
    data: { runId, taskId },
  });
}

export type TaskEnd =
  | { readonly outcome: 'completed' }
  | { readonly outcome: 'failed' | 'lost'; readonly kind: string; readonly message: string }
  | { readonly outcome: 'cancelled'; readonly message: string }
  | { readonly outcome: 'cloned'; readonly originRunId: string }
  | { readonly outcome: 'recalled'; readonly originRunId: string; readonly originTaskId: string };

/**
 * Ends a task under a named outcome, which is said: it never opens again, unless its run is resumed in place. A past outcome can be taken
 * over by a run that resumes this one.
 */
export function closeTask(
  work: Work,
  taskId: string,
  task: Pick<TaskState, 'attempt' | 'dispatch' | 'worker' | 'checkpoints'>,
  end: TaskEnd,
  past?: PastOutcome,
): void {
  const { run, runId } = work;
  if (run === undefined) return;
  const { attempt, dispatch: number, worker, checkpoints = [] } = task;
  const closed = { runId, taskId, attempt, dispatch: number, worker, kind: null, message: '', ...end };
  // in place it was said when it happened
  if (end.outcome !== 'cloned' || end.originRunId !== runId)
    work.emit({ topic: 'runs', type: 'task-closed', key: runId, data: closed });
  work.setTask(taskId, undefined);
  // a recall that never came to anything leaves what was known of the task as it is
  const saved = checkpoints.length === 0 ? {} : { checkpoints };
  if (number > 0)
    work.setPast(taskId, { attempt, dispatch: number, ...(past === undefined ? saved : { outcome: past }) });
  work.clearTimer(leaseName(work.runId, taskId));
  work.clock = leaseClosed(work.clock);
  work.run = { ...run, open: run.open - 1 };
  work.count(`tasks${end.outcome[0]?.toUpperCase() ?? ''}${end.outcome.slice(1)}`);
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
