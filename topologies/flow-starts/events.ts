/**
 * Events that triggers of the flow take. A trigger for one event starts a run at once; one for all of several holds each event until the
 * others have come, and uses each once, the oldest first; a debounced one holds the newest until it is quiet. Each event ends in a named
 * outcome: started, joined, queued, skipped, superseded, expired, paused or refused.
 */
import { idOf } from '../../schemas/derived-ids.ts';
import type { DueTimer, StateView } from '../../runtime/engine/topology.ts';
import type { ArrivedMatch, EventArrived } from '../../schemas/events.ts';
import { durationText } from '../../schemas/durations.ts';
import {
  type EventTrigger,
  isSchedule,
  parseTriggers,
  sourceName,
  sourcesOf,
  triggerDefaults,
  triggerLimits,
  triggerName,
} from '../../schemas/flow-triggers.ts';
import { triggerDigest } from '../../schemas/trigger-match.ts';
import { admit } from './admission.ts';
import { sayEvent } from './judging.ts';
import { type Held, type HeldEvent, heldKey, readsOfHeld } from './state.ts';
import { Work } from './work.ts';

export function arrive(work: Work, event: EventArrived): void {
  for (const match of event.matches) take(work, event, match);
}

/** Names what the timer is about; small plain data. */
interface HeldTimer {
  readonly flow: string;
  readonly trigger: string;
  readonly key: string;
}

/** Held events have waited long enough: debounced ones start, others expire. */
export function heldTimer(timer: DueTimer, state: StateView): Work {
  const { flow, trigger: name, key } = timer.data as HeldTimer;
  const work = new Work(state, flow, timer.timeMs);
  const at = heldKey(flow, name, key);
  const held = work.get<Held>(at);
  if (held === undefined) return work;
  const trigger = triggerOf(work, name, held.digest);
  if (trigger === undefined) {
    withdraw(work, name, held);
    work.delete(at);
    return work;
  }
  if (trigger.debounce !== undefined) {
    work.delete(at);
    for (const event of held.events) startWith(work, trigger, [event]);
    return work;
  }
  const withinMs = trigger.withinMs ?? triggerDefaults.withinMs;
  const expired = held.events.filter(({ atMs }) => atMs + withinMs <= timer.timeMs);
  const left = held.events.filter((event) => !expired.includes(event));
  const missing = missingOf(trigger, held.events);
  for (const { eventId, name: eventName } of expired) {
    const reason = `${missing.join(', ')} did not come within ${durationText(withinMs)}`;
    sayEvent(work, { eventId, name: eventName, trigger: name, key, outcome: 'expired', reason, missing });
  }
  hold(work, { flow, trigger: name, key }, { ...held, events: left }, trigger);
  return work;
}

function take(work: Work, event: EventArrived, match: ArrivedMatch): void {
  const { eventId, name } = event;
  const say = (outcome: string, reason: string): void =>
    sayEvent(work, { eventId, name, trigger: match.trigger, key: match.key, outcome, reason });
  const trigger = triggerOf(work, match.trigger, match.digest);
  if (trigger === undefined) {
    say('refused', gone(work, match.trigger));
    return;
  }
  if (work.counts.paused) {
    say('paused', 'the flow is paused');
    return;
  }
  if (event.chain.includes(work.flow)) {
    say('refused', `a loop: ${[...event.chain, work.flow].join(' → ')}`);
    return;
  }
  if (trigger.all === undefined && trigger.debounce === undefined) {
    startWith(work, trigger, [heldOf(work, event, match, match.members[0]?.index ?? 0)]);
    return;
  }
  const at = heldKey(work.flow, match.trigger, match.key);
  let held = work.get<Held>(at);
  if (held !== undefined && held.digest !== match.digest) {
    withdraw(work, match.trigger, held);
    held = undefined;
  }
  const before: Held = held ?? { digest: match.digest, events: [], sinceMs: work.timeMs };
  if (trigger.debounce === undefined) join(work, trigger, before, event, match);
  else debounce(work, trigger, before, event, match);
}

/** The event waits for the other members, or is the last of them. */
function join(work: Work, trigger: EventTrigger, held: Held, event: EventArrived, match: ArrivedMatch): void {
  const waiting = (index: number): number => held.events.filter(({ member }) => member === index).length;
  // An event that can be several members becomes the one that is most lacking.
  const member = match.members.map(({ index }) => index).sort((a, b) => waiting(a) - waiting(b) || a - b)[0] ?? 0;
  const mine = heldOf(work, event, match, member);
  let events = [...held.events, mine];
  const members = sourcesOf(trigger).map((_, index) => events.find((one) => one.member === index));
  const whole = members.filter((one) => one !== undefined);
  const place = { flow: work.flow, trigger: match.trigger, key: match.key };
  if (whole.length === members.length) {
    hold(work, place, { ...held, events: events.filter((one) => !whole.includes(one)) }, trigger);
    startWith(work, trigger, whole);
    return;
  }
  if (waiting(member) >= triggerLimits.heldEvents) {
    const oldest = events.find((one) => one.member === member);
    if (oldest !== undefined) {
      events = events.filter((one) => one !== oldest);
      const { eventId, name } = oldest;
      const reason = `more than ${triggerLimits.heldEvents} such events wait: superseded by ${event.eventId}`;
      sayEvent(work, {
        eventId,
        name,
        trigger: match.trigger,
        key: match.key,
        outcome: 'superseded',
        reason,
        with: [event.eventId],
      });
    }
  }
  hold(work, place, { ...held, events }, trigger);
  const missing = missingOf(trigger, events);
  sayEvent(work, {
    eventId: event.eventId,
    name: event.name,
    trigger: match.trigger,
    key: match.key,
    outcome: 'waiting',
    reason: `waits for ${missing.join(', ')}`,
    missing,
    with: others(events, mine),
    untilMs: work.timeMs + (trigger.withinMs ?? triggerDefaults.withinMs),
  });
}

