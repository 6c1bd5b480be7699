/** Ends of runs: they make room, and are events for the flows that wait for them. */
import type { EventArrived, FinishSubscribed, RunEnded } from '../../schemas/events.ts';
import { parseTriggers } from '../../schemas/flow-triggers.ts';
import { type MatchedEvent, matchTriggers } from '../../schemas/trigger-match.ts';
import { drain, release } from './admission.ts';
import { type OpenRun, type Subscribers, subscribersKey } from './state.ts';
import type { Work } from './work.ts';

export function subscribed(work: Work, { subscriber, version, triggers, parameterNames }: FinishSubscribed): void {
  const key = subscribersKey(work.flow);
  const { [subscriber]: before, ...others } = work.get<Subscribers>(key) ?? {};
  if (before !== undefined && before.version > version) return;
  work.put(key, triggers === '' ? others : { ...others, [subscriber]: { version, triggers, parameterNames } });
}

export function ended(work: Work, end: RunEnded): void {
  const run = release(work, end.runId);
  if (run === undefined) {
    work.count('endsUnknown');
    return;
  }
  work.count('runsEnded');
  if (run.version > 0) {
    const waiting = Object.entries(work.get<Subscribers>(subscribersKey(work.flow)) ?? {});
    for (const [subscriber, waits] of waiting) announce(work, end, run, subscriber, waits);
  }
  drain(work);
}

function announce(work: Work, end: RunEnded, run: OpenRun, subscriber: string, waits: Subscribers[string]): void {
  const event = eventOf(end, run);
  const { matches, missed } = matchTriggers(parseTriggers(waits.triggers), subscriber, waits.parameterNames, event);
  const { version } = waits;
  const name = `finish:${end.flow}`;
  for (const { trigger, reason } of missed) {
    const nobody = { runId: null, with: [], missing: [], untilMs: null, key: '' };
    const data = {
      flow: subscriber,
      version,
      eventId: end.runId,
      name,
      trigger,
      outcome: 'unmatched',
      reason,
      ...nobody,
    };
    work.emit({ topic: 'starts', type: 'event-judged', key: subscriber, data });
  }
  if (matches.length === 0) return;
  const data: EventArrived = {
    flow: subscriber,
    version,
    eventId: end.runId,
    requestId: `finish.${end.runId}`,
    name,
    kind: 'finish',
    matches: matches.map(({ members, ...match }) => ({
      ...match,
      members: members.map(({ index, parameters }) => ({ index, parameters: JSON.stringify(parameters) })),
    })),
    source: null,
    chain: [...run.chain, work.flow],
    actor: `flow ${work.flow}`,
  };
  work.emit({ topic: 'starts', type: 'event-arrived', key: subscriber, data });
}

/** The end of a run as triggers see it. */
function eventOf({ flow, runId, outcome, message, startedAt, endedAt }: RunEnded, { version }: OpenRun): MatchedEvent {
  return {
    name: flow,
    finish: outcome === 'completed' ? 'success' : outcome === 'failed' ? 'failure' : 'cancelled',
    attributes: {
      id: runId,
      source: `/flows/${flow}`,
      type: 'run-ended',
      subject: runId,
      time: new Date(endedAt).toISOString(),
    },
    payload: { flow, runId, version, outcome, message, startedAt, endedAt },
  };
}
