/**
 * What every online detector returns for one value: the next state, a plain JSON-able document of bounded size, and
 * the verdict. Detectors are pure: the same state and value give the same answer, so a fold can replay them.
 */
export interface OnlineStep<State, Verdict> {
  readonly state: State;
  readonly verdict: Verdict;
}

/** Refuses what is not a finite number. @throws RangeError */
export function requireValue(value: number): void {
  if (!Number.isFinite(value)) throw new RangeError(`value must be a finite number, got ${value}`);
}
