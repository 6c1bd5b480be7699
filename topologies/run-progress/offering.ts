/**
 * What comes of a task that opens. In a resumed run what its origin knows of it is recalled first. A memoised one asks `memory` for an
 * outcome of its key; an answer that does not come in time is not waited for. Any other is offered to workers at once.
 */
import { dispatch, type Offer, opened, recall, setPhase } from './dispatch.ts';
import { isMemoised, memoryKeyOf } from './memory-key.ts';
import type { Place } from './places.ts';
import type { RunPlan } from './state.ts';
import type { Work } from './work.ts';

export function open(work: Work, plan: RunPlan, taskId: string, counted: number): void {
  const place = opened(work, plan, taskId, counted);
  if (place === undefined) return;
  if (plan.resume === undefined) offer(work, plan, place, { attempt: 1, dispatch: 1 });
  else recall(work, plan, taskId, false);
}

/** The first attempt of a task, unless an outcome is remembered for it. */
export function offer(work: Work, plan: RunPlan, place: Place, first: Offer): void {
  const named = plan.resume?.from ?? null;
  // whoever names a step wants what follows to be run
  if (!isMemoised(plan, place) || place.step.memoise?.refresh === true || named !== null) {
    dispatch(work, plan, place, first);
    return;
  }
  const { runId } = work;
  const { taskId, step } = place;
  const { attempt, dispatch: number, before, checkpoints } = first;
  const counted = {
    ...{ attempt: attempt - 1, dispatch: number - 1 },
    ...(before === undefined ? {} : { before }),
    ...(checkpoints === undefined ? {} : { checkpoints }),
  };
  setPhase(work, taskId, { ...counted, phase: 'sought', holder: null, worker: null }, work.timeMs + plan.graph.startMs);
  const memoryKey = memoryKeyOf(work, plan, place);
  work.count('outcomesSought');
  work.emit({
    topic: 'memory',
    type: 'outcome-sought',
    key: memoryKey,
    data: { memoryKey, runId, taskId, forMs: step.memoise?.forMs ?? null },
  });
}
