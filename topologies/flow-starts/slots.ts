/** Slots of schedules: the scheduler says which have passed; what becomes of each is decided here. */
import type { BackfillRequested, Slot, SlotsDue } from '../../schemas/events.ts';
import { isSchedule, parseTriggers, type ScheduleTrigger, triggerName } from '../../schemas/flow-triggers.ts';
import { durationText } from '../../schemas/durations.ts';
import { admit } from './admission.ts';
import { saySlots } from './judging.ts';
import type { Start } from './state.ts';
import type { Work } from './work.ts';

/** A slot that is said so long after its time was missed, and the catch-up policy decides. */
const graceMs = 60_000;
/** A slot further ahead of the log's clock is not due yet: the scheduler's clock is wrong. */
const aheadMs = 5_000;

export function due(work: Work, { schedule: name, slots, more }: SlotsDue): void {
  const { timeMs } = work;
  const times = slots.map(({ atMs }) => atMs);
  if (times.length === 0) return;
  const schedule = scheduleOf(work, name);
  const stand = work.counts.schedules[name];
  if (schedule === undefined || stand === undefined) {
    const reason = `version ${work.current?.version ?? 0} of the flow has no schedule '${name}'`;
    saySlots(work, { schedule: name, outcome: 'refused', reason, slots: times });
    return;
  }
  const fresh = slots.filter(({ atMs }) => atMs > stand.lastMs);
  work.count('slotsRepeated', slots.length - fresh.length);
  const early = fresh.filter(({ atMs }) => atMs > timeMs + aheadMs);
  const passed = fresh.filter((slot) => !early.includes(slot));
  const last = passed.at(-1);
  if (last !== undefined) work.changeSchedule(name, { lastMs: last.atMs });
  const missed = passed.filter((slot) => !starts(slot, passed, more, schedule, timeMs));
  if (missed.length > 0) {
    const reason = `said more than ${durationText(graceMs)} after its time; the schedule catches up ${schedule.catchUp}`;
    saySlots(work, { schedule: name, outcome: 'missed', reason, slots: missed.map(({ atMs }) => atMs) });
  }
  for (const slot of passed) if (!missed.includes(slot)) admit(work, startOf(work, schedule, slot));
  if (early.length > 0) {
    const reason = `the log's clock says ${new Date(timeMs).toISOString()}: the scheduler's clock is ahead`;
    saySlots(work, { schedule: name, outcome: 'early', reason, slots: early.map(({ atMs }) => atMs) });
  }
}

/** Whether any is refused is told by `slots-judged` of each. */
export function backfill(
  work: Work,
  { schedule: name, slots, requestId, actor }: BackfillRequested,
): string | undefined {
  const schedule = scheduleOf(work, name);
  if (schedule === undefined) {
    const known = schedulesOf(work).map((one) => `'${triggerName(one)}'`);
    const have = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
    return work.current === undefined
      ? `there is no deployed flow '${work.flow}': deploy it first`
      : `flow '${work.flow}' has no schedule '${name}'; ${have}`;
  }
  const { running, queued } = work.counts;
  for (const slot of slots) {
    const { parameters, cause, tags, chain } = startOf(work, schedule, slot);
    admit(work, {
      requestId: `${requestId}/${name}/${slot.atMs}`,
      parameters,
      cause: { ...cause, kind: 'backfill' },
      actor,
      tags,
      chain,
      slot: { ...slot, schedule: name, backfill: requestId, overlap: schedule.overlap },
    });
  }
  const counts = { started: work.counts.running - running, queued: work.counts.queued - queued };
  const refused = slots.length - counts.started - counts.queued;
  const data = { flow: work.flow, requestId, schedule: name, ...counts, refused, actor };
  work.emit({ topic: 'starts', type: 'backfill-accepted', key: work.flow, data });
  return undefined;
}

function schedulesOf(work: Work): readonly ScheduleTrigger[] {
  return work.current === undefined ? [] : parseTriggers(work.current.triggers).filter(isSchedule);
}

function scheduleOf(work: Work, name: string): ScheduleTrigger | undefined {
  return schedulesOf(work).find((one) => triggerName(one) === name);
}

/** Slots on time start; of late ones none, the newest (when nothing newer follows), or all. */
function starts(
  slot: Slot,
  passed: readonly Slot[],
  more: boolean,
  { catchUp }: ScheduleTrigger,
  timeMs: number,
): boolean {
  if (timeMs - slot.atMs <= graceMs || catchUp === 'all') return true;
  return catchUp === 'last' && !more && slot === passed.at(-1);
}

function startOf(work: Work, schedule: ScheduleTrigger, slot: Slot): Start {
  const { parameters = {}, slotParameter, overlap } = schedule;
  const name = triggerName(schedule);
  const all = slotParameter === undefined ? parameters : { ...parameters, [slotParameter]: slot.local };
  return {
    requestId: `slot/${name}/${slot.atMs}`,
    parameters: JSON.stringify(all),
    cause: { kind: 'schedule', id: `${name}@${slot.local}`, position: null },
    actor: work.current?.actor ?? '',
    tags: [],
    chain: [],
    slot: { ...slot, schedule: name, backfill: null, overlap },
  };
}
