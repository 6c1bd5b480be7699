/** What starts a flow, as it is written; `build…` makes the plain data that travels with the deployed version. */
import { invalidArgument } from '../../runtime/ports/errors.ts';
import { parseDurationMs } from '../../schemas/durations.ts';
import type { EventFilter } from '../../schemas/event-filter.ts';
import {
  type EventSource,
  type EventTrigger,
  type ScheduleTrigger,
  triggerDefaults,
  type ValuePath,
} from '../../schemas/flow-triggers.ts';

export type { EventFilter, ValuePath };

/** Milliseconds, or a text such as `'90s'`, `'15m'`, `'1h30m'`, `'2d'`. */
export type Duration = number | string;

interface SourceOptions<P> {
  /** Only events that pass; see `EventFilter`. @default all */
  readonly filter?: EventFilter;
  /**
   * Parameter to a path into the payload (nested properties by dots), or to `{ attribute: 'subject' }`. An event that lacks a mapped
   * value does not match. @default payload properties that are named like parameters; of a finished run, none
   */
  readonly parameters?: { readonly [K in keyof P]?: ValuePath };
}

interface TriggerOptions {
  /** Unique in the flow; facts and `millrace triggers explain` call the trigger so. @default the names of its events */
  readonly name?: string;
  /** Only events with the same value here belong together: a path into the payload, or `{ attribute }`. */
  readonly key?: ValuePath;
}

interface DebounceOptions {
  /**
   * Starts when no further event came for so long, with the newest one; at the latest after `most`.
   * @default none; `most` is ten times the quiet time
   */
  readonly debounce?: Duration | { readonly quiet: Duration; readonly most?: Duration };
}

export interface OnEventOptions<P> extends SourceOptions<P>, TriggerOptions, DebounceOptions {}

export interface OnFinishOptions<P> extends OnEventOptions<P> {
  /** Which ends count; a cancelled run counts only for `any`. @default 'success' */
  readonly on?: 'success' | 'failure' | 'any';
}

export interface OnAlertOptions<P> extends OnEventOptions<P> {
  /** Only alerts of that detector (or other subject of the alert). @default any */
  readonly detector?: string;
}

/** One of several events. */
export type TriggerMember<P> =
  | ({ readonly event: string } & SourceOptions<P>)
  | ({ readonly alert: string } & SourceOptions<P>)
  | ({ readonly finish: string; readonly on?: 'success' | 'failure' | 'any' } & SourceOptions<P>);

/** Starts when each of the events has come, within a time of each other. Each event is used once, the oldest first. */
export interface OnAll<P> extends TriggerOptions {
  readonly all: readonly TriggerMember<P>[];
  /** How long an event waits for the others. @default '1d' */
  readonly within?: Duration;
}

/** Starts for any of the events. */
export interface OnAny<P> extends TriggerOptions, DebounceOptions {
  readonly any: readonly TriggerMember<P>[];
}

/** Exactly one of `cron`, `every`, `hourly`, `daily` and `weekly`. */
export interface ScheduleOptions<P> {
  /** Five fields: minute, hour, day of the month, month, day of the week. */
  readonly cron?: string;
  /** Slots at whole multiples of this since 1970, in UTC. */
  readonly every?: Duration;
  /** At minute 0. */
  readonly hourly?: true;
  /** At midnight. */
  readonly daily?: true;
  /** Sundays at midnight. */
  readonly weekly?: true;
  /** Name of the tz database; not with `every`. @default 'UTC' */
  readonly timezone?: string;
  /** Unique in the flow. @default 'schedule' */
  readonly name?: string;
  readonly parameters?: { readonly [K in keyof P]?: unknown };
  /** A text parameter that gets the slot's time on the schedule's wall clock, such as `2026-03-29T03:00:00+02:00`. */
  readonly slot?: keyof P & string;
  /** Slots that passed while the platform was down: none starts, the last one, or all. @default 'last' */
  readonly catchUp?: 'none' | 'last' | 'all';
  /** While a run of this schedule is open: the slot is skipped, waits for its end, or starts beside it. @default 'skip' */
  readonly overlap?: 'skip' | 'queue' | 'allow';
}

