/**
 * Two-sample Cramér–von Mises test: the squared distance of the two distribution functions, summed over all points.
 * Sources: Anderson 1962 (statistic, moments); Csörgő and Faraway 1996 (limit law). Infinities are ordinary values,
 * NaN is refused. With ties the exact p-value is approximate: it counts untied arrangements.
 */
import { requireLength, requireNumbers } from '../arguments.ts';
import { averageRanks } from '../samples/ranks.ts';
import { cramerVonMisesSurvival } from '../special/cramer-von-mises.ts';

export interface CvmResult {
  /** T: about 1/6 under the null hypothesis. */
  readonly statistic: number;
  readonly pValue: number;
  readonly method: 'exact' | 'asymptotic';
}

const EXACT_PAIRS_MAX = 100;

/**
 * @param method 'auto' is exact up to 100 pairs of observations. @default 'auto'
 * @param ties 'midranks' as SciPy: many ties inflate T, and equal samples of few values look different. 'steps' sums the squared distance
 *   of the two step functions itself: the same without ties, and with ties at most what it would be without. @default 'midranks'
 * @throws RangeError for an empty sample or NaN.
 */
export function cvmTwoSample(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  method: 'auto' | 'exact' | 'asymptotic' = 'auto',
  ties: 'midranks' | 'steps' = 'midranks',
): CvmResult {
  requireLength('x', x, 1);
  requireLength('y', y, 1);
  requireNumbers('x', x);
  requireNumbers('y', y);
  const m = x.length;
  const n = y.length;
  const statistic = ties === 'midranks' ? cvmStatistic(x, y) : stepStatistic(x, y);
  const exact = method === 'exact' || (method === 'auto' && m * n <= EXACT_PAIRS_MAX);
  return {
    statistic,
    pValue: exact ? exactPValue(statistic, m, n) : asymptoticPValue(statistic, m, n),
    method: exact ? 'exact' : 'asymptotic',
  };
}

function cvmStatistic(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const m = x.length;
  const n = y.length;
  const pooled = new Float64Array(m + n);
  pooled.set(Float64Array.from(x).sort(), 0);
  pooled.set(Float64Array.from(y).sort(), m);
  const ranks = averageRanks(pooled);
  let sumX = 0;
  let sumY = 0;
  for (let i = 0; i < m; i++) sumX += ((ranks[i] ?? 0) - i - 1) ** 2;
  for (let j = 0; j < n; j++) sumY += ((ranks[m + j] ?? 0) - j - 1) ** 2;
  return (m * sumX + n * sumY) / (m * n * (m + n)) - (4 * m * n - 1) / (6 * (m + n));
}

/** T = mn / (m + n)² Σ (F − G)² over all points. */
function stepStatistic(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const a = Float64Array.from(x).sort();
  const b = Float64Array.from(y).sort();
  let i = 0;
  let j = 0;
  let sum = 0;
  while (i < a.length || j < b.length) {
    const value = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    const before = i + j;
    while (i < a.length && a[i] === value) i += 1;
    while (j < b.length && b[j] === value) j += 1;
    sum += (i + j - before) * (i / a.length - j / b.length) ** 2;
  }
  return (a.length * b.length * sum) / (a.length + b.length) ** 2;
}

/** Standardises T to its finite-sample mean and variance before asking the limit law. */
function asymptoticPValue(statistic: number, m: number, n: number): number {
  const total = m + n;
  const expected = (1 + 1 / total) / 6;
  const spread = ((total + 1) * (4 * m * n * total - 3 * (m * m + n * n) - 2 * m * n)) / (180 * total * total * m * n);
  return cramerVonMisesSurvival(1 / 6 + (statistic - expected) / Math.sqrt(45 * spread));
}

/** Share of arrangements of m and n untied observations whose T is at least the observed one. */
function exactPValue(statistic: number, m: number, n: number): number {
  // T = Σ (i n − j m)² / (m n (m + n)²) over the m + n steps of an arrangement: integers, counted along lattice paths.
  const goal = statistic * m * n * (m + n) ** 2 * (1 - 1e-12) - 1e-9;
  let previous: Map<number, number>[] = [];
  for (let i = 0; i <= m; i++) {
    const row: Map<number, number>[] = [];
    for (let j = 0; j <= n; j++) {
      const cell = new Map<number, number>();
      const step = (i * n - j * m) ** 2;
      const arrive = (from: Map<number, number> | undefined, share: number) => {
        from?.forEach((p, sum) => cell.set(sum + step, (cell.get(sum + step) ?? 0) + p * share));
      };
      if (i === 0 && j === 0) cell.set(0, 1);
      if (i > 0) arrive(previous[j], (m - i + 1) / (m + n - i + 1 - j));
      if (j > 0) arrive(row[j - 1], (n - j + 1) / (m + n - i - j + 1));
      row.push(cell);
    }
    previous = row;
  }
  let pValue = 0;
  previous[n]?.forEach((p, sum) => {
    if (sum >= goal) pValue += p;
  });
  return Math.min(1, pValue);
}
