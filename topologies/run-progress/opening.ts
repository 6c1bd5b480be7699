import type { Resume, RunRequested } from '../../schemas/events.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { parseFlowGraph } from '../../schemas/flow-graph-problems.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';
import { type OpenTasks, revokeOpen } from './ending.ts';
import { forgetLater } from './run-end.ts';
import { forgetName, type RunPlan, type RunState } from './state.ts';
import { openTags } from './tagging.ts';
import { enter, gangSize, maxWorkers } from './walk.ts';
import type { Work } from './work.ts';

/** Opens a run and its first tasks; one that cannot run fails at once, with all reasons. */
export function openRun(work: Work, requested: RunRequested, open: OpenTasks): void {
  const { resume = null } = requested;
  const before = work.run;
  if (before !== undefined) {
    if (resume?.runId === work.runId && before.status !== 'running') resumeInPlace(work, before, requested, open);
    else work.count('runsRepeated');
    return;
  }
  const { flow, actor } = requested;
  const { timeMs } = work;
  const run: RunState = {
    status: 'running',
    flow,
    startedAt: timeMs,
    actor,
    open: 0,
    opened: 0,
    ready: [],
    resuming: false,
  };
  work.count('runsOpened');
  openTags(work, requested);
  const planned = resume === null ? planOf(requested, requested.slotMs ?? timeMs) : planFrom(work, requested, resume);
  if (planned.problems !== undefined) {
    refuse(work, run, planned.problems);
    return;
  }
  const { plan } = planned;
  if (resume !== null) forgetLater(work, resume.runId, plan);
  work.run = run;
  work.plan = plan;
  begin(work, plan);
}

/** What the walks of a run that is resumed in place have left is swept: it begins. */
export function begin(work: Work, plan: RunPlan): void {
  work.beginWalk('');
  enter(work, plan, { scope: '', index: [] }, 0);
}

/** The run goes on under its own id. Whatever is still open of it, an exit hook, is stopped. */
function resumeInPlace(work: Work, before: RunState, requested: RunRequested, open: OpenTasks): void {
  const { resume = null } = requested;
  if (resume === null) return;
  const { runId, timeMs } = work;
  revokeOpen(work, open, 'the run is resumed');
  work.count('runsOpened');
  const { end: _end, ...run } = work.run ?? before;
  const planned = planFrom(work, requested, resume);
  if (planned.problems !== undefined) {
    refuse(work, run, planned.problems);
    return;
  }
  work.run = { ...run, status: 'running', startedAt: timeMs, opened: 0, sweeping: true };
  work.plan = planned.plan;
  work.clearTimer(forgetName(runId));
  work.emit({ topic: 'runs', type: 'run-swept', key: runId, data: { runId } });
}

type Planned = { readonly plan: RunPlan; readonly problems?: undefined } | { readonly problems: readonly string[] };

function planOf({ graph, parameters, bundleHash, cause }: RunRequested, asOfMs: number): Planned {
  const parsed = parseFlowGraph(graph);
  if (parsed.problems !== undefined) return parsed;
  const resolved = resolve(parsed.graph.parameters, parameters);
  if (resolved.problems !== undefined) return { problems: resolved.problems };
  const plan = { graph: parsed.graph, bundleHash, parameters: JSON.stringify(resolved.values), cause, asOfMs };
  const problems = gangProblems(parsed.graph, plan);
  return problems.length > 0 ? { problems } : { plan };
}

/** Parameters and configuration are the origin's, whatever the code is. */
function planFrom(work: Work, requested: RunRequested, resume: Resume): Planned {
  const { runId: origin, from = null } = resume;
  const past = work.planOf(origin);
  if (past === undefined)
    return { problems: [`run '${origin}' cannot be resumed: nothing is kept of it; start the flow anew`] };
  if (origin !== work.runId && work.runOf(origin)?.status === 'running')
    return { problems: [`run '${origin}' is still running: wait for its end, or cancel it, before it is resumed`] };
  const { configuration } = past.graph;
  const { asOfMs = work.timeMs } = past;
  const given = requested.graph === '' ? past : planOf({ ...requested, parameters: past.parameters }, asOfMs);
  if ('problems' in given && given.problems !== undefined) return given;
  const { graph, bundleHash } = 'plan' in given ? given.plan : given;
  const names = graph.steps.map(({ name }) => name);
  if (from !== null && !names.includes(from))
    return { problems: [`flow '${graph.name}' has no step '${from}': its steps are ${names.join(', ')}`] };
  const { cause } = requested;
  return {
    plan: {
      graph: configuration === undefined ? graph : { ...graph, configuration },
      bundleHash,
      parameters: past.parameters,
      cause,
      asOfMs,
      resume: { origin, from },
    },
  };
}

function refuse(work: Work, run: RunState, problems: readonly string[]): void {
  const { runId, timeMs } = work;
  const message = problems.join('; ').slice(0, 10_000);
  work.run = { ...run, status: 'failed' };
  work.count('runsFailed');
  work.emit({
    topic: 'runs',
    type: 'run-failed',
    key: runId,
    data: { runId, flow: run.flow, startedAt: timeMs, taskId: '', step: '', kind: 'invalid', message },
  });
}

/** A gang begins together, so it must fit into what the run may have under way. */
function gangProblems(graph: FlowGraph, plan: RunPlan): string[] {
  const most = maxWorkers(plan);
  return graph.steps.flatMap((step) => {
    if (step.kind !== 'gang') return [];
    const size = gangSize(plan, step.size);
    if (Number.isInteger(size) && size >= 1 && size <= most) return [];
    return [
      size > most
        ? `gang '${step.name}' needs ${size} tasks at once and the run may have ${most}: raise maxWorkers`
        : `gang '${step.name}': its size must be an integer of at least 1, got ${size}`,
    ];
  });
}

function resolve(specs: Parameters<typeof resolveParameters>[0], text: string): ReturnType<typeof resolveParameters> {
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given !== 'object' || given === null || Array.isArray(given))
      return { problems: ['the parameters must be a JSON object'] };
    return resolveParameters(specs, given as Readonly<Record<string, unknown>>);
  } catch {
    return { problems: ['the parameters are no JSON'] };
  }
}