/** The event takes the place of the one that waited, and the quiet time begins anew. */
function debounce(work: Work, trigger: EventTrigger, held: Held, event: EventArrived, match: ArrivedMatch): void {
  const { quietMs, mostMs } = trigger.debounce ?? { quietMs: 0, mostMs: 0 };
  for (const { eventId, name } of held.events) {
    const reason = `superseded by ${event.eventId} before it was quiet`;
    sayEvent(work, {
      eventId,
      name,
      trigger: match.trigger,
      key: match.key,
      outcome: 'superseded',
      reason,
      with: [event.eventId],
    });
  }
  const mine = heldOf(work, event, match, match.members[0]?.index ?? 0);
  const now: Held = { ...held, events: [mine] };
  hold(work, { flow: work.flow, trigger: match.trigger, key: match.key }, now, trigger);
  const untilMs = Math.min(work.timeMs + quietMs, held.sinceMs + mostMs);
  const { eventId, name } = event;
  const reason = `starts when no other came for ${durationText(quietMs)}`;
  sayEvent(work, { eventId, name, trigger: match.trigger, key: match.key, outcome: 'waiting', reason, untilMs });
}

/** Keeps what waits, and when to look at it again. */
function hold(work: Work, place: HeldTimer, held: Held, trigger: EventTrigger): void {
  const at = heldKey(place.flow, place.trigger, place.key);
  const oldest = held.events[0];
  if (oldest === undefined) {
    work.delete(at);
    work.clearTimer(at);
    return;
  }
  const { debounce: quiet } = trigger;
  const dueMs =
    quiet === undefined
      ? oldest.atMs + (trigger.withinMs ?? triggerDefaults.withinMs)
      : Math.min(oldest.atMs + quiet.quietMs, held.sinceMs + quiet.mostMs);
  work.put(at, held);
  work.setTimer({ name: at, dueMs, reads: readsOfHeld(place.flow, at), data: place });
}

function startWith(work: Work, trigger: EventTrigger, events: readonly HeldEvent[]): void {
  const last = events.reduce((a, b) => (b.atMs >= a.atMs ? b : a));
  const parameters: Record<string, unknown> = {};
  for (const event of [...events].sort((a, b) => a.member - b.member))
    Object.assign(parameters, JSON.parse(event.parameters));
  const name = triggerName(trigger);
  admit(work, {
    requestId: requestIdOf(name, events),
    parameters: JSON.stringify(parameters),
    cause: { kind: last.kind === 'finish' ? 'finish' : 'trigger', id: last.eventId, position: last.source },
    actor: last.actor,
    tags: [],
    chain: [...new Set(events.flatMap(({ chain }) => chain))],
    events: events.map(({ eventId, name: eventName }) => ({ eventId, name: eventName })),
    trigger: name,
    key: last.key,
  });
}

function requestIdOf(trigger: string, events: readonly HeldEvent[]): string {
  return idOf(trigger, ...events.map(({ requestId }) => requestId));
}

function heldOf(work: Work, event: EventArrived, match: ArrivedMatch, member: number): HeldEvent {
  const { eventId, requestId, name, kind, source, chain, actor } = event;
  const parameters = match.members.find(({ index }) => index === member)?.parameters ?? '{}';
  return {
    member,
    eventId,
    requestId,
    name,
    kind,
    parameters,
    atMs: work.timeMs,
    source,
    chain,
    actor,
    key: match.key,
  };
}

/** The trigger as the deployed version has it; undefined when it has not, or means something else by the name. */
function triggerOf(work: Work, name: string, digest: string): EventTrigger | undefined {
  const { current } = work;
  if (current === undefined) return undefined;
  for (const trigger of parseTriggers(current.triggers)) {
    if (isSchedule(trigger) || triggerName(trigger) !== name) continue;
    return triggerDigest(trigger) === digest ? trigger : undefined;
  }
  return undefined;
}

/** Events that a former version's trigger held. */
function withdraw(work: Work, trigger: string, held: Held): void {
  for (const { eventId, name, key } of held.events)
    sayEvent(work, { eventId, name, trigger, key, outcome: 'refused', reason: gone(work, trigger) });
}

function gone(work: Work, trigger: string): string {
  const { current } = work;
  return current === undefined
    ? 'the flow was removed'
    : `version ${current.version} of the flow has no such trigger '${trigger}' any more`;
}

function missingOf(trigger: EventTrigger, events: readonly HeldEvent[]): string[] {
  return sourcesOf(trigger).flatMap((source, index) =>
    events.some(({ member }) => member === index) ? [] : [sourceName(source)],
  );
}

function others(events: readonly HeldEvent[], mine: HeldEvent): string[] {
  const first = new Map<number, string>();
  for (const { member, eventId } of events)
    if (member !== mine.member && !first.has(member)) first.set(member, eventId);
  return [...first.values()];
}
