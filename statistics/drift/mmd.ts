/**
 * Maximum mean discrepancy (Gretton et al. 2012): a two-sample test for rows of any dimension, with a Gaussian kernel.
 * Detects any difference of the joint distribution. Memory and time grow with the square of the rows.
 */
import { requireMatrix, requirePositive } from '../arguments.ts';
import { squaredDistance } from '../matrices/squared-distance.ts';
import { median } from '../samples/quantiles.ts';
import type { Random } from '../random.ts';
import { permutationPValue, type PermutationPValue } from './permutation-test.ts';

export interface MmdOptions {
  /** Kernel width: k(a, b) = exp(−|a − b|² / 2σ²). @default the median distance of the pooled rows */
  readonly sigma?: number;
  /** Random relabelings; all of them are enumerated when there are not more. @default 100 */
  readonly permutations?: number;
}

export interface MmdResult extends PermutationPValue {
  /** Unbiased estimate of MMD² (eq. 3); may be slightly negative. */
  readonly statistic: number;
  /** Biased estimate (eq. 5), at least 0. */
  readonly biased: number;
  /** The kernel width used. 0: all rows are equal, which is no drift (p-value 1). */
  readonly sigma: number;
}

/** @param random decides the relabelings. @throws RangeError below two rows a side, for ragged rows or NaN. */
export function mmdTest(
  x: readonly ArrayLike<number>[],
  y: readonly ArrayLike<number>[],
  random: Random,
  options: MmdOptions = {},
): MmdResult {
  const columns = requireMatrix('x', x, 2);
  if (requireMatrix('y', y, 2) !== columns) throw new RangeError(`y must have ${columns} columns like x`);
  const pooled = [...x, ...y];
  const squared = squaredDistances(pooled);
  const sigma = options.sigma ?? medianDistance(squared);
  if (options.sigma !== undefined) requirePositive('sigma', sigma);
  if (sigma === 0) return { statistic: 0, biased: 0, sigma, pValue: 1, nullQuantile95: 0, permutations: 0 };
  const n = pooled.length;
  const kernel = squared.map((d) => Math.exp(-(d / sigma / sigma) / 2));
  const { total, byRow } = sumsOf(kernel, n);
  const members = new Int32Array(x.length);
  // Pairs within x are summed, a quarter of all; the others follow from the sums of the rows, which no relabeling changes.
  const discrepancy = (inX: Uint8Array, bias: boolean) => {
    let held = 0;
    let ofX = 0;
    for (let i = 0; i < n; i++) {
      if (inX[i] !== 1) continue;
      members[held++] = i;
      ofX += byRow[i] ?? 0;
    }
    let xx = 0;
    for (let first = 1; first < held; first++) {
      const i = members[first] ?? 0;
      const row = (i * (i - 1)) / 2;
      for (let second = 0; second < first; second++) xx += kernel[row + (members[second] ?? 0)] ?? 0;
    }
    const xy = ofX - 2 * xx;
    const yy = total - xx - xy;
    const a = x.length;
    const b = y.length;
    if (bias) return (2 * xx + a) / (a * a) + (2 * yy + b) / (b * b) - (2 * xy) / (a * b);
    return (2 * xx) / (a * (a - 1)) + (2 * yy) / (b * (b - 1)) - (2 * xy) / (a * b);
  };
  const observed = Uint8Array.from(pooled, (_, i) => (i < x.length ? 1 : 0));
  return {
    statistic: discrepancy(observed, false),
    biased: Math.max(0, discrepancy(observed, true)),
    sigma,
    ...permutationPValue(observed, (labels) => discrepancy(labels, false), random, options.permutations ?? 100),
  };
}

/** Sums over all pairs, and over the pairs of each row. */
function sumsOf(kernel: Float64Array, n: number): { readonly total: number; readonly byRow: Float64Array } {
  const byRow = new Float64Array(n);
  let total = 0;
  for (let i = 0, k = 0; i < n; i++) {
    for (let j = 0; j < i; j++, k++) {
      const value = kernel[k] ?? 0;
      total += value;
      byRow[i] = (byRow[i] ?? 0) + value;
      byRow[j] = (byRow[j] ?? 0) + value;
    }
  }
  return { total, byRow };
}

/** The median Euclidean distance over all pairs of rows: the usual kernel width. */
export function medianHeuristic(rows: readonly ArrayLike<number>[]): number {
  requireMatrix('rows', rows, 2);
  return medianDistance(squaredDistances(rows));
}

function medianDistance(squared: Float64Array): number {
  return median(squared.map(Math.sqrt));
}

/** Pairs (i, j < i), row by row. */
function squaredDistances(rows: readonly ArrayLike<number>[]): Float64Array {
  const squared = new Float64Array((rows.length * (rows.length - 1)) / 2);
  let k = 0;
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < i; j++) squared[k++] = squaredDistance(rows[i] ?? [], rows[j] ?? []);
  }
  return squared;
}
