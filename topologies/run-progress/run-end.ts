import { open as openTask } from './offering.ts';
import type { HookId } from './places.ts';
import { forgetName, readsOfForgetting, type RunPlan, type RunState } from './state.ts';
import { flowDefaults } from '../../schemas/flow-graph.ts';
import type { Work } from './work.ts';

/** What remains of a run that is over: enough to refuse what comes late, to resume it, and its exit hook if it has one. */
export function endRun(
  work: Work,
  plan: RunPlan,
  status: Exclude<RunState['status'], 'running'>,
  end?: NonNullable<RunState['end']>,
): void {
  const { run } = work;
  if (run === undefined) return;
  work.run = { ...run, status, ready: [], resuming: false, ...(end === undefined ? {} : { end }) };
  work.count(`runs${status[0]?.toUpperCase() ?? ''}${status.slice(1)}`);
  forgetLater(work, work.runId, plan);
  const hook = hookOf(plan, status);
  if (hook !== undefined) openTask(work, plan, hook, 0);
  if (status === 'completed') return;
  const { runId } = work;
  work.emit({ topic: 'runs', type: 'run-swept', key: runId, data: { runId } });
}

/** What is kept of a run that is over goes so long after its end, or after the last run that resumed it began. */
export function forgetLater(work: Work, runId: string, { graph }: RunPlan): void {
  work.setTimer({
    name: forgetName(runId),
    dueMs: work.timeMs + (graph.resumableMs ?? flowDefaults.resumableMs),
    reads: readsOfForgetting(runId),
    data: { forget: runId },
  });
}

/** A cancelled run has no hook: whoever cancelled it knows. */
function hookOf({ graph }: RunPlan, status: RunState['status']): HookId | undefined {
  if (status === 'completed') return graph.hooks?.success === undefined ? undefined : '-success';
  return status === 'failed' && graph.hooks?.error !== undefined ? '-error' : undefined;
}
