/**
 * Admits events from the open topic: each goes to the flows with a trigger that takes it, under the flow's key, where it is judged. Each
 * offset closes by exactly one `trigger-handled`: `matched`, `unmatched`, or `refused` with the reason. Stateless: a repeated event says
 * the same again, and is dropped where it is folded.
 */
import { hash } from 'node:crypto';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceRecord, ServiceResult } from '../../runtime/engine/service.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { PoisonError } from '../../schemas/codec/event-codec.ts';
import { type OpenTrigger, parseTrigger } from '../../schemas/codec/open-events.ts';
import type { ConsideredTrigger, Position } from '../../schemas/events.ts';
import { matchTriggers, type TriggerMatch } from '../../schemas/trigger-match.ts';
import { type WaitingFlow, WaitingFlows } from './waiting-flows.ts';

/** Opens the table of flows; the service reads it to its present end before each batch, so a deployed flow misses no event. */
export async function createTriggerMatcher(runtime: Runtime): Promise<Service<'triggers'>> {
  const flows = await runtime.openTable('flows');
  const waiting = new WaitingFlows();
  return {
    name: 'trigger-matcher',
    inputs: ['triggers'],
    outputs: ['starts', 'operations'],
    summary: 'admits events to the flows that wait for them, and says which take each and which do not',
    async handle(batch) {
      await flows.refresh();
      waiting.update(flows.rows());
      const handled: Handled[] = [];
      for (const record of batch) handled.push(handle(record, runtime, waiting, await schemaError(record, runtime)));
      const of = (outcome: Handled['outcome']): number => handled.filter((one) => one.outcome === outcome).length;
      return {
        outputs: handled.flatMap(({ outputs }) => outputs),
        deadLetters: handled.flatMap(({ deadLetter }) => (deadLetter === undefined ? [] : [deadLetter])),
        count: { matched: of('matched'), unmatched: of('unmatched'), refused: of('refused') },
      };
    },
  };
}

interface Handled {
  readonly outcome: 'matched' | 'unmatched' | 'refused';
  readonly outputs: readonly IdentifiedOutput[];
  readonly deadLetter?: NonNullable<ServiceResult['deadLetters']>[number];
}

function handle({ raw }: ServiceRecord, runtime: Runtime, flows: WaitingFlows, unknown: Error | undefined): Handled {
  const source = { topic: 'triggers', partition: raw.partition, offset: raw.offset };
  const positionId = idOf('trigger', raw.partition, raw.offset);
  try {
    if (unknown !== undefined) throw unknown;
    const event = parseTrigger(raw, runtime.codec);
    // An outsider's id is told apart by its source; the position names what has no id.
    const eventId = event.id === undefined ? positionId : event.id.slice(0, 128);
    const requestId = event.id === undefined ? positionId : idOf('trigger', event.source ?? '', event.id);
    const arrived: IdentifiedOutput[] = [];
    const considered: ConsideredTrigger[] = [];
    for (const flow of flows.of(event.name)) {
      const { matches, missed } = matchTriggers(flow.triggers, flow.row.flow, flow.parameterNames, event);
      for (const { trigger } of matches) considered.push(consider(flow, trigger, true, ''));
      for (const { trigger, reason } of missed) considered.push(consider(flow, trigger, false, reason));
      if (matches.length > 0) arrived.push(arrivedOf(flow, matches, { event, eventId, requestId, source }));
    }
    const outcome = arrived.length > 0 ? 'matched' : 'unmatched';
    const reasons = considered.filter(({ matched }) => !matched).map(({ flow, reason }) => `${flow}: ${reason}`);
    const said = outcome === 'matched' || reasons.length === 0 ? outcome : `unmatched: ${reasons.join('; ')}`;
    const told = handledOf(eventId, event.name, source, said, considered);
    return { outcome, outputs: [...arrived, told] };
  } catch (error) {
    const told = handledOf(positionId, '', source, `refused: ${messageOf(error)}`, []);
    return { outcome: 'refused', outputs: [told], deadLetter: { record: raw, error } };
  }
}

interface From {
  readonly event: OpenTrigger;
  readonly eventId: string;
  readonly requestId: string;
  readonly source: Position;
}

function arrivedOf({ row }: WaitingFlow, matches: readonly TriggerMatch[], from: From): IdentifiedOutput {
  const { flow, version } = row;
  const { event, eventId, requestId, source } = from;
  return {
    topic: 'starts',
    type: 'event-arrived',
    key: flow,
    id: idOf('arrived', flow, requestId),
    data: {
      flow,
      version,
      eventId,
      requestId,
      name: event.name,
      kind: 'event',
      matches: matches.map(({ members, ...match }) => ({
        ...match,
        members: members.map(({ index, parameters }) => ({ index, parameters: JSON.stringify(parameters) })),
      })),
      source,
      chain: [],
      actor: (event.source ?? 'topic triggers').slice(0, 128),
    },
  };
}

function handledOf(
  triggerId: string,
  name: string,
  source: Position,
  outcome: string,
  considered: readonly ConsideredTrigger[],
): IdentifiedOutput {
  const flows = [...new Set(considered.filter(({ matched }) => matched).map(({ flow }) => flow))];
  return {
    topic: 'operations',
    type: 'trigger-handled',
    key: triggerId,
    id: idOf('handled', source.partition, source.offset),
    data: { triggerId, name, source, flows, outcome: outcome.slice(0, 1_000), considered },
  };
}

function consider(
  { row: { flow } }: WaitingFlow,
  trigger: string,
  matched: boolean,
  reason: string,
): ConsideredTrigger {
  return { flow, trigger, matched, reason: reason.slice(0, 500) };
}

/** "The registry has no such schema" is a verdict on the record; "it does not answer" stops the batch. */
async function schemaError({ raw: { value } }: ServiceRecord, { codec }: Runtime): Promise<Error | undefined> {
  if (value === null || codec.isPrepared(value)) return undefined;
  try {
    await codec.prepare([value]);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'UNKNOWN_SCHEMA') || error instanceof PoisonError) return error;
    throw error;
  }
}

function idOf(...parts: readonly (string | number)[]): string {
  return hash('sha256', parts.join('\u0000'), 'hex').slice(0, 32);
}
