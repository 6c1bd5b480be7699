/**
 * Kolmogorov–Smirnov tests. Two samples: exact by counting lattice paths (Hodges 1958; tied data are treated as
 * untied, which is conservative), asymptotic by the finite-n Kolmogorov law at n = mn/(m+n), or by its limit.
 * Infinities are ordinary values; NaN is refused unless `missing` is 'omit'.
 */
import { requireLength, requireNumbers, withoutMissing } from '../arguments.ts';
import { kolmogorovSurvival, kolmogorovSurvivalExact } from '../special/kolmogorov.ts';

/** 'greater': the distribution function of x lies above that of y somewhere (x tends to be smaller). */
export type Alternative = 'two-sided' | 'less' | 'greater';

export interface KsOptions {
  /** @default 'two-sided' */
  readonly alternative?: Alternative;
  /** 'auto' is exact up to 250,000 pairs of observations, then asymptotic. 'limit' is two-sided only. @default 'auto' */
  readonly method?: 'auto' | 'exact' | 'asymptotic' | 'limit';
  /** What to do with NaN. @default 'refuse' */
  readonly missing?: 'refuse' | 'omit';
  /** x is in ascending order and without NaN: a reference that is compared with many samples needs to be sorted once. @default false */
  readonly xIsSorted?: boolean;
}

export interface KsResult {
  /** The largest distance between the two distribution functions; itself an effect size within [0, 1]. */
  readonly statistic: number;
  readonly pValue: number;
  readonly method: 'exact' | 'asymptotic' | 'limit';
  /** A value at which the distance is reached, and on which side: 1 when x's distribution function is above. */
  readonly location: number;
  readonly sign: 1 | -1;
  /** Observations used of x and y. */
  readonly counts: readonly [number, number];
}

const EXACT_PAIRS_MAX = 250_000;

/** Two-sample test that x and y have one distribution. @throws RangeError for an empty sample or NaN. */
export function ksTwoSample(x: ArrayLike<number>, y: ArrayLike<number>, options: KsOptions = {}): KsResult {
  const alternative = options.alternative ?? 'two-sided';
  const sortedX = options.xIsSorted === true ? x : prepare('x', x, options.missing);
  requireLength('x', sortedX, 1);
  const sortedY = prepare('y', y, options.missing);
  const distances = largestDistances(sortedX, sortedY);
  const above = distances.above.steps;
  const below = distances.below.steps;
  const useBelow = alternative === 'less' || (alternative === 'two-sided' && below > above);
  const reached = useBelow ? distances.below : distances.above;
  const m = sortedX.length;
  const n = sortedY.length;
  const method =
    (options.method ?? 'auto') === 'auto' ? (m * n <= EXACT_PAIRS_MAX ? 'exact' : 'asymptotic') : options.method;
  const statistic = reached.steps / (m * n);
  let pValue: number;
  if (method === 'exact') pValue = exactPValue(m, n, reached.steps, alternative);
  else if (method === 'limit') pValue = limitPValue(statistic, m, n, alternative);
  else pValue = asymptoticPValue(statistic, m, n, alternative);
  return {
    statistic,
    pValue,
    method: method === 'exact' || method === 'limit' ? method : 'asymptotic',
    location: reached.location,
    sign: useBelow ? -1 : 1,
    counts: [m, n],
  };
}

/**
 * One-sample, two-sided test against a fully specified continuous distribution.
 * @param cdf its distribution function. @param method 'exact' (finite-n law) or 'limit'. @default method 'exact'
 */
export function ksOneSample(
  x: ArrayLike<number>,
  cdf: (value: number) => number,
  method: 'exact' | 'limit' = 'exact',
): { readonly statistic: number; readonly pValue: number } {
  const sorted = prepare('x', x, 'refuse');
  const n = sorted.length;
  let statistic = 0;
  sorted.forEach((value, i) => {
    const f = cdf(value);
    statistic = Math.max(statistic, (i + 1) / n - f, f - i / n);
  });
  const pValue =
    method === 'exact' ? kolmogorovSurvivalExact(statistic, n) : kolmogorovSurvival(Math.sqrt(n) * statistic);
  return { statistic, pValue };
}

function prepare(name: string, values: ArrayLike<number>, missing: 'refuse' | 'omit' = 'refuse'): Float64Array {
  const kept = missing === 'omit' ? withoutMissing(values) : new Float64Array(values);
  requireNumbers(name, kept);
  requireLength(name, kept, 1);
  return kept.sort();
}

interface Reached {
  /** The distance in units of 1/(mn): an integer, so comparisons are exact. */
  steps: number;
  location: number;
}

function largestDistances(x: ArrayLike<number>, y: ArrayLike<number>): { above: Reached; below: Reached } {
  const m = x.length;
  const n = y.length;
  const start = Math.min(x[0] ?? 0, y[0] ?? 0);
  const above: Reached = { steps: 0, location: start };
  const below: Reached = { steps: 0, location: start };
  let i = 0;
  let j = 0;
  while (i < m && j < n) {
    const value = Math.min(x[i] ?? 0, y[j] ?? 0);
    while (i < m && x[i] === value) i += 1;
    while (j < n && y[j] === value) j += 1;
    const steps = i * n - j * m;
    if (steps > above.steps) {
      above.steps = steps;
      above.location = value;
    }
    if (-steps > below.steps) {
      below.steps = -steps;
      below.location = value;
    }
  }
  return { above, below };
}

/** Probability that a random arrangement reaches the distance: mass at its first passage, so tiny tails keep digits. */
function exactPValue(m: number, n: number, steps: number, alternative: Alternative): number {
  if (steps <= 0) return 1;
  const reaches = (i: number, j: number) => {
    const distance = i * n - j * m;
    if (alternative === 'greater') return distance >= steps;
    if (alternative === 'less') return -distance >= steps;
    return Math.abs(distance) >= steps;
  };
  const mass = new Float64Array(n + 1);
  let pValue = 0;
  for (let i = 0; i <= m; i++) {
    for (let j = 0; j <= n; j++) {
      let p = i === 0 && j === 0 ? 1 : 0;
      if (i > 0) p += ((mass[j] ?? 0) * (m - i + 1)) / (m + n - i + 1 - j);
      if (j > 0) p += ((mass[j - 1] ?? 0) * (n - j + 1)) / (m + n - i - j + 1);
      if (p > 0 && reaches(i, j)) {
        pValue += p;
        p = 0;
      }
      mass[j] = p;
    }
  }
  return Math.min(1, pValue);
}

function asymptoticPValue(statistic: number, m: number, n: number, alternative: Alternative): number {
  const larger = Math.max(m, n);
  const smaller = Math.min(m, n);
  const effective = (larger * smaller) / (larger + smaller);
  if (alternative === 'two-sided') return kolmogorovSurvivalExact(statistic, roundHalfEven(effective));
  // Hodges' expansion of the one-sided tail.
  const z = Math.sqrt(effective) * statistic;
  const shift = (2 * z * (larger + 2 * smaller)) / Math.sqrt(larger * smaller * (larger + smaller)) / 3;
  return Math.min(1, Math.exp(-2 * z * z - shift));
}

function limitPValue(statistic: number, m: number, n: number, alternative: Alternative): number {
  const z = Math.sqrt((m / (m + n)) * n) * statistic;
  return alternative === 'two-sided' ? kolmogorovSurvival(z) : Math.exp(-2 * z * z);
}

function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
