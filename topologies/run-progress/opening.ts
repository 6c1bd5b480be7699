import type { RunRequested } from '../../schemas/events.ts';
import { parseFlowGraph } from '../../schemas/flow-graph.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';
import { openNext } from './acceptance.ts';
import type { RunState } from './state.ts';
import type { Work } from './work.ts';

/** Opens a run and its first tasks; one that cannot run fails at once, with all reasons. */
export function openRun(work: Work, requested: RunRequested): void {
  if (work.run !== undefined) {
    work.count('runsRepeated');
    return;
  }
  const { flow, actor, bundleHash, cause } = requested;
  const { runId, timeMs } = work;
  const run: RunState = {
    status: 'running',
    flow,
    startedAt: timeMs,
    actor,
    open: 0,
    opened: 0,
    completed: [],
    scopes: {},
  };
  work.count('runsOpened');
  const parsed = parseFlowGraph(requested.graph);
  const resolved = parsed.problems === undefined ? resolve(parsed.graph.parameters, requested.parameters) : parsed;
  if (parsed.problems !== undefined || resolved.problems !== undefined) {
    const message = (parsed.problems ?? resolved.problems ?? []).join('; ').slice(0, 10_000);
    work.run = { ...run, status: 'failed' };
    work.count('runsFailed');
    work.emit({
      topic: 'runs',
      type: 'run-failed',
      key: runId,
      data: { runId, flow, startedAt: timeMs, taskId: '', step: '', kind: 'invalid', message },
    });
    return;
  }
  const plan = { graph: parsed.graph, bundleHash, parameters: JSON.stringify(resolved.values), cause };
  work.run = run;
  work.plan = plan;
  openNext(work, plan, undefined);
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
