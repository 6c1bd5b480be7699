/** Ranking quality of scores for two classes. All results are null when only one class is present. */
import { requireCounts, requireFinite, requireLength, requireSameLength } from '../arguments.ts';
import { ascendingOrder } from '../samples/ranks.ts';

export interface RocCurve {
  /** One point per distinct score from the highest down, after the point (0, 0) at threshold Infinity. */
  readonly thresholds: readonly number[];
  readonly falsePositiveRates: readonly number[];
  readonly truePositiveRates: readonly number[];
  /** Area under the curve (trapezoids; ties count half). */
  readonly auc: number;
  /** Σ (recall step) · precision, without interpolation. */
  readonly averagePrecision: number;
  /** Largest distance between the two rates: the KS distance of the two classes' scores. */
  readonly ksStatistic: number;
}

/** @param truth 0 or 1 per row. @param scores higher means class 1. @param weights of the rows. @default all 1 */
export function rocCurve(
  truth: ArrayLike<number>,
  scores: ArrayLike<number>,
  weights?: ArrayLike<number>,
): RocCurve | null {
  requireBinary(truth, scores);
  if (weights !== undefined) {
    requireSameLength('truth', truth, 'weights', weights);
    requireCounts('weights', weights);
  }
  const weight = (i: number) => weights?.[i] ?? 1;
  let positives = 0;
  let negatives = 0;
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] === 1) positives += weight(i);
    else negatives += weight(i);
  }
  if (positives === 0 || negatives === 0) return null;
  const order = ascendingOrder(scores).reverse();
  const thresholds = [Infinity];
  const falsePositiveRates = [0];
  const truePositiveRates = [0];
  let truePositives = 0;
  let falsePositives = 0;
  let auc = 0;
  let averagePrecision = 0;
  let ksStatistic = 0;
  for (let k = 0; k < order.length; ) {
    const threshold = scores[order[k] ?? 0] ?? 0;
    const before = { truePositives, falsePositives };
    for (; k < order.length && scores[order[k] ?? 0] === threshold; k++) {
      const row = order[k] ?? 0;
      if (truth[row] === 1) truePositives += weight(row);
      else falsePositives += weight(row);
    }
    const stepUp = (truePositives - before.truePositives) / positives;
    auc += ((falsePositives - before.falsePositives) / negatives) * (before.truePositives / positives + stepUp / 2);
    if (stepUp > 0) averagePrecision += (stepUp * truePositives) / (truePositives + falsePositives);
    thresholds.push(threshold);
    falsePositiveRates.push(falsePositives / negatives);
    truePositiveRates.push(truePositives / positives);
    ksStatistic = Math.max(ksStatistic, Math.abs(truePositives / positives - falsePositives / negatives));
  }
  return { thresholds, falsePositiveRates, truePositiveRates, auc, averagePrecision, ksStatistic };
}

/** Refuses labels other than 0 and 1, and scores that are not finite. @throws RangeError */
export function requireBinary(truth: ArrayLike<number>, scores: ArrayLike<number>): void {
  requireSameLength('truth', truth, 'scores', scores);
  requireLength('truth', truth, 1);
  requireFinite('scores', scores);
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] !== 0 && truth[i] !== 1) throw new RangeError(`truth[${i}] must be 0 or 1, got ${String(truth[i])}`);
  }
}
