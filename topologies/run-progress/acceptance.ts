import { derivedId } from '../../schemas/derived-ids.ts';
import type { Artifact, DeferredRequest, RememberedOutcome, TaskCompleted } from '../../schemas/events.ts';
import { inlineArtifact } from '../../schemas/codec/artifact-value.ts';
import { flowDefaults } from '../../schemas/flow-graph.ts';
import { GraphIndex, prefixesOfId } from '../../schemas/graph-index.ts';
import { closeTask } from './dispatch.ts';
import { endRun } from './run-end.ts';
import { isMemoised, memoryKeyOf } from './memory-key.ts';
import { hold, type Members, release } from './gang.ts';
import { logValues } from './log-values.ts';
import { gangOf, type PackPlace, type Place, placeOf, type StepPlace } from './places.ts';
import { type PastOutcome, type PastTask, revived, type RunPlan, type TaskState } from './state.ts';
import { addArtifacts, fillFrom, goOn, openCase, openItems, packed } from './walk.ts';
import type { Work } from './work.ts';

/**
 * A completion counts: only now its artifacts and deferred requests become facts, so a zombie or a failed attempt leaves no trace.
 */
export function accept(work: Work, plan: RunPlan, place: Place, task: TaskState, completed: TaskCompleted): void {
  switch (place.kind) {
    case 'hook':
      closeTask(work, place.taskId, task, { outcome: 'completed' });
      return;
    case 'pack':
      acceptPack(work, plan, place, task, completed);
      return;
    case 'step': {
      const gang = gangOf(plan.graph, place);
      if (gang !== undefined) {
        hold(work, gang.pointId, place, task, completed);
        return;
      }
      const artifacts = withoutFailure(place, completed.artifacts);
      if (isMemoised(plan, place)) keep(work, plan, place, { ...completed, artifacts });
      closeTask(work, place.taskId, task, { outcome: 'completed' }, outcomeOf({ ...completed, artifacts }));
      endWell(work, plan, place, task.attempt, { ...completed, artifacts });
      finishIfOver(work, plan, artifacts);
    }
  }
}

/** Why a completion cannot count although its worker holds the task; undefined when it can. */
export function completionProblem(plan: RunPlan, place: Place, { split, choice }: TaskCompleted): string | undefined {
  if (place.kind === 'pack')
    return split?.packs.length === 1 ? undefined : `the pack of '${place.pointId}' was not answered`;
  if (place.kind !== 'step') return undefined;
  const { step } = place;
  if (step.kind === 'foreach') {
    const most = plan.graph.maxSplits ?? flowDefaults.maxSplits;
    if (split === undefined || split === null) return `foreach '${step.name}' answered no items`;
    if (split.size > most)
      return `foreach '${step.name}' has ${split.size} items, at most ${most} are allowed: raise maxSplits`;
  }
  if (step.kind === 'switch' && !step.cases.some(({ key }) => key === choice)) {
    const keys = step.cases.map(({ key }) => `'${key}'`).join(', ');
    return `switch '${step.name}' answered '${choice ?? ''}'; its cases are ${keys}: add one, or answer one of these`;
  }
  return undefined;
}

/** All members of a gang completed: their artifacts become facts together. */
export function acceptGang(work: Work, plan: RunPlan, members: Members, cloned?: string): void {
  let last: readonly Artifact[] = [];
  const index = GraphIndex.of(plan.graph);
  for (const [taskId, { attempt, held }] of release(work, members, cloned)) {
    const place = placeOf(plan.graph, taskId);
    if (place?.kind !== 'step' || held === undefined) continue;
    const { requests } = held;
    last = revived(held.artifacts);
    work.beginWalk(index.walkId(place.walk));
    endWell(work, plan, place, attempt, { artifacts: last, requests, cloned });
  }
  finishIfOver(work, plan, last);
}

