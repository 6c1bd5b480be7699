/**
 * Divergences of two discrete distributions, given as counts or probabilities over the same bins; both are scaled to
 * sum 1 first. Logarithms are natural unless a base is asked for; 0 ln 0 = 0. Sources: Kullback and Leibler 1951;
 * Lin 1991 (Jensen–Shannon).
 */
import { requireCounts, requireFinite, requireInteger, requireLength, requireSameLength } from '../arguments.ts';

/** Kullback–Leibler divergence of p from q; Infinity where q is 0 and p is not. */
export function kullbackLeibler(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [a, b] = shares(p, q);
  return a.reduce((sum, share, i) => {
    const other = b[i] ?? 0;
    if (share === 0) return sum + other;
    // Adding other − share, which sums to 0, keeps each term positive: nothing cancels.
    return other === 0 ? Infinity : sum + share * deviance((other - share) / share);
  }, 0);
}

/** Jensen–Shannon divergence: at most ln 2, or 1 in base 2. */
export function jensenShannonDivergence(p: ArrayLike<number>, q: ArrayLike<number>, base = Math.E): number {
  const [a, b] = shares(p, q);
  const sum = a.reduce((total, share, i) => {
    const other = b[i] ?? 0;
    const middle = (share + other) / 2;
    if (middle === 0) return total;
    const delta = (share - other) / 2 / middle;
    return total + (middle * (entropyGain(delta) + entropyGain(-delta))) / 2;
  }, 0);
  return Math.max(0, base === Math.E ? sum : sum / Math.log(base));
}

/** Jensen–Shannon distance: the square root of the divergence, a metric. */
export function jensenShannonDistance(p: ArrayLike<number>, q: ArrayLike<number>, base = Math.E): number {
  return Math.sqrt(jensenShannonDivergence(p, q, base));
}

/** Total variation distance ½ Σ |p − q|, within [0, 1]. */
export function totalVariation(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [a, b] = shares(p, q);
  return a.reduce((sum, share, i) => sum + Math.abs(share - (b[i] ?? 0)) / 2, 0);
}

/** Hellinger distance, within [0, 1]. */
export function hellinger(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const [a, b] = shares(p, q);
  return Math.sqrt(a.reduce((sum, share, i) => sum + (Math.sqrt(share) - Math.sqrt(b[i] ?? 0)) ** 2, 0) / 2);
}

export interface SharedHistogram {
  /** bins + 1 edges; bins are [low, high), the last one closed. */
  readonly edges: readonly number[];
  readonly xCounts: readonly number[];
  readonly yCounts: readonly number[];
}

/** Counts both samples in equal bins from the pooled minimum to the pooled maximum. */
export function sharedHistogram(x: ArrayLike<number>, y: ArrayLike<number>, bins: number): SharedHistogram {
  requireInteger('bins', bins, 1);
  requireLength('x', x, 1);
  requireLength('y', y, 1);
  requireFinite('x', x);
  requireFinite('y', y);
  const pooled = [...Array.from(x), ...Array.from(y)];
  const low = pooled.reduce((a, b) => Math.min(a, b));
  const high = pooled.reduce((a, b) => Math.max(a, b));
  const edges = Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + ((high - low) * i) / bins));
  return { edges, xCounts: histogramCounts(x, edges), yCounts: histogramCounts(y, edges) };
}

/** Counts values in bins [edge, next edge), the last one closed. Values outside are not counted. */
export function histogramCounts(values: ArrayLike<number>, edges: readonly number[]): number[] {
  const counts = Array.from({ length: edges.length - 1 }, () => 0);
  const last = edges[edges.length - 1] ?? 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value < (edges[0] ?? 0) || value > last) continue;
    let low = 0;
    let high = counts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((edges[middle] ?? 0) <= value) low = middle;
      else high = middle - 1;
    }
    counts[low] = (counts[low] ?? 0) + 1;
  }
  return counts;
}

/** u − ln(1 + u), at least 0. */
function deviance(u: number): number {
  return u - Math.log1p(u);
}

/** (1 + d) ln(1 + d) − d, at least 0. */
function entropyGain(d: number): number {
  return d <= -1 ? 1 : (1 + d) * Math.log1p(d) - d;
}

function shares(p: ArrayLike<number>, q: ArrayLike<number>): [number[], number[]] {
  requireSameLength('p', p, 'q', q);
  requireLength('p', p, 1);
  const scaled = (name: string, values: ArrayLike<number>) => {
    requireCounts(name, values);
    const total = Array.from(values).reduce((a, b) => a + b, 0);
    if (total === 0) throw new RangeError(`${name} must hold at least one value above 0`);
    return Array.from(values, (value) => value / total);
  };
  return [scaled('p', p), scaled('q', q)];
}
