/**
 * Mann–Whitney U test (1947): does one sample tend to be larger? Infinities are ordinary values, NaN is refused.
 */
import { requireLength, requireNumbers } from '../arguments.ts';
import type { Alternative } from './ks.ts';
import { averageRanks, tieCorrection } from '../samples/ranks.ts';
import { normalSurvival } from '../special/normal.ts';

export interface MannWhitneyOptions {
  /** 'less': x tends to be smaller than y. @default 'two-sided' */
  readonly alternative?: Alternative;
  /** 'auto' is exact without ties up to 1,000 pairs of observations. 'exact' ignores ties. @default 'auto' */
  readonly method?: 'auto' | 'exact' | 'asymptotic';
  /** Continuity correction of the normal approximation. @default true */
  readonly continuity?: boolean;
}

export interface MannWhitneyResult {
  /** U of x: pairs in which x is larger, ties counting half. */
  readonly statistic: number;
  /** 1 when all values are equal; NaN then without the continuity correction. */
  readonly pValue: number;
  readonly method: 'exact' | 'asymptotic';
  /** P(x > y) + ½ P(x = y), the common language effect size: ½ means no effect. */
  readonly effectSize: number;
}

const EXACT_PAIRS_MAX = 1000;

/** @throws RangeError for an empty sample or NaN. */
export function mannWhitney(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  options: MannWhitneyOptions = {},
): MannWhitneyResult {
  requireLength('x', x, 1);
  requireLength('y', y, 1);
  requireNumbers('x', x);
  requireNumbers('y', y);
  const m = x.length;
  const n = y.length;
  const pooled = new Float64Array(m + n);
  pooled.set(Float64Array.from(x), 0);
  pooled.set(Float64Array.from(y), m);
  const ranks = averageRanks(pooled);
  let rankSum = 0;
  for (let i = 0; i < m; i++) rankSum += ranks[i] ?? 0;
  const statistic = rankSum - (m * (m + 1)) / 2;
  const alternative = options.alternative ?? 'two-sided';
  const other = m * n - statistic;
  const extreme = { 'two-sided': Math.max(statistic, other), less: other, greater: statistic }[alternative];
  const ties = tieCorrection(pooled);
  const method = options.method ?? 'auto';
  const exact = method === 'exact' || (method === 'auto' && ties === 0 && m * n <= EXACT_PAIRS_MAX);
  const tail = exact
    ? exactSurvival(Math.ceil(extreme), m, n)
    : asymptoticSurvival(extreme, m, n, ties, options.continuity ?? true);
  return {
    statistic,
    pValue: Math.min(1, alternative === 'two-sided' ? 2 * tail : tail),
    method: exact ? 'exact' : 'asymptotic',
    effectSize: statistic / (m * n),
  };
}

function asymptoticSurvival(u: number, m: number, n: number, ties: number, continuity: boolean): number {
  const total = m + n;
  const spread = Math.sqrt(((m * n) / 12) * (total + 1 - ties / (total * (total - 1))));
  return normalSurvival((u - (m * n) / 2 - (continuity ? 0.5 : 0)) / spread);
}

/** P(U ≥ u) without ties: coefficients of the Gaussian binomial, as probabilities. */
function exactSurvival(u: number, m: number, n: number): number {
  const size = m * n + 1;
  const mass = new Float64Array(size);
  mass[0] = 1;
  for (let i = 1; i <= m; i++) {
    // Times (1 − q^(n+i)), divided by (1 − q^i); i / (n + i) keeps the sum at 1.
    for (let k = size - 1; k >= n + i; k--) mass[k] = (mass[k] ?? 0) - (mass[k - n - i] ?? 0);
    for (let k = i; k < size; k++) mass[k] = (mass[k] ?? 0) + (mass[k - i] ?? 0);
    for (let k = 0; k < size; k++) mass[k] = ((mass[k] ?? 0) * i) / (n + i);
  }
  let tail = 0;
  // The law is symmetric: the lower tail keeps its digits because its terms come first.
  for (let k = 0; k <= m * n - u; k++) tail += mass[k] ?? 0;
  return Math.min(1, tail);
}
