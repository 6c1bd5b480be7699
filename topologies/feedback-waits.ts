/**
 * Feedback that is early waits for its prediction: each row that it is about by itself, since nobody knows yet how many rows there are. One
 * timer a prediction id, due when the first of it is unmatched.
 */
import type { DueTimer, Effects, Output, StateView, TimerSpec } from '../runtime/engine/topology.ts';
import type { FeedbackReceived } from '../schemas/events.ts';
import { type Entry, givenOf, keyOf, type Open, type Rewarded, type Wait, waitsOf } from './feedback-entries.ts';
import { againstFirst, closed, judged, type Outcome, repeated } from './feedback-judging.ts';
import { endOf } from './feedback-windows.ts';
import { judgementProblem } from './prediction-answer.ts';

const waitMsMax = 30 * 86_400_000;
/** Of one prediction id; lists of different lengths for rows that nobody knows. */
const waitsMax = 1_500;
/** Judged in one go, when the prediction comes; the rest by a timer that is due at once. */
const judgedTogether = 100;

const waitTimer = 'wait/';
const settleTimer = 'settle/';
const restKey = (predictionId: string): string => `w/${predictionId}`;

/** A feedback whose prediction is not there. */
export function wait(data: FeedbackReceived, timeMs: number, before: readonly Wait[] = []): Effects {
  const { predictionId, feedbackId, truth, label, reward, row, rows } = data;
  const close = (outcome: Outcome, reason = '', first?: string): Effects => {
    const { emit = [], count } = closed(data, { predictionId, deployment: null, outcome, reason, first });
    return { emit, count: { ...count, feedbackReceived: 1 } };
  };
  const same = before.find((one) => one[5] === row && one[6] === rows);
  const problem = judgementProblem(data);
  if (problem !== undefined) return close('not-comparable', problem, same?.[0]);
  if (same !== undefined) {
    const outcome = againstFirst([same[0], same[1], same[2], same[3]], data);
    return same[0] === feedbackId && outcome === 'duplicate' ? repeated : close(outcome, '', same[0]);
  }
  if (!(data.waitMs > 0)) return close('unmatched', 'there is no such prediction');
  if (before.length >= waitsMax) return close('unmatched', `${waitsMax} feedbacks wait for this prediction already`);
  const endsMs = endOf(timeMs, Math.min(data.waitMs, waitMsMax));
  const waits: readonly Wait[] = [...before, [feedbackId, truth, label, reward, endsMs, row, rows]];
  return { ...kept(predictionId, waits), count: { feedbackReceived: 1, feedbackWaiting: 1 } };
}

/** They are unmatched, for a reason that holds for all of them. */
export function unmatched(
  predictionId: string,
  waits: readonly Wait[],
  deployment: string | null,
  reason: string,
): Required<Pick<Effects, 'emit' | 'count' | 'clearTimers'>> {
  const about = { predictionId, deployment, outcome: 'unmatched', reason } as const;
  return {
    emit: waits.flatMap((one) => closed(givenOf(one), about).emit ?? []),
    count: { feedbackUnmatched: waits.length, feedbackWaiting: -waits.length },
    clearTimers: [waitTimer + predictionId],
  };
}

/** The prediction has come: what waited is judged, in the order in which it came. */
export function settled(predictionId: string, first: Open | Rewarded, waits: readonly Wait[], timeMs: number): Effects {
  let entry = first;
  const emit: Output[] = [];
  const count: Record<string, number> = {};
  for (const one of waits.slice(0, judgedTogether)) {
    const verdict = judged(predictionId, entry, givenOf(one), timeMs);
    entry = verdict.put?.[0]?.[1] ?? entry;
    emit.push(...(verdict.emit ?? []));
    for (const [name, value] of Object.entries(verdict.count)) count[name] = (count[name] ?? 0) + value;
    count['feedbackWaiting'] = (count['feedbackWaiting'] ?? 0) - 1;
    // the same fact under two names of its row: it was counted twice when it came
    if (verdict === repeated) count['feedbackReceived'] = (count['feedbackReceived'] ?? 0) - 1;
  }
  const rest = waits.slice(judgedTogether);
  const key = keyOf(predictionId);
  return {
    put: [[key, entry], ...(rest.length === 0 ? [] : [[restKey(predictionId), rest] as const])],
    emit,
    count,
    clearTimers: [waitTimer + predictionId],
    setTimers:
      rest.length === 0
        ? []
        : [{ name: settleTimer + predictionId, dueMs: timeMs, reads: { keys: [key, restKey(predictionId)] } }],
  };
}

/** Serves the timers of what waits; undefined for any other timer. */
export function waitsTimer(timer: DueTimer, state: StateView): Effects | undefined {
  if (timer.name.startsWith(settleTimer)) return settleRest(timer.name.slice(settleTimer.length), timer.timeMs, state);
  if (!timer.name.startsWith(waitTimer)) return undefined;
  const predictionId = timer.name.slice(waitTimer.length);
  const waits = waitsOf(state.get<Entry>(keyOf(predictionId)));
  if (waits === undefined) return {};
  const due = waits.filter(([, , , , endsMs]) => endsMs <= timer.timeMs);
  const rest = waits.filter(([, , , , endsMs]) => endsMs > timer.timeMs);
  const { emit, count } = unmatched(predictionId, due, null, 'no prediction that awaits feedback came while it waited');
  return { ...(rest.length === 0 ? { delete: [keyOf(predictionId)] } : kept(predictionId, rest)), emit, count };
}

/** The timer of a state of version 6, which reads nothing, goes on as one of today. */
export function waitTimerAgain(predictionId: string, timeMs: number): Effects {
  return { setTimers: [timerOf(predictionId, timeMs)] };
}

function settleRest(predictionId: string, timeMs: number, state: StateView): Effects {
  const entry = state.get<Entry>(keyOf(predictionId));
  const rest = state.get<readonly Wait[]>(restKey(predictionId)) ?? [];
  if (entry?.[0] !== 'open' && entry?.[0] !== 'rewarded') return {};
  const effects = settled(predictionId, entry, rest, timeMs);
  return rest.length > judgedTogether ? effects : { ...effects, delete: [restKey(predictionId)] };
}

function kept(predictionId: string, waits: readonly Wait[]): Pick<Effects, 'put' | 'setTimers'> {
  const entry: Entry = ['waits', waits];
  // 0: of a state of version 6, which has a timer of its own
  const dueMs = Math.min(...waits.flatMap(([, , , , endsMs]) => (endsMs > 0 ? [endsMs] : [])));
  return { put: [[keyOf(predictionId), entry]], setTimers: [timerOf(predictionId, dueMs)] };
}

const timerOf = (predictionId: string, dueMs: number): TimerSpec => ({
  name: waitTimer + predictionId,
  dueMs,
  reads: { keys: [keyOf(predictionId)] },
});
