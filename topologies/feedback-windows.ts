/**
 * When predictions stop waiting. Predictions whose windows end together are kept in lists of up to 128 ids, with one timer a list:
 * a timer each would be hundreds of millions where labels come after a day. A list is one text, its ids one space apart: adding an id
 * copies none of those before it.
 *
 * A list goes through three timers: `close` reads the list, `count` (at once) reads its predictions and counts those that still wait,
 * `forget` (one more window later) deletes them.
 */
import type { DueTimer, Effects, StateView, TimerSpec } from '../runtime/engine/topology.ts';

/** The end of a window and what is kept under it. */
export interface FeedbackWindow {
  /** Feedback from here on is late. */
  readonly closesMs: number;
  /** Late feedback is known as such up to here. */
  readonly forgetMs: number;
  /** State key of the list. */
  readonly listKey: string;
}

/** The window that a prediction opens; follows from its record alone, so that it can be read before the fold. */
export function feedbackWindow(timeMs: number, windowMs: number, offset: number): FeedbackWindow {
  const closesMs = endOf(timeMs, windowMs);
  const forgetMs = endOf(closesMs, windowMs);
  return { closesMs, forgetMs, listKey: `l/${closesMs}/${forgetMs}/${Math.floor(offset / listMax)}` };
}

const listMax = 128;

/**
 * The end of a span, rounded up to a fiftieth of its length (at most a second), so that ends fall together and an idle partition needs
 * few ticks.
 */
export function endOf(startMs: number, lengthMs: number): number {
  const grainMs = Math.min(1_000, Math.max(1, Math.floor(lengthMs / 50)));
  return Math.ceil((startMs + lengthMs) / grainMs) * grainMs;
}

/** Puts a prediction on the list of its window. */
export function joinWindow(
  { closesMs, listKey }: FeedbackWindow,
  predictionId: string,
  state: StateView,
): { readonly put: readonly [key: string, value: unknown]; readonly setTimers: readonly TimerSpec[] } {
  const list = state.get<string>(listKey);
  if (list !== undefined) return { put: [listKey, `${list} ${predictionId}`], setTimers: [] };
  return {
    put: [listKey, predictionId],
    setTimers: [{ name: `close/${listKey}`, dueMs: closesMs, reads: { keys: [listKey] } }],
  };
}

/** Serves the timers of lists; undefined for any other timer. */
export function windowTimer(
  timer: DueTimer,
  state: StateView,
  keyOf: (predictionId: string) => string,
  closedAs: (entry: unknown) => string | undefined,
): Effects | undefined {
  const slash = timer.name.indexOf('/');
  const stage = timer.name.slice(0, slash);
  const listKey = timer.name.slice(slash + 1);
  if (stage === 'close') {
    // Behind every other timer that is due by now: its reads are fetched in one go.
    const keys = idsOf(listKey, state).map(keyOf);
    return { setTimers: [{ name: `count/${listKey}`, dueMs: timer.timeMs, reads: { keys } }] };
  }
  if (stage === 'count') {
    const count: Record<string, number> = {};
    for (const key of timer.reads?.keys ?? []) {
      const counter = closedAs(state.get(key));
      if (counter !== undefined) count[counter] = (count[counter] ?? 0) + 1;
    }
    const forgetMs = Number(listKey.split('/')[2]);
    return {
      setTimers: [{ name: `forget/${listKey}`, dueMs: forgetMs, reads: { keys: [listKey] } }],
      count,
    };
  }
  if (stage === 'forget') {
    const ids = idsOf(listKey, state);
    return { delete: [listKey, ...ids.map(keyOf)], count: { predictionsForgotten: ids.length } };
  }
  return undefined;
}

function idsOf(listKey: string, state: StateView): readonly string[] {
  return state.get<string>(listKey)?.split(' ') ?? [];
}
