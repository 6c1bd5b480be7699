/** What an event would do that nobody has sent: the judgement of the matcher and of the fold, as far as it can be known now. */
import type { HypotheticalOutcome, TriggerOutcome } from '../../schemas/api/flows.ts';
import type { FlowRow } from '../../schemas/events.ts';
import { parseFlowGraph } from '../../schemas/flow-graph-problems.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';
import {
  type EventTrigger,
  type FlowTrigger,
  isSchedule,
  parseTriggers,
  sourceName,
  sourcesOf,
  triggerName,
} from '../../schemas/flow-triggers.ts';
import { awaited, type MatchedEvent, matchTriggers, type TriggerMatch } from '../../schemas/trigger-match.ts';
import type { Queries } from './queries.ts';

/** One entry for each trigger that waits for an event of that name. */
export async function judgeHypothetical(
  rows: readonly FlowRow[],
  event: MatchedEvent,
  queries: Queries,
): Promise<readonly HypotheticalOutcome[]> {
  const outcomes: HypotheticalOutcome[] = [];
  for (const row of rows) {
    const triggers = parseTriggers(row.triggers);
    if (!awaited(triggers, row.flow).events.has(event.name)) continue;
    const parsed = parseFlowGraph(row.graph);
    const names = parsed.problems === undefined ? Object.keys(parsed.graph.parameters) : [];
    const { matches, missed } = matchTriggers(triggers, row.flow, names, event);
    const about = { flow: row.flow, version: row.version, parameters: {}, with: [], missing: [] };
    for (const { trigger, reason } of missed) outcomes.push({ ...about, trigger, outcome: 'unmatched', reason });
    for (const match of matches) outcomes.push({ ...about, ...(await judgeMatch(row, triggers, match, queries)) });
  }
  return outcomes;
}

type Judgement = Pick<HypotheticalOutcome, 'trigger' | 'outcome' | 'reason'> & Partial<HypotheticalOutcome>;

async function judgeMatch(
  row: FlowRow,
  triggers: readonly FlowTrigger[],
  match: TriggerMatch,
  queries: Queries,
): Promise<Judgement> {
  const { trigger: name, key } = match;
  const trigger = triggers.find((one): one is EventTrigger => !isSchedule(one) && triggerName(one) === name);
  const [member] = match.members;
  if (trigger === undefined || member === undefined) return { trigger: name, outcome: 'unmatched', reason: '' };
  if (row.paused) return { trigger: name, outcome: 'paused', reason: 'the flow is paused' };
  const waiting = (await queries.waitingEvents(row.flow, name)).filter((one) => one.key === key);
  const { parameters } = member;
  if (trigger.debounce !== undefined) {
    const gone = waiting.map(({ eventId }) => eventId);
    const reason = `starts when it has been quiet for ${trigger.debounce.quietMs} ms${gone.length > 0 ? `, in the place of ${gone.join(', ')}` : ''}`;
    return { trigger: name, outcome: 'waiting', reason, parameters };
  }
  if (trigger.all === undefined) return parametersOutcome(row, name, parameters);
  const others = joining(trigger, member.index, waiting);
  const present = new Set(others.map(({ name: other }) => other));
  const missing = sourcesOf(trigger).flatMap((source, index) =>
    index === member.index || present.has(sourceName(source)) ? [] : [sourceName(source)],
  );
  const ids = others.map(({ eventId }) => eventId);
  if (missing.length > 0)
    return {
      trigger: name,
      outcome: 'waiting',
      reason: `waits for ${missing.join(', ')}`,
      missing,
      with: ids,
      parameters,
    };
  return { trigger: name, outcome: 'joined', reason: '', with: ids, parameters };
}

/** The oldest waiting event of each other member. */
function joining(trigger: EventTrigger, own: number, waiting: readonly TriggerOutcome[]): readonly TriggerOutcome[] {
  return sourcesOf(trigger).flatMap((source, index) => {
    const oldest = waiting.find(({ name }) => name === sourceName(source));
    return index === own || oldest === undefined ? [] : [oldest];
  });
}

function parametersOutcome(row: FlowRow, trigger: string, given: Readonly<Record<string, unknown>>): Judgement {
  const parsed = parseFlowGraph(row.graph);
  if (parsed.problems !== undefined) return { trigger, outcome: 'refused', reason: parsed.problems.join('; ') };
  const resolved = resolveParameters(parsed.graph.parameters, given);
  if (resolved.problems !== undefined) return { trigger, outcome: 'refused', reason: resolved.problems.join('; ') };
  return { trigger, outcome: 'started', reason: '', parameters: resolved.values };
}
