/**
 * What starts a flow, as data: events, ends of other flows, and schedules. Plain JSON; it travels with the deployed version.
 * `trigger-match.ts` says which of them an event concerns, `trigger-problems.ts` what is wrong with a list of them.
 */
import type { EventFilter } from './event-filter.ts';

export type FlowTrigger = EventTrigger | ScheduleTrigger;

/** Exactly one of `event`, `finish`, `alert`, `all` and `any`. */
export interface EventTrigger extends Partial<EventSource> {
  /** Unique in the flow. @default the event, `finish:<flow>`, `alert:<deployment>`, or the members joined by `+` (all) or `|` (any) */
  readonly name?: string;
  /** Starts when each of these has come, within `withinMs` of each other; each event is used once. */
  readonly all?: readonly EventSource[];
  /** Starts for any of these. */
  readonly any?: readonly EventSource[];
  /** Only with `all`: how long an event waits for the others. @default 86400000 */
  readonly withinMs?: number;
  /** Only events with the same value belong together (`all`, `debounce`). An event without the value does not match. */
  readonly key?: ValuePath;
  /** Not with `all`. */
  readonly debounce?: Debounce;
}

/** One kind of event that a trigger waits for. Exactly one of `event`, `finish` and `alert`. */
export interface EventSource {
  /** Name of the event: the CloudEvent's type. */
  readonly event?: string;
  /** A flow whose run ended: its plain name within the same project branch, or a whole deployed name. */
  readonly finish?: string;
  /** A deployment of which an alert is raised; its payload is that of `alert-raised`. */
  readonly alert?: string;
  /** Only with `finish`. @default 'success' */
  readonly on?: 'success' | 'failure' | 'any';
  readonly filter?: EventFilter;
  /**
   * Parameter to value. An event that lacks a mapped value does not match. Without a map, payload properties that are named like
   * parameters are used.
   */
  readonly parameters?: Readonly<Record<string, ValuePath>>;
}

/** A path into the payload, with dots; or a CloudEvents attribute. */
export type ValuePath = string | { readonly attribute: string };

/** The run starts when no further event came for `quietMs`, at the latest `mostMs` after the first; it gets the newest event. */
export interface Debounce {
  readonly quietMs: number;
  readonly mostMs: number;
}

export interface ScheduleTrigger {
  /** Unique in the flow. @default 'schedule' */
  readonly name?: string;
  /** Five fields of cron, or everyMs: slots at whole multiples since 1970 in UTC. */
  readonly schedule: { readonly cron: string; readonly timezone: string } | { readonly everyMs: number };
  /** Values of parameters for each run. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** A parameter that gets the slot's time, such as `2026-03-29T03:00:00+02:00`. */
  readonly slotParameter?: string;
  /** Slots that passed while nobody could say them: none starts, the last one, or all. */
  readonly catchUp: 'none' | 'last' | 'all';
  /** While a run of this schedule is open: the slot is skipped, waits, or starts beside it. */
  readonly overlap: 'skip' | 'queue' | 'allow';
}

export const triggerDefaults = {
  withinMs: 86_400_000,
  timezone: 'UTC',
  catchUp: 'last',
  overlap: 'skip',
  /** `mostMs` of a debounce, as a multiple of its `quietMs`. */
  debounceMost: 10,
} as const;

export const triggerLimits = {
  triggers: 50,
  members: 20,
  waitMsMax: 30 * 86_400_000,
  everyMsMin: 1_000,
  /** Events of one member that wait in one window; more supersede the oldest. */
  heldEvents: 100,
} as const;

export function isSchedule(trigger: FlowTrigger): trigger is ScheduleTrigger {
  return 'schedule' in trigger;
}

/** The name by which facts call a trigger. */
export function triggerName(trigger: FlowTrigger): string {
  if (trigger.name !== undefined) return trigger.name;
  if (isSchedule(trigger)) return 'schedule';
  if (trigger.all !== undefined) return trigger.all.map(sourceName).join('+');
  if (trigger.any !== undefined) return trigger.any.map(sourceName).join('|');
  return sourceName(trigger);
}

/** Name of the event, `finish:<flow>`, or `alert:<deployment>`. */
export function sourceName({ event, finish, alert }: Partial<EventSource>): string {
  return event ?? (alert === undefined ? `finish:${finish ?? ''}` : `alert:${alert}`);
}

/** What the trigger waits for, in the order in which it was written. */
export function sourcesOf(trigger: EventTrigger): readonly EventSource[] {
  return trigger.all ?? trigger.any ?? [trigger];
}

/** The event triggers of a deployed version; a version's triggers were checked when it was deployed. */
export function parseTriggers(text: string): readonly FlowTrigger[] {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? (value as readonly FlowTrigger[]) : [];
}
