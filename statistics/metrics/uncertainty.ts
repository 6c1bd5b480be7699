/** How unsure a classifier is of one row, from its class probabilities (Settles 2009). Higher is less sure. */
import { requireCounts, requireLength } from '../arguments.ts';

export interface Uncertainty {
  /** −Σ p ln p, in nats. */
  readonly entropy: number;
  /** 1 − (largest − second largest); 1 − largest when there is one class only. */
  readonly margin: number;
  /** 1 − largest. */
  readonly leastConfidence: number;
}

/** @param probabilities of the classes, summing to 1 within 1e−3. @throws RangeError otherwise. */
export function classificationUncertainty(probabilities: ArrayLike<number>): Uncertainty {
  requireLength('probabilities', probabilities, 1);
  requireCounts('probabilities', probabilities);
  let total = 0;
  let entropy = 0;
  let first = 0;
  let second = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i] ?? 0;
    total += p;
    if (p > 0) entropy -= p * Math.log(p);
    if (p > first) {
      second = first;
      first = p;
    } else if (p > second) second = p;
  }
  if (Math.abs(total - 1) > 1e-3) throw new RangeError(`probabilities must sum to 1, got ${total}`);
  return { entropy, margin: 1 - (first - second), leastConfidence: 1 - first };
}
