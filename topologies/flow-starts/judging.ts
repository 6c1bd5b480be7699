/** Facts that tell what became of a start, in the terms of whoever asked for it. */
import type { Start } from './state.ts';
import type { Work } from './work.ts';

export type Outcome = 'started' | 'queued' | 'skipped' | 'paused' | 'refused';

interface Judgement {
  readonly outcome: Outcome;
  readonly reason: string;
  readonly runId?: string;
}

/** Events and slots are told by their own facts; another start by the run itself, or by why there is none. */
export function judge(work: Work, start: Start, { outcome, reason, runId }: Judgement): void {
  const { flow } = work;
  work.count(`starts-${outcome}`);
  if (start.events !== undefined) {
    const ids = start.events.map(({ eventId }) => eventId);
    for (const { eventId, name } of start.events) {
      sayEvent(work, {
        eventId,
        name,
        trigger: start.trigger ?? '',
        key: start.key ?? '',
        outcome: outcome === 'started' && ids.length > 1 ? 'joined' : outcome,
        reason,
        runId: runId ?? null,
        with: ids.filter((id) => id !== eventId),
      });
    }
    return;
  }
  if (start.slot !== undefined) {
    const { schedule, atMs, backfill } = start.slot;
    saySlots(work, { schedule, backfill, outcome, reason, slots: [atMs], runId: runId ?? null });
    return;
  }
  const { requestId, cause } = start;
  if (outcome === 'started') return;
  if (outcome === 'queued') {
    const waiting = work.counts.queued;
    work.emit({ topic: 'starts', type: 'start-queued', key: flow, data: { flow, requestId, reason, waiting, cause } });
    return;
  }
  const type = outcome === 'refused' ? 'start-refused' : 'start-skipped';
  work.emit({ topic: 'starts', type, key: flow, data: { flow, requestId, reason, cause } });
}

export interface EventWords {
  readonly eventId: string;
  readonly name: string;
  readonly trigger: string;
  readonly key: string;
  readonly outcome: string;
  readonly reason: string;
  readonly runId?: string | null;
  readonly with?: readonly string[];
  readonly missing?: readonly string[];
  readonly untilMs?: number;
}

export function sayEvent(work: Work, words: EventWords): void {
  const { flow } = work;
  const { runId = null, with: others = [], missing = [], untilMs = null, reason, ...rest } = words;
  work.count(`events-${words.outcome}`);
  work.emit({
    topic: 'starts',
    type: 'event-judged',
    key: flow,
    data: {
      flow,
      version: work.known?.version ?? 0,
      ...rest,
      reason: reason.slice(0, 1_000),
      runId,
      with: others,
      missing,
      untilMs,
    },
  });
}

export interface SlotWords {
  readonly schedule: string;
  readonly backfill?: string | null;
  readonly outcome: string;
  readonly reason: string;
  /** Ascending; at least one. */
  readonly slots: readonly number[];
  readonly runId?: string | null;
}

export function saySlots(
  work: Work,
  { schedule, backfill = null, outcome, reason, slots, runId = null }: SlotWords,
): void {
  const { flow, timeMs } = work;
  work.count(`slots-${outcome}`, slots.length);
  work.emit({
    topic: 'starts',
    type: 'slots-judged',
    key: flow,
    data: {
      flow,
      version: work.known?.version ?? 0,
      schedule,
      outcome,
      reason: reason.slice(0, 1_000),
      firstMs: slots[0] ?? 0,
      lastMs: slots.at(-1) ?? 0,
      count: slots.length,
      runId,
      backfill,
      logMs: timeMs,
    },
  });
}
