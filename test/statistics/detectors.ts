/** Runs an online detector over a stream, with its state written to JSON and read back on the way. */
import type { OnlineStep } from '../../statistics/online/online-step.ts';

export interface Run<Verdict> {
  readonly verdicts: readonly Verdict[];
  /** Largest JSON size of the state, in characters. */
  readonly stateSizeMax: number;
}

export function runDetector<State, Verdict>(
  values: readonly number[],
  empty: State,
  step: (state: State, value: number) => OnlineStep<State, Verdict>,
): Run<Verdict> {
  let state = empty;
  let stateSizeMax = 0;
  const verdicts = values.map((value, i) => {
    const next = step(state, value);
    state = next.state;
    if (i % 10 === 0) {
      const text = JSON.stringify(state);
      stateSizeMax = Math.max(stateSizeMax, text.length);
      state = JSON.parse(text) as State;
    }
    return next.verdict;
  });
  return { verdicts, stateSizeMax };
}

/** Indices at which a condition holds. */
export function indicesOf<T>(items: readonly T[], holds: (item: T) => boolean): number[] {
  return items.flatMap((item, i) => (holds(item) ? [i] : []));
}
