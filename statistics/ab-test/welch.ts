/**
 * Comparison of two means without equal variances (Welch 1947, Satterthwaite 1946), from the O(1) states of the two
 * arms. Undefined results (fewer than two values in an arm, or no spread at all) are NaN, never 0.
 */
import { requireFraction } from '../arguments.ts';
import { type RunningMoments, varianceOf } from '../samples/running-moments.ts';
import { studentQuantile, studentSurvival, studentTwoSided } from '../special/student-t.ts';

export interface WelchResult {
  /** t, for x minus y. */
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  /** Two-sided. */
  readonly pValue: number;
  /** One-sided, for the alternative that x's mean is below y's. */
  readonly pValueLess: number;
  /** mean x − mean y, and its confidence interval. */
  readonly difference: number;
  readonly interval: readonly [number, number];
  /** Cohen's d, over the root of the average of the two variances. */
  readonly effectSize: number;
  /** Student's t with the pooled variance, for comparison. */
  readonly pooledStatistic: number;
}

/** Welch's test. @param confidence of the interval. @default 0.95 */
export function welchTest(x: RunningMoments, y: RunningMoments, confidence = 0.95): WelchResult {
  requireFraction('confidence', confidence);
  const difference = x.mean - y.mean;
  const varianceX = varianceOf(x);
  const varianceY = varianceOf(y);
  const a = varianceX / x.count;
  const b = varianceY / y.count;
  const spread = a + b;
  if (!(spread > 0)) {
    const undefinedResult = Number.NaN;
    return {
      statistic: undefinedResult,
      degreesOfFreedom: undefinedResult,
      pValue: undefinedResult,
      pValueLess: undefinedResult,
      difference,
      interval: [undefinedResult, undefinedResult],
      effectSize: undefinedResult,
      pooledStatistic: undefinedResult,
    };
  }
  // Shares instead of squares: the squares of tiny variances would underflow.
  const shareX = a / spread;
  const shareY = b / spread;
  const degreesOfFreedom = 1 / ((shareX * shareX) / (x.count - 1) + (shareY * shareY) / (y.count - 1));
  const error = Math.sqrt(spread);
  const statistic = difference / error;
  const half = studentQuantile(0.5 + confidence / 2, degreesOfFreedom) * error;
  const pooled = (varianceX * (x.count - 1) + varianceY * (y.count - 1)) / (x.count + y.count - 2);
  return {
    statistic,
    degreesOfFreedom,
    pValue: studentTwoSided(statistic, degreesOfFreedom),
    pValueLess: studentSurvival(-statistic, degreesOfFreedom),
    difference,
    interval: [difference - half, difference + half],
    effectSize: difference / Math.sqrt((varianceX + varianceY) / 2),
    pooledStatistic: difference / Math.sqrt(pooled * (1 / x.count + 1 / y.count)),
  };
}

/** Confidence interval of one mean (Student). NaN below two values. @default confidence 0.95 */
export function meanInterval(state: RunningMoments, confidence = 0.95): readonly [number, number] {
  requireFraction('confidence', confidence);
  if (state.count < 2) return [Number.NaN, Number.NaN];
  const half = studentQuantile(0.5 + confidence / 2, state.count - 1) * Math.sqrt(varianceOf(state) / state.count);
  return [state.mean - half, state.mean + half];
}
