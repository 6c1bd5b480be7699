/** Does the traffic arrive in the planned shares? A mismatch means a broken experiment, whatever its result says. */
import { requireCounts, requireLength, requireSameLength } from '../arguments.ts';
import { chiSquaredGoodnessOfFit, type ChiSquaredResult } from '../drift/chi2.ts';

/** Sample ratio mismatch: chi-squared of counts per arm against planned weights (any positive scale). */
export function sampleRatioMismatch(observed: ArrayLike<number>, weights: ArrayLike<number>): ChiSquaredResult {
  requireSameLength('observed', observed, 'weights', weights);
  const total = Array.from(observed).reduce((a, b) => a + b, 0);
  return chiSquaredGoodnessOfFit(observed, expectedSplit(weights, total));
}

/** Expected counts per arm. @throws RangeError for negative weights or none above 0. */
export function expectedSplit(weights: ArrayLike<number>, total: number): number[] {
  requireLength('weights', weights, 1);
  requireCounts('weights', weights);
  const sum = Array.from(weights).reduce((a, b) => a + b, 0);
  if (sum === 0) throw new RangeError('weights must hold at least one above 0');
  return Array.from(weights, (weight) => (total * weight) / sum);
}
