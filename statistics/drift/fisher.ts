/**
 * Fisher's exact test of a 2×2 table (Fisher 1922). Rows: two samples; columns: yes and no. Two-sided adds every table
 * that is not more probable than the observed one (with 1e−7 of slack, as R and SciPy do).
 */
import { requireInteger } from '../arguments.ts';
import { solveIncreasing } from '../special/solve.ts';

export type Table2x2 = readonly [readonly [number, number], readonly [number, number]];

export interface FisherResult {
  /** Sample odds ratio ad / bc; NaN when a margin is 0. */
  readonly statistic: number;
  /** Two-sided, and both one-sided: 'greater' means an odds ratio above 1. */
  readonly pValue: number;
  readonly pValueLess: number;
  readonly pValueGreater: number;
  /** Conditional maximum likelihood estimate of the odds ratio: less extreme than the sample's; NaN without margins. */
  readonly conditionalOddsRatio: number;
}

/** The test with both odds ratios. @throws RangeError unless all four counts are non-negative integers. */
export function fisherExact(table: Table2x2): FisherResult {
  const tails = fisherTails(table);
  const [[a, b], [c, d]] = table;
  const law = lawOf(table);
  if (law === null) return { ...tails, statistic: Number.NaN, conditionalOddsRatio: Number.NaN };
  const statistic = b * c === 0 ? Infinity : (a * d) / (b * c);
  return { ...tails, statistic, conditionalOddsRatio: conditionalEstimate(law, a) };
}

/** The three p-values alone; all are 1 when a margin is 0. */
export function fisherTails(table: Table2x2): Pick<FisherResult, 'pValue' | 'pValueLess' | 'pValueGreater'> {
  const [[a, b], [c, d]] = table;
  [a, b, c, d].forEach((count, i) => requireInteger(`table[${i >> 1}][${i & 1}]`, count));
  const law = lawOf(table);
  if (law === null) return { pValue: 1, pValueLess: 1, pValueGreater: 1 };
  const observed = law.probabilities[a - law.low] ?? 0;
  let pValue = 0;
  let pValueLess = 0;
  let pValueGreater = 0;
  law.probabilities.forEach((p, i) => {
    if (p <= observed * (1 + 1e-7)) pValue += p;
    if (law.low + i <= a) pValueLess += p;
    if (law.low + i >= a) pValueGreater += p;
  });
  return {
    pValue: Math.min(1, pValue),
    pValueLess: Math.min(1, pValueLess),
    pValueGreater: Math.min(1, pValueGreater),
  };
}

/** The law of the first cell, null without all four margins. */
function lawOf([[a, b], [c, d]]: Table2x2): Law | null {
  if (a + b === 0 || c + d === 0 || a + c === 0 || b + d === 0) return null;
  return hypergeometric(a + b, c + d, a + c);
}

interface Law {
  /** Smallest possible count in the first cell. */
  readonly low: number;
  readonly probabilities: Float64Array;
}

/** The first cell of tables with these margins, from ratios of neighbours outwards from the mode: nothing overflows. */
function hypergeometric(rowOne: number, rowTwo: number, columnOne: number): Law {
  const low = Math.max(0, columnOne - rowTwo);
  const high = Math.min(rowOne, columnOne);
  const mode = Math.floor(((rowOne + 1) * (columnOne + 1)) / (rowOne + rowTwo + 2));
  const start = Math.min(high, Math.max(low, mode));
  const weights = new Float64Array(high - low + 1);
  weights[start - low] = 1;
  const up = (k: number) => ((rowOne - k) / (k + 1)) * ((columnOne - k) / (rowTwo - columnOne + k + 1));
  for (let k = start; k < high; k++) weights[k + 1 - low] = (weights[k - low] ?? 0) * up(k);
  for (let k = start; k > low; k--) weights[k - 1 - low] = (weights[k - low] ?? 0) / up(k - 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { low, probabilities: weights.map((weight) => weight / total) };
}

/** The odds ratio under which the expected first cell equals the observed one. */
function conditionalEstimate(law: Law, observed: number): number {
  const high = law.low + law.probabilities.length - 1;
  if (law.low === high) return Number.NaN;
  if (observed === law.low) return 0;
  if (observed === high) return Infinity;
  const logs = law.probabilities.map((p) => Math.log(p));
  const moments = (logOdds: number) => {
    const exponents = logs.map((log, i) => log + i * logOdds);
    const top = exponents.reduce((max, e) => Math.max(max, e), -Infinity);
    let sum = 0;
    let first = 0;
    let second = 0;
    exponents.forEach((exponent, i) => {
      const weight = Math.exp(exponent - top);
      sum += weight;
      first += i * weight;
      second += i * i * weight;
    });
    const mean = first / sum;
    return { mean, spread: second / sum - mean * mean };
  };
  const logOdds = solveIncreasing({
    target: observed - law.low,
    value: (x) => moments(x).mean,
    slope: (x) => moments(x).spread,
    low: -800,
    high: 800,
    start: 0,
  });
  return Math.exp(logOdds);
}
