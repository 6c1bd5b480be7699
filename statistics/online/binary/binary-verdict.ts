/** What detectors on a stream of errors (1 = wrong, 0 = right) say. After a drift they start afresh. */
export interface BinaryVerdict {
  readonly drift: boolean;
  /** The error rate has risen, not yet enough to call it drift. */
  readonly warning: boolean;
}

/** Refuses anything but 0 and 1. @throws RangeError */
export function requireError(error: number): void {
  if (error !== 0 && error !== 1) throw new RangeError(`error must be 0 or 1, got ${error}`);
}
