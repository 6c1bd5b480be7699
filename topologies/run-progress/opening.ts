import type { RunRequested } from '../../schemas/events.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { parseFlowGraph } from '../../schemas/flow-graph-problems.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';
import type { RunPlan, RunState } from './state.ts';
import { enter, gangSize, maxWorkers } from './walk.ts';
import type { Work } from './work.ts';

/** Opens a run and its first tasks; one that cannot run fails at once, with all reasons. */
export function openRun(work: Work, requested: RunRequested): void {
  if (work.run !== undefined) {
    work.count('runsRepeated');
    return;
  }
  const { flow, actor, bundleHash, cause } = requested;
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
  const parsed = parseFlowGraph(requested.graph);
  const resolved = parsed.problems === undefined ? resolve(parsed.graph.parameters, requested.parameters) : parsed;
  if (parsed.problems !== undefined || resolved.problems !== undefined) {
    refuse(work, run, parsed.problems ?? resolved.problems ?? []);
    return;
  }
  const plan = { graph: parsed.graph, bundleHash, parameters: JSON.stringify(resolved.values), cause };
  const problems = gangProblems(parsed.graph, plan);
  if (problems.length > 0) {
    refuse(work, run, problems);
    return;
  }
  work.run = run;
  work.plan = plan;
  work.beginWalk('');
  enter(work, plan, { scope: '', index: [] }, 0);
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
