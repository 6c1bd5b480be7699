/** Pausing, resuming, terminating and removing a flow. */
import type { FlowContinued, FlowControlRequested } from '../../schemas/events.ts';
import { parseTriggers } from '../../schemas/flow-triggers.ts';
import { drain } from './admission.ts';
import { sayRow, subscribe } from './deploying.ts';
import { judge } from './judging.ts';
import { endingKey, type OpenRun, openKey, openPrefix, queuePrefix, type Start, stopsPerFold } from './state.ts';
import type { Work } from './work.ts';

/** Answers why it is refused; undefined when it was done. */
export function control(work: Work, request: FlowControlRequested): string | undefined {
  const { flow } = work;
  const { action, requestId, reason, actor } = request;
  const said = { runs: 0, withdrawn: 0 };
  switch (action) {
    case 'pause':
    case 'resume': {
      const pause = action === 'pause';
      if (work.current === undefined) return `there is no deployed flow '${flow}'`;
      if (work.counts.paused === pause) return `flow '${flow}' is ${pause ? 'paused already' : 'not paused'}`;
      work.change({ paused: pause });
      sayRow(work);
      if (!pause) drain(work);
      break;
    }
    case 'terminate':
      said.withdrawn = withdrawStarts(work, `terminated by ${actor}`);
      said.runs = stopRuns(work, { requestId, reason, actor, runs: 0 });
      break;
    case 'remove': {
      const { current } = work;
      if (current === undefined) return `there is no deployed flow '${flow}'`;
      said.withdrawn = withdrawStarts(work, `the flow was removed by ${actor}`);
      work.current = { ...current, removed: true };
      work.change({ paused: false });
      sayRow(work);
      subscribe(work, parseTriggers(current.triggers), [], []);
      break;
    }
    default:
      return `there is no action '${action.slice(0, 40)}': use pause, resume, terminate or remove`;
  }
  const data = { flow, requestId, action, reason, actor, ...said };
  work.emit({ topic: 'starts', type: 'flow-controlled', key: flow, data });
  return undefined;
}

/** Goes on where a record stopped because it was enough. */
export function goOn(work: Work, continued: FlowContinued): void {
  if (continued.work === 'queue') drain(work);
  else stopRuns(work, continued);
}

/** Asks open runs to stop, so many at once; they stay open until they have ended. Answers how many. */
function stopRuns(work: Work, by: Pick<FlowContinued, 'requestId' | 'reason' | 'actor' | 'runs'>): number {
  const { flow } = work;
  const { requestId, reason, actor } = by;
  const page = work.range<OpenRun>(openPrefix(flow));
  for (const [key, run] of page) {
    const runId = key.slice(openPrefix(flow).length);
    work.delete(openKey(flow, runId));
    work.put(endingKey(flow, runId), run);
    work.emit({ topic: 'runs', type: 'run-cancel-requested', key: runId, data: { runId, requestId, actor, reason } });
  }
  if (page.length === stopsPerFold) {
    const data = { flow, work: 'terminate', requestId, reason, actor, runs: by.runs + page.length };
    work.emit({ topic: 'starts', type: 'flow-continued', key: flow, data });
  }
  return page.length;
}

function withdrawStarts(work: Work, reason: string): number {
  let withdrawn = 0;
  for (const [key, start] of work.range<Start>(queuePrefix(work.flow))) {
    work.delete(key);
    judge(work, start, { outcome: 'skipped', reason });
    withdrawn += 1;
  }
  if (withdrawn > 0) work.change({ queued: 0 });
  return withdrawn;
}
