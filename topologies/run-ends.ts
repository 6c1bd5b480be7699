/**
 * Forwards the end of each run to its flow's partition of `starts`: a stateless map. There it makes room for the next run, and is an
 * event for the flows that wait for it.
 */
import { type Effects, nothing, type Topology } from '../runtime/engine/topology.ts';
import type { RunEnded } from '../schemas/events.ts';

export const runEnds: Topology<'runs'> = {
  name: 'run-ends',
  version: 1,
  input: 'runs',
  outputs: ['starts'],
  lingerMs: 10,
  summary: 'forwards ends of runs to their flows',

  fold(event): Effects {
    switch (event.type) {
      case 'run-completed':
        return forward(event.data, 'completed', '', event.timeMs);
      case 'run-failed':
        return forward(event.data, 'failed', `${event.data.step}: ${event.data.message}`, event.timeMs);
      case 'run-cancelled':
        return forward(event.data, 'cancelled', event.data.reason, event.timeMs);
      default:
        return nothing;
    }
  },
};

function forward(
  { flow, runId, startedAt }: Pick<RunEnded, 'flow' | 'runId' | 'startedAt'>,
  outcome: string,
  message: string,
  endedAt: number,
): Effects {
  const data = { flow, runId, outcome, message: message.slice(0, 1_000), startedAt, endedAt };
  return { emit: [{ topic: 'starts', type: 'run-ended', key: flow, data }], count: { ends: 1 } };
}
