import { derivedId } from '../../schemas/derived-ids.ts';
import type { Artifact, DeferredRequest, TaskCompleted } from '../../schemas/events.ts';
import { type GraphStep, stepsAfter } from '../../schemas/flow-graph.ts';
import { closeTask, merged, openTask } from './dispatch.ts';
import { endRun } from './ending.ts';
import type { RunPlan, RunState } from './state.ts';
import type { Work } from './work.ts';

/**
 * A completion counts: only now its artifacts and deferred requests become facts, so a zombie or a failed attempt leaves no trace.
 */
export function accept(work: Work, plan: RunPlan, step: GraphStep, completed: TaskCompleted): void {
  const { run } = work;
  if (run === undefined) return;
  for (const artifact of completed.artifacts) announce(work, run, step, completed, artifact);
  completed.requests.forEach((request, index) => ask(work, run, completed, request, index));
  closeTask(work, step.name, 'Completed');
  work.run = withArtifacts(work.run ?? run, step, completed.artifacts);
  openNext(work, plan, step.name);
  if (work.run.open > 0) return;
  const { opened: tasks, flow, startedAt } = work.run;
  const { runId } = work;
  endRun(work, 'completed');
  work.emit({
    topic: 'runs',
    type: 'run-completed',
    key: runId,
    data: { runId, flow, tasks, startedAt, artifacts: completed.artifacts },
  });
}

/** Opens every step whose predecessors have all ended well; without a name, the first ones. */
export function openNext(work: Work, plan: RunPlan, after: string | undefined): void {
  for (const step of stepsAfter(plan.graph, after)) {
    const { run } = work;
    if (run !== undefined && step.after.every((name) => run.completed.includes(name))) openTask(work, run, plan, step);
  }
}

function withArtifacts(run: RunState, step: GraphStep, added: readonly Artifact[]): RunState {
  const completed = [...run.completed, step.name];
  const own = run.scopes[step.scope];
  if (step.kind === 'step') {
    const scope = { artifacts: merged(own?.artifacts ?? [], added), cut: own?.cut ?? false };
    return { ...run, completed, scopes: { ...run.scopes, [step.scope]: scope } };
  }
  const ended = new Set(step.joins.map(({ scope }) => scope));
  const left = Object.entries(run.scopes).filter(([scope]) => !ended.has(scope));
  return { ...run, completed, scopes: { ...Object.fromEntries(left), [step.scope]: { artifacts: added, cut: true } } };
}

function announce(
  work: Work,
  run: RunState,
  step: GraphStep,
  { taskId, token }: TaskCompleted,
  artifact: Artifact,
): void {
  const { runId } = work;
  const { attempt } = token;
  work.emit({
    topic: 'artifacts',
    type: 'artifact-written',
    key: runId,
    data: { runId, taskId, step: step.name, flow: run.flow, attempt, artifact },
  });
}

/** Says what the step asked for. The id follows from the task, so asking again, whatever the attempt, is the same request. */
function ask(work: Work, run: RunState, { taskId }: TaskCompleted, request: DeferredRequest, index: number): void {
  const { runId } = work;
  const body = request.kind === 'register-model' ? registrationOf(request.body) : undefined;
  if (body === undefined) {
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
