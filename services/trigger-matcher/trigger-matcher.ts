/**
 * Admits events from the open topic, and alerts that the platform raised: each goes to the flows with a trigger that takes it, under the
 * flow's key, where it is judged. Each offset closes by exactly one `trigger-handled`: `matched`, `unmatched`, or `refused` with the reason;
 * an alert that no flow waits for is no trigger. Stateless: a repeated event says the same again, and is dropped where it is folded.
 */
import { unknownSchemaOf } from '../../runtime/engine/unknown-schema.ts';
import { idOf } from '../../schemas/derived-ids.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceRecord, ServiceResult } from '../../runtime/engine/service.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import { parseTrigger } from '../../schemas/codec/open-events.ts';
import type { AlertRaised, ConsideredTrigger, Position } from '../../schemas/events.ts';
import { type MatchedEvent, matchTriggers, type TriggerMatch } from '../../schemas/trigger-match.ts';
import { type WaitingFlow, WaitingFlows } from './waiting-flows.ts';

/** Opens the table of flows; the service reads it to its present end before each batch, so a deployed flow misses no event. */
export async function createTriggerMatcher(runtime: Runtime): Promise<Service<'triggers' | 'alerts'>> {
  const flows = await runtime.openTable('flows');
  const waiting = new WaitingFlows();
  return {
    name: 'trigger-matcher',
    inputs: ['triggers', 'alerts'],
    outputs: ['starts', 'operations'],
    summary: 'admits events and alerts to the flows that wait for them, and says which take each and which do not',
    async handle(batch) {
      await flows.refresh();
      waiting.update(flows.rows());
      const handled: Handled[] = [];
      for (const record of batch) {
        const { event } = record;
        if (event === undefined)
          handled.push(handle(record, runtime, waiting, await unknownSchemaOf(record.raw.value, runtime.codec)));
        else if (event.type === 'alert-raised') handled.push(handleAlert(record, event.data, waiting));
      }
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
    const actor = (event.source ?? 'topic triggers').slice(0, 128);
    // over HTTP the gateway has made one id of who sent it and of its own
    const own = event.attributes['id']?.slice(0, 256);
    const givenId = own === undefined || own === '' || own === eventId ? null : own;
    return offer(flows.of(event.name), { event, name: event.name, eventId, givenId, requestId, source, actor });
  } catch (error) {
    const told = handledOf(positionId, '', source, `refused: ${messageOf(error)}`, [], null);
    return { outcome: 'refused', outputs: [told], deadLetter: { record: raw, error } };
  }
}

/** An alert is named by its id, so that `explain` finds what it started. */
function handleAlert({ raw }: ServiceRecord, alert: AlertRaised, flows: WaitingFlows): Handled {
  const { deployment, alertId } = alert;
  const waiting = flows.ofAlert(deployment);
  if (waiting.length === 0) return { outcome: 'unmatched', outputs: [] };
  const source = { topic: 'alerts', partition: raw.partition, offset: raw.offset };
  const attributes = { id: alertId, type: 'alert-raised', subject: deployment };
  const event: MatchedEvent = { name: deployment, alert: true, attributes, payload: { ...alert } };
  const requestId = idOf('alert', alertId, raw.partition, raw.offset);
  const actor = `${alert.kind} alert of ${deployment}`.slice(0, 128);
  return offer(waiting, {
    event,
    name: `alert:${deployment}`,
    eventId: alertId,
    givenId: null,
    requestId,
    source,
    actor,
  });
}

function offer(flows: readonly WaitingFlow[], from: From): Handled {
  const { event, name, eventId, givenId, source } = from;
  const arrived: IdentifiedOutput[] = [];
  const considered: ConsideredTrigger[] = [];
  for (const flow of flows) {
    const { matches, missed } = matchTriggers(flow.triggers, flow.row.flow, flow.parameterNames, event);
    for (const { trigger } of matches) considered.push(consider(flow, trigger, true, ''));
    for (const { trigger, reason } of missed) considered.push(consider(flow, trigger, false, reason));
    if (matches.length > 0) arrived.push(arrivedOf(flow, matches, from));
  }
  const outcome = arrived.length > 0 ? 'matched' : 'unmatched';
  const reasons = considered.filter(({ matched }) => !matched).map(({ flow, reason }) => `${flow}: ${reason}`);
  const said = outcome === 'matched' || reasons.length === 0 ? outcome : `unmatched: ${reasons.join('; ')}`;
  return { outcome, outputs: [...arrived, handledOf(eventId, name, source, said, considered, givenId)] };
}

interface From {
  readonly event: MatchedEvent;
  /** By which facts call it. */
  readonly name: string;
  readonly eventId: string;
  /** By which its publisher calls it, when that is another one. */
  readonly givenId: string | null;
  readonly requestId: string;
  readonly source: Position;
  readonly actor: string;
}

function arrivedOf({ row }: WaitingFlow, matches: readonly TriggerMatch[], from: From): IdentifiedOutput {
  const { flow, version } = row;
  const { name, eventId, requestId, source, actor } = from;
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
      name,
      kind: 'event',
      matches: matches.map(({ members, ...match }) => ({
        ...match,
        members: members.map(({ index, parameters }) => ({ index, parameters: JSON.stringify(parameters) })),
      })),
      source,
      chain: [],
      actor,
    },
  };
}

function handledOf(
  triggerId: string,
  name: string,
  source: Position,
  outcome: string,
  considered: readonly ConsideredTrigger[],
  givenId: string | null,
): IdentifiedOutput {
  const flows = [...new Set(considered.filter(({ matched }) => matched).map(({ flow }) => flow))];
  return {
    topic: 'operations',
    type: 'trigger-handled',
    key: triggerId,
    id: idOf('handled', ...(source.topic === 'triggers' ? [] : [source.topic]), source.partition, source.offset),
    data: { triggerId, name, source, flows, outcome: outcome.slice(0, 1_000), considered, givenId },
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
