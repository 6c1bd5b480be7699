import { isSchedule, parseTriggers, type ScheduleTrigger, triggerName } from '../../schemas/flow-triggers.ts';
import { nextSlotMs, type Slot, slotsBetween } from '../../schemas/schedule-slots.ts';

/** What is committed of a flow: its schedules, and how far each has been decided. */
export interface StoredFlow {
  readonly schedules: readonly StoredSchedule[];
}

export interface StoredSchedule {
  readonly trigger: ScheduleTrigger;
  /** Slots up to here are decided. */
  readonly lastMs: number;
}

/** Slots that may be said now. */
export interface DueSlots {
  readonly flow: string;
  readonly schedule: string;
  readonly slots: readonly Slot[];
  /** Others have passed too. */
  readonly more: boolean;
  /** How often these were said before. */
  readonly attempt: number;
}

interface Running extends StoredSchedule {
  nextMs: number;
  said: { readonly lastMs: number; readonly again: number; readonly attempts: number } | undefined;
}

/** Each of them may become a run of its own, which carries the graph. */
const slotsOfAll = 10;
/** Of these at most a few become runs. */
const slotsAtOnce = 500;
/** Until a slot that was said and not judged is said again; doubled each time. */
const againMs = 10_000;
const againMsMax = 300_000;

/** The schedules of one partition of `starts`, in memory. Times are on the log's clock. */
export class PartitionSchedules {
  readonly #flows = new Map<string, Map<string, Running>>();

  set(flow: string, stored: StoredFlow | undefined): void {
    if (stored === undefined || stored.schedules.length === 0) {
      this.#flows.delete(flow);
      return;
    }
    const before = this.#flows.get(flow);
    const now = new Map<string, Running>();
    for (const one of stored.schedules) {
      const name = triggerName(one.trigger);
      const known = before?.get(name);
      const said = known?.said !== undefined && known.said.lastMs > one.lastMs ? known.said : undefined;
      now.set(name, { ...one, nextMs: nextSlotMs(one.trigger, one.lastMs) ?? Number.POSITIVE_INFINITY, said });
    }
    this.#flows.set(flow, now);
  }

  stored(flow: string): StoredFlow | undefined {
    const schedules = this.#flows.get(flow);
    if (schedules === undefined) return undefined;
    return { schedules: [...schedules.values()].map(({ trigger, lastMs }) => ({ trigger, lastMs })) };
  }

  /** Whether this process said the slot and waits for what becomes of it. */
  awaits(flow: string, schedule: string): boolean {
    return this.#flows.get(flow)?.get(schedule)?.said !== undefined;
  }

  /** A slot that came too early is said again when the log's clock has come so far. */
  forget(flow: string, schedule: string): void {
    const running = this.#flows.get(flow)?.get(schedule);
    if (running !== undefined) running.said = undefined;
  }

  /** What has passed and was not said lately; it counts as said from here on. */
  takeDue(nowMs: number): readonly DueSlots[] {
    const found: DueSlots[] = [];
    for (const [flow, schedules] of this.#flows) {
      for (const [schedule, running] of schedules) {
        const { said } = running;
        if (running.nextMs > nowMs || (said !== undefined && said.again > nowMs)) continue;
        const most = running.trigger.catchUp === 'all' ? slotsOfAll : slotsAtOnce;
        const passed = slotsBetween(running.trigger, running.lastMs, nowMs, most + 1);
        const slots = passed.slice(0, most);
        const last = slots.at(-1);
        if (last === undefined) continue;
        const attempts = (said?.attempts ?? 0) + 1;
        const waitMs = Math.min(againMs * 2 ** (attempts - 1), againMsMax);
        running.said = { lastMs: last.atMs, again: nowMs + waitMs, attempts };
        found.push({ flow, schedule, slots, more: passed.length > most, attempt: attempts });
      }
    }
    return found;
  }

  /** When to look again, on the log's clock; Infinity when there is nothing to wait for. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const schedules of this.#flows.values()) {
      for (const { nextMs, said } of schedules.values()) next = Math.min(next, said?.again ?? nextMs);
    }
    return next;
  }
}

/** The schedules of a version, each from where the fold says that it is. */
export function storedFlow(
  triggers: string,
  stands: readonly { readonly schedule: string; readonly lastMs: number }[],
): StoredFlow {
  return {
    schedules: parseTriggers(triggers)
      .filter(isSchedule)
      .map((trigger) => ({
        trigger,
        lastMs: stands.find(({ schedule }) => schedule === triggerName(trigger))?.lastMs ?? 0,
      })),
  };
}