/** The last attempt failed and its step catches that: it counts as ended well, with the failure as its artifact. */
export function endCaught(
  work: Work,
  plan: RunPlan,
  place: StepPlace,
  task: TaskState,
  { kind, message, stack = '' }: { readonly kind: string; readonly message: string; readonly stack?: string },
): void {
  const { catch: name = 'failure', name: step } = place.step;
  const { attempt } = task;
  const failure = { step, kind, message: message.slice(0, 4_000), stack: stack.slice(0, 4_000), attempt };
  const artifacts = [inlineArtifact(name, failure)];
  const end = { outcome: kind === 'lost' ? 'lost' : 'failed', kind, message: message.slice(0, 10_000) } as const;
  closeTask(work, place.taskId, task, end, { artifacts });
  work.count('failuresCaught');
  endWell(work, plan, place, attempt, { artifacts, requests: [] });
  finishIfOver(work, plan, artifacts);
}

/** A task of a resumed run ends as it ended in its origin: by reference, and without asking for anything a second time. */
export function acceptClone(
  work: Work,
  plan: RunPlan,
  place: StepPlace,
  { attempt, dispatch }: PastTask,
  { artifacts: past, ...outcome }: PastOutcome,
): void {
  const artifacts = revived(past);
  const originRunId = plan.resume?.origin ?? '';
  const task = { attempt, dispatch, worker: null };
  closeTask(work, place.taskId, task, { outcome: 'cloned', originRunId }, { ...outcome, artifacts });
  endWell(work, plan, place, attempt, { ...outcome, artifacts, requests: [], cloned: originRunId });
  finishIfOver(work, plan, artifacts);
}

/** A memoised task ends as one like it of another run: as though it had run, what it asks for included. */
export function acceptRemembered(
  work: Work,
  plan: RunPlan,
  place: StepPlace,
  task: TaskState,
  { runId: originRunId, taskId: originTaskId, ...outcome }: RememberedOutcome,
): void {
  const token = { attempt: task.attempt + 1, dispatch: task.dispatch + 1, worker: null };
  closeTask(work, place.taskId, token, { outcome: 'recalled', originRunId, originTaskId }, outcomeOf(outcome));
  endWell(work, plan, place, token.attempt, { ...outcome, cloned: originRunId });
  finishIfOver(work, plan, outcome.artifacts);
}

/** For tasks of the same key, in whatever run. */
function keep(work: Work, plan: RunPlan, place: StepPlace, completed: TaskCompleted): void {
  const { artifacts, requests, split = null, choice = null, again = false } = completed;
  const { runId } = work;
  const { taskId, step } = place;
  const memoryKey = memoryKeyOf(work, plan, place);
  const keepMs = step.memoise?.forMs ?? flowDefaults.memoryMs;
  const outcome = { artifacts, requests, split, choice, again };
  const flow = work.run?.flow ?? '';
  const data = { memoryKey, runId, taskId, flow, step: step.name, keepMs, ...outcome };
  work.count('outcomesKept');
  work.emit({ topic: 'memory', type: 'outcome-kept', key: memoryKey, data });
}

function outcomeOf({ artifacts, split, choice, again }: Omit<Ended, 'requests'>): PastOutcome {
  return {
    artifacts,
    ...(split === undefined || split === null ? {} : { split }),
    ...(choice === undefined || choice === null ? {} : { choice }),
    ...(again === true ? { again } : {}),
  };
}

type Ended = Pick<TaskCompleted, 'artifacts' | 'requests'> &
  Partial<Pick<TaskCompleted, 'split' | 'choice' | 'again'>> & {
    /** The other run of which this is the outcome; in place the run itself. */
    readonly cloned?: string | undefined;
  };

function endWell(work: Work, plan: RunPlan, place: StepPlace, attempt: number, ended: Ended): void {
  const { run } = work;
  if (run === undefined) return;
  const { step, walk, taskId } = place;
  const { artifacts, requests, split, choice, again = false, cloned } = ended;
  // facts of another run's task become facts of this one; in place they are on the log already
  if (cloned !== work.runId) for (const artifact of artifacts) announce(work, place, attempt, artifact, cloned ?? null);
  requests.forEach((request, index) => ask(work, taskId, request, index));
  addArtifacts(work, plan, walk, step, artifacts);
  if (step.kind === 'join') work.setJoinInputs(taskId, undefined);
  if (step.kind === 'foreach') {
    const { size, packs } = split ?? { size: 0, packs: [] };
    openItems(work, plan, walk, step, { size, packs });
  } else if (step.kind === 'switch') openCase(work, plan, walk, step, choice ?? '');
  else goOn(work, plan, walk, step, again);
  fillFrom(work, plan, prefixesOfId(taskId));
}

