/** Sums, moments and spreads of one sample. NaN and infinities are refused with a RangeError. */
import { requireFinite, requireLength } from '../arguments.ts';
import { median } from './quantiles.ts';

/** The exactly rounded sum (Shewchuk 1997: error-free transformation into non-overlapping parts). Empty gives 0. */
export function exactSum(values: ArrayLike<number>): number {
  requireFinite('values', values);
  const parts: number[] = [];
  for (let i = 0; i < values.length; i++) {
    let x = values[i] ?? 0;
    let kept = 0;
    for (let p = 0; p < parts.length; p++) {
      let y = parts[p] ?? 0;
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low !== 0) parts[kept++] = low;
      x = high;
    }
    parts.length = kept;
    parts.push(x);
  }
  let sum = 0;
  for (let p = parts.length - 1; p >= 0; p--) sum += parts[p] ?? 0;
  return sum;
}

/** Arithmetic mean, from an exact sum. @throws RangeError for an empty sample. */
export function mean(values: ArrayLike<number>): number {
  requireLength('values', values, 1);
  return exactSum(values) / values.length;
}

/** Sum of squared deviations from the mean: two passes, so that a large offset does not cancel. */
export function squaredDeviations(values: ArrayLike<number>, centre = mean(values)): number {
  let sum = 0;
  let drift = 0;
  for (let i = 0; i < values.length; i++) {
    const d = (values[i] ?? 0) - centre;
    sum += d * d;
    drift += d;
  }
  return sum - (drift * drift) / values.length;
}

/** Unbiased variance (divisor n − 1). @throws RangeError below two values. */
export function variance(values: ArrayLike<number>): number {
  requireLength('values', values, 2);
  return squaredDeviations(values) / (values.length - 1);
}

/** Biased skewness g₁ = m₃ / m₂^1.5; NaN for a constant sample. */
export function skewness(values: ArrayLike<number>): number {
  const { m2, m3 } = centralMoments(values);
  return m2 === 0 ? Number.NaN : m3 / m2 ** 1.5;
}

/** Biased excess kurtosis g₂ = m₄ / m₂² − 3; NaN for a constant sample. */
export function excessKurtosis(values: ArrayLike<number>): number {
  const { m2, m4 } = centralMoments(values);
  return m2 === 0 ? Number.NaN : m4 / (m2 * m2) - 3;
}

/** Median of the absolute deviations from the median, unscaled. */
export function medianAbsoluteDeviation(values: ArrayLike<number>): number {
  const centre = median(values);
  return median(Float64Array.from(values, (value) => Math.abs(value - centre)));
}

function centralMoments(values: ArrayLike<number>): { m2: number; m3: number; m4: number } {
  const centre = mean(values);
  let m2 = 0;
  let m3 = 0;
  let m4 = 0;
  for (let i = 0; i < values.length; i++) {
    const d = (values[i] ?? 0) - centre;
    m2 += d * d;
    m3 += d * d * d;
    m4 += d * d * d * d;
  }
  const n = values.length;
  return { m2: m2 / n, m3: m3 / n, m4: m4 / n };
}
