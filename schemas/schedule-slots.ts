/**
 * The slots of a schedule. Cron patterns have five fields and follow the wall clock of their time zone; the rules at its jumps are
 * - a slot that the clock skips falls on the first instant after the gap, once;
 * - a fixed hour that comes twice (`30 2 * * *` in autumn) has one slot, in its first pass;
 * - a pattern with `*` or a range in its hours has a slot in every real hour, in both passes.
 * Time zones change with the tz database of the Node that asks, so no fold calls this: slots are said by the scheduler as facts.
 */
import { Cron } from 'croner';
import type { ScheduleTrigger } from './flow-triggers.ts';

export interface Slot {
  readonly atMs: number;
  /** The same instant on the wall clock of the schedule, such as `2026-03-29T03:00:00+02:00`. */
  readonly local: string;
}

/** Why there are no slots; undefined when there are. */
export function scheduleProblem({ schedule }: ScheduleTrigger): string | undefined {
  if ('everyMs' in schedule) return undefined;
  const { cron, timezone } = schedule;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    return `there is no time zone '${timezone.slice(0, 80)}': use a name of the tz database, such as Europe/Berlin`;
  }
  try {
    return cronOf(cron, timezone).nextRun() === null ? `'${cron}' has no slot: no day fits it` : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return `'${cron.slice(0, 80)}' is no cron pattern of five fields (minute hour day month weekday): ${reason}`;
  }
}

/** Slots in `(afterMs, untilMs]`, ascending, `limit` at most. */
export function slotsBetween(
  { schedule }: Pick<ScheduleTrigger, 'schedule'>,
  afterMs: number,
  untilMs: number,
  limit: number,
): readonly Slot[] {
  const slots: Slot[] = [];
  if ('everyMs' in schedule) {
    const { everyMs } = schedule;
    for (let at = (Math.floor(afterMs / everyMs) + 1) * everyMs; at <= untilMs && slots.length < limit; at += everyMs)
      slots.push({ atMs: at, local: new Date(at).toISOString() });
    return slots;
  }
  const cron = cronOf(schedule.cron, schedule.timezone);
  for (let at = cron.nextRun(new Date(afterMs)); at !== null && slots.length < limit; at = cron.nextRun(at)) {
    if (at.getTime() > untilMs) break;
    slots.push({ atMs: at.getTime(), local: localText(at, schedule.timezone) });
  }
  return slots;
}

/** The first slot after an instant; undefined when there is none. */
export function nextSlotMs(trigger: Pick<ScheduleTrigger, 'schedule'>, afterMs: number): number | undefined {
  return slotsBetween(trigger, afterMs, Number.MAX_SAFE_INTEGER, 1)[0]?.atMs;
}

const parsed = new Map<string, Cron>();

function cronOf(cron: string, timezone: string): Cron {
  const key = `${timezone} ${cron}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  const made = new Cron(cron, { timezone, mode: '5-part', paused: true });
  if (parsed.size >= 1_000) parsed.clear();
  parsed.set(key, made);
  return made;
}

function localText(at: Date, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  }).formatToParts(at);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
  const offset = part('timeZoneName').replace('GMT', '');
  return `${part('year')}-${part('month')}-${part('day')}T${part('hour')}:${part('minute')}:${part('second')}${offset === '' ? '+00:00' : offset}`;
}