function acceptPack(
  work: Work,
  plan: RunPlan,
  { taskId, pointId, chunk }: PackPlace,
  task: TaskState,
  { split }: TaskCompleted,
): void {
  const [pack] = split?.packs ?? [];
  closeTask(work, taskId, task, { outcome: 'completed' });
  if (pack === undefined) return;
  packed(work, plan, pointId, chunk, pack);
  fillFrom(work, plan, prefixesOfId(pointId));
}

/** Nothing is under way any more: the run has completed; what the last step returned is its result. */
function finishIfOver(work: Work, plan: RunPlan, artifacts: readonly Artifact[]): void {
  const { run, runId } = work;
  if (run === undefined || run.status !== 'running' || run.open > 0) return;
  const { opened: tasks, flow, startedAt } = run;
  work.emit({ topic: 'runs', type: 'run-completed', key: runId, data: { runId, flow, tasks, startedAt, artifacts } });
  work.endWalk('');
  endRun(work, plan, 'completed');
}

/** On success the artifact that would take the failure is null, so that what follows can tell. */
function withoutFailure({ step }: StepPlace, artifacts: readonly Artifact[]): readonly Artifact[] {
  return step.catch === undefined ? artifacts : [...artifacts, inlineArtifact(step.catch, null)];
}

function announce(
  work: Work,
  { taskId, step }: StepPlace,
  attempt: number,
  artifact: Artifact,
  originRunId: string | null,
): void {
  const { runId, run } = work;
  work.emit({
    topic: 'artifacts',
    type: 'artifact-written',
    key: runId,
    data: { runId, taskId, step: step.name, flow: run?.flow ?? '', attempt, artifact, originRunId },
  });
}

/** Says what the step asked for. The id follows from the task, so asking again, whatever the attempt, is the same request. */
function ask(work: Work, taskId: string, request: DeferredRequest, index: number): void {
  const { runId, run } = work;
  if (request.kind === 'tag-run') {
    const tags = tagsOf(request.body);
    const requestId = `${runId}.${taskId}.${index}`;
    if (tags === undefined || run === undefined) work.count('requestsRefused');
    else
      work.emit({
        topic: 'runs',
        type: 'run-tags-requested',
        key: runId,
        data: { runId, requestId, actor: run.actor, ...tags },
      });
    return;
  }
  if (request.kind === 'log-values') {
    if (run === undefined || !logValues(work, run.flow, request.body)) work.count('requestsRefused');
    return;
  }
  const body = request.kind === 'register-model' ? registrationOf(request.body) : undefined;
  if (body === undefined || run === undefined) {
    work.count('requestsRefused');
    return;
  }
  work.emit({
    topic: 'registry',
    type: 'version-requested',
    key: body.model,
    data: {
      ...body,
      requestId: derivedId(run.startedAt, runId, taskId, index),
      runId,
      taskId,
      flow: run.flow,
      actor: run.actor,
    },
  });
}

function tagsOf(body: string): { readonly add: readonly string[]; readonly remove: readonly string[] } | undefined {
  try {
    const { add = [], remove = [] } = JSON.parse(body) as { add?: readonly string[]; remove?: readonly string[] };
    const texts = [...add, ...remove].every((tag) => typeof tag === 'string');
    return texts ? { add, remove } : undefined;
  } catch {
    return undefined;
  }
}

interface Registration {
  readonly model: string;
  readonly artifact: Artifact;
  readonly metrics: Readonly<Record<string, number>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly alias: string | null;
  readonly description: string;
}

function registrationOf(body: string): Registration | undefined {
  try {
    const {
      model,
      artifact,
      metrics = {},
      tags = {},
      alias = null,
      description = '',
    } = JSON.parse(body) as Registration;
    if (typeof model !== 'string' || typeof artifact?.hash !== 'string') return undefined;
    return { model, artifact, metrics, tags, alias, description };
  } catch {
    return undefined;
  }
}