type Loose = Readonly<Record<string, unknown>>;

export function buildEventTrigger(event: string, options: OnEventOptions<unknown> = {}): EventTrigger {
  const { name, key, debounce, ...source } = options;
  return { ...defined({ name }), event, ...(defined(source) as EventSource), ...grouping({ key, debounce }) };
}

export function buildFinishTrigger(finish: string, options: OnFinishOptions<unknown> = {}): EventTrigger {
  const { name, key, debounce, ...source } = options;
  return { ...defined({ name }), finish, ...(defined(source) as EventSource), ...grouping({ key, debounce }) };
}

export function buildAlertTrigger(alert: string, options: OnAlertOptions<unknown> = {}): EventTrigger {
  const { name, key, debounce, detector, filter, ...source } = options;
  const ofDetector: EventFilter | undefined =
    detector === undefined ? undefined : { exact: { 'data.subject': detector } };
  const both =
    ofDetector !== undefined && filter !== undefined ? { all: [ofDetector, filter] } : (ofDetector ?? filter);
  return {
    ...defined({ name }),
    alert,
    ...(defined({ ...source, filter: both }) as EventSource),
    ...grouping({ key, debounce }),
  };
}

export function buildGroupTrigger(group: OnAll<unknown> | OnAny<unknown>): EventTrigger {
  const { name, key } = group;
  if ('all' in group) {
    const within = group.within === undefined ? {} : { withinMs: durationMs('within', group.within) };
    return { ...defined({ name }), all: group.all, ...within, ...grouping({ key }) };
  }
  const { any, debounce } = group;
  return { ...defined({ name }), any: any, ...grouping({ key, debounce }) };
}

export function buildScheduleTrigger(options: ScheduleOptions<unknown>): ScheduleTrigger {
  const { timezone = triggerDefaults.timezone, name, parameters, slot } = options;
  const { catchUp = triggerDefaults.catchUp, overlap = triggerDefaults.overlap } = options;
  const kinds = (['cron', 'every', 'hourly', 'daily', 'weekly'] as const).filter((kind) => options[kind] !== undefined);
  const [kind] = kinds;
  if (kinds.length !== 1 || kind === undefined)
    throw invalidArgument(
      `a schedule needs exactly one of cron, every, hourly, daily, weekly; got ${kinds.join(', ') || 'none'}`,
    );
  if (kind === 'every' && options.timezone !== undefined)
    throw invalidArgument("a schedule with 'every' has no time zone: its slots are multiples since 1970 in UTC");
  const schedule =
    kind === 'every'
      ? { everyMs: durationMs('every', options.every) }
      : { cron: kind === 'cron' ? (options.cron ?? '') : shorthand[kind], timezone };
  return {
    ...defined({ name }),
    schedule,
    ...defined({ parameters: parameters, slotParameter: slot }),
    catchUp,
    overlap,
  };
}

const shorthand = { hourly: '0 * * * *', daily: '0 0 * * *', weekly: '0 0 * * 0' } as const;

function grouping(options: { readonly key?: ValuePath | undefined } & Loose): Pick<EventTrigger, 'key' | 'debounce'> {
  const { key, debounce } = options as { readonly key?: ValuePath } & DebounceOptions;
  if (debounce === undefined) return defined({ key });
  const { quiet, most } = typeof debounce === 'object' ? debounce : { quiet: debounce, most: undefined };
  const quietMs = durationMs('debounce', quiet);
  const mostMs = most === undefined ? quietMs * triggerDefaults.debounceMost : durationMs('debounce.most', most);
  return { ...defined({ key }), debounce: { quietMs, mostMs } };
}

export function durationMs(what: string, value: Duration | undefined): number {
  const ms = parseDurationMs(value);
  if (ms !== undefined && ms > 0) return ms;
  throw invalidArgument(`'${what}' must be a duration such as '30s', '15m' or '1d', got ${JSON.stringify(value)}`);
}

/** Without what is undefined. */
function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
