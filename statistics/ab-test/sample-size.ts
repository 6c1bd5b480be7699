/** How many observations per arm a two-sided comparison of two means needs. */
import { requireFraction, requirePositive } from '../arguments.ts';
import { normalCdf, normalQuantile } from '../special/normal.ts';
import { noncentralStudentCdf, studentQuantile } from '../special/student-t.ts';
import { solveIncreasing } from '../special/solve.ts';

export interface SampleSizePlan {
  /** Difference of the means over the common standard deviation (Cohen's d). */
  readonly effectSize: number;
  /** @default 0.05 */
  readonly alpha?: number;
  /** @default 0.8 */
  readonly power?: number;
  /** 't' allows for the unknown variance. @default 't' */
  readonly law?: 't' | 'normal';
}

/** Observations per arm, not rounded. @throws RangeError for an effect of 0 or fractions outside (0, 1). */
export function sampleSizePerArm(plan: SampleSizePlan): number {
  const effect = Math.abs(plan.effectSize);
  const alpha = plan.alpha ?? 0.05;
  const power = plan.power ?? 0.8;
  requirePositive('effectSize (absolute)', effect);
  requireFraction('alpha', alpha);
  requireFraction('power', power);
  const powerAt = plan.law === 'normal' ? normalPower : studentPower;
  const start = Math.max(2, 2 * ((normalQuantile(1 - alpha / 2) + normalQuantile(power)) / effect) ** 2);
  return solveIncreasing({
    target: power,
    value: (n) => powerAt(n, effect, alpha),
    slope: (n) => (powerAt(n * 1.001, effect, alpha) - powerAt(n, effect, alpha)) / (n * 0.001),
    low: 1.000001,
    high: Infinity,
    start,
  });
}

function normalPower(n: number, effect: number, alpha: number): number {
  const critical = normalQuantile(1 - alpha / 2);
  const shift = effect * Math.sqrt(n / 2);
  return normalCdf(shift - critical) + normalCdf(-shift - critical);
}

function studentPower(n: number, effect: number, alpha: number): number {
  const df = 2 * n - 2;
  const critical = studentQuantile(1 - alpha / 2, df);
  const shift = effect * Math.sqrt(n / 2);
  return 1 - noncentralStudentCdf(critical, df, shift) + noncentralStudentCdf(-critical, df, shift);
}
