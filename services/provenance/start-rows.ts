/** What facts about starts mean for the tables: outcomes of events and slots, and what people did to flows. */
import type { FollowedEvent } from '../../runtime/engine/runtime.ts';
import type { Change } from './rows.ts';

type Place = { readonly topic: string; readonly partition: number; readonly offset: number };

export function startRows(event: FollowedEvent<'starts'>, at: Place): readonly Change[] {
  const time_ms = event.timeMs;
  switch (event.type) {
    case 'event-judged': {
      const { eventId, flow, trigger, key, name, version, outcome, reason, runId, missing, untilMs } = event.data;
      const row = {
        event_id: eventId,
        flow,
        trigger,
        key,
        name,
        version,
        outcome,
        reason,
        run_id: runId,
        joined_with: JSON.stringify(event.data.with),
        missing: JSON.stringify(missing),
        until_ms: untilMs,
        time_ms,
        ...at,
      };
      return [{ table: 'event_outcomes', row, set: eventUpdate }];
    }
    case 'slots-judged': {
      const { flow, schedule, firstMs, lastMs, count, backfill, outcome, reason, runId } = event.data;
      if (outcome === 'early') return [];
      const when = { first_ms: firstMs, last_ms: lastMs, count, backfill: backfill ?? '' };
      const row = { flow, schedule, ...when, outcome, reason, run_id: runId, time_ms, ...at };
      return [{ table: 'slots', row, set: ['last_ms', 'count', 'outcome', 'reason', 'run_id', 'time_ms'] }];
    }
    case 'start-queued': {
      const { flow, requestId, reason, cause } = event.data;
      const row = { flow, request_id: requestId, cause_kind: cause.kind, reason, time_ms, ...at };
      return [{ table: 'waiting_starts', row }];
    }
    case 'start-skipped':
    case 'start-refused':
      return [startOver(event.data)];
    case 'flow-deployed': {
      const { flow, version, actor, bundleHash, token } = event.data;
      return [action(flow, 'deploy', version, actor, { bundleHash, token }, time_ms, at)];
    }
    case 'flow-controlled': {
      const { flow, action: what, actor, reason, runs, withdrawn } = event.data;
      return [action(flow, what, null, actor, { reason, runs, withdrawn }, time_ms, at)];
    }
    case 'backfill-accepted': {
      const { flow, actor, schedule, started, queued, refused, requestId } = event.data;
      return [action(flow, 'backfill', null, actor, { schedule, started, queued, refused, requestId }, time_ms, at)];
    }
    default:
      return [];
  }
}

/** It waits no longer, if it ever did. */
export function startOver({ flow, requestId }: { readonly flow: string; readonly requestId: string }): Change {
  return { table: 'waiting_starts', remove: { flow, request_id: requestId } };
}

const eventUpdate = [
  'version',
  'outcome',
  'reason',
  'run_id',
  'joined_with',
  'missing',
  'until_ms',
  'time_ms',
] as const;

function action(
  flow: string,
  what: string,
  version: number | null,
  actor: string,
  detail: object,
  time_ms: number,
  at: Place,
): Change {
  return {
    table: 'flow_actions',
    row: { flow, action: what, version, actor, detail: JSON.stringify(detail), time_ms, ...at },
  };
}
