/** Which triggers of a flow an event concerns, and why not the others: pure, asked by the matcher, by folds and by dry runs alike. */
import { createHash } from 'node:crypto';
import { type FilteredEvent, filterMiss, valueAt, valueOf } from './event-filter.ts';
import {
  type EventSource,
  type EventTrigger,
  type FlowTrigger,
  isSchedule,
  sourcesOf,
  triggerName,
  type ValuePath,
} from './flow-triggers.ts';

export interface MatchedEvent extends FilteredEvent {
  /** What triggers wait for; for the end of a run, the deployed name of its flow; for an alert, its deployment. */
  readonly name: string;
  /** Set when the event is the end of a run. */
  readonly finish?: 'success' | 'failure' | 'cancelled';
  /** Set when the event is an alert that was raised. */
  readonly alert?: true;
}

/** A trigger that the event concerns. */
export interface TriggerMatch {
  readonly trigger: string;
  /** Of the trigger's definition: a later version may wait for something else under the same name. */
  readonly digest: string;
  /** Events with the same key belong together; '' without a key. */
  readonly key: string;
  /** Members of `all` or `any` that the event can be, with what it brings. */
  readonly members: readonly { readonly index: number; readonly parameters: Readonly<Record<string, unknown>> }[];
}

export interface TriggerVerdict {
  readonly matches: readonly TriggerMatch[];
  /** Triggers that wait for an event of that name, but not for this one. */
  readonly missed: readonly { readonly trigger: string; readonly reason: string }[];
}

/** `flow` is the deployed name that waits; `parameterNames` are those of its graph. */
export function matchTriggers(
  triggers: readonly FlowTrigger[],
  flow: string,
  parameterNames: readonly string[],
  event: MatchedEvent,
): TriggerVerdict {
  const matches: TriggerMatch[] = [];
  const missed: { trigger: string; reason: string }[] = [];
  for (const trigger of triggers) {
    if (isSchedule(trigger)) continue;
    const name = triggerName(trigger);
    const members: { index: number; parameters: Readonly<Record<string, unknown>> }[] = [];
    const reasons: string[] = [];
    sourcesOf(trigger).forEach((source, index) => {
      if (!waitsFor(source, flow, event)) return;
      const answer = bringsTo(source, parameterNames, event);
      if (typeof answer === 'string') reasons.push(answer);
      else members.push({ index, parameters: answer });
    });
    const key = trigger.key === undefined ? '' : keyText(pathValue(trigger.key, event));
    if (members.length > 0 && key === undefined)
      missed.push({ trigger: name, reason: `the event has no ${pathText(trigger.key ?? '')}, which is the key` });
    else if (members.length > 0)
      matches.push({ trigger: name, digest: triggerDigest(trigger), key: key ?? '', members });
    else if (reasons.length > 0) missed.push({ trigger: name, reason: reasons.join('; ') });
  }
  return { matches, missed };
}

/** Whole deployed name of a flow that a trigger of `flow` names: a plain name means the same project branch. */
export function finishedFlow(finish: string, flow: string): string {
  if (finish.includes('.')) return finish;
  const branch = flow.split('.').slice(0, -1);
  return [...branch, finish].join('.');
}

/** Names of a trigger's definition, so that equal definitions have equal digests. */
export function triggerDigest(trigger: EventTrigger): string {
  return createHash('sha256').update(JSON.stringify(trigger)).digest('hex').slice(0, 16);
}

/** Events, ends of flows, and deployments with alerts, that the triggers wait for. */
export function awaited(
  triggers: readonly FlowTrigger[],
  flow: string,
): {
  readonly events: ReadonlySet<string>;
  readonly flows: ReadonlySet<string>;
  readonly alerts: ReadonlySet<string>;
} {
  const events = new Set<string>();
  const flows = new Set<string>();
  const alerts = new Set<string>();
  for (const trigger of triggers) {
    if (isSchedule(trigger)) continue;
    for (const { event, finish, alert } of sourcesOf(trigger)) {
      if (alert !== undefined) alerts.add(alert);
      if (event !== undefined) events.add(event);
      if (finish !== undefined) flows.add(finishedFlow(finish, flow));
    }
  }
  return { events, flows, alerts };
}

function waitsFor(source: EventSource, flow: string, { name, finish, alert }: MatchedEvent): boolean {
  if (alert === true) return source.alert === name;
  if (finish === undefined) return source.event === name;
  return source.finish !== undefined && finishedFlow(source.finish, flow) === name;
}

/** The parameters that an event brings, or why it does not match. */
function bringsTo(
  source: EventSource,
  parameterNames: readonly string[],
  event: MatchedEvent,
): Readonly<Record<string, unknown>> | string {
  const { on = 'success', filter, parameters: map } = source;
  if (event.finish !== undefined && on !== 'any' && on !== event.finish)
    return `the run ended in ${event.finish}, the trigger waits for ${on}`;
  const miss = filter === undefined ? undefined : filterMiss(filter, event);
  if (miss !== undefined) return miss;
  const parameters: Record<string, unknown> = {};
  if (map === undefined) {
    // What a run's end says is about that run: it becomes a parameter only where it is mapped.
    if (event.finish !== undefined) return parameters;
    for (const name of parameterNames) {
      if (Object.hasOwn(event.payload, name)) parameters[name] = event.payload[name];
    }
    return parameters;
  }
  for (const [name, path] of Object.entries(map)) {
    const value = pathValue(path, event);
    if (value === undefined) return `the event has no ${pathText(path)} for parameter '${name}'`;
    parameters[name] = value;
  }
  return parameters;
}

function pathValue(path: ValuePath, event: FilteredEvent): unknown {
  return typeof path === 'string' ? valueAt(event.payload, path) : valueOf(path.attribute, event);
}

function pathText(path: ValuePath): string {
  return typeof path === 'string' ? `'${path}' in its payload` : `attribute '${path.attribute}'`;
}

/** A value as a key: short values as they are, long ones by their hash. */
function keyText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= 100 ? text : `#${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}
