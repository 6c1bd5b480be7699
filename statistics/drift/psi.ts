/**
 * Population stability index: the symmetrised Kullback–Leibler divergence of two binned samples (Siddiqi 2006).
 * Usual reading: below 0.1 stable, 0.1 to 0.25 look, above 0.25 shifted. Shares below `PSI_FLOOR` count as that floor,
 * without renormalising. NaN is a value of its own: it forms one more bin at the end.
 */
import { requireCounts, requireInteger, requireLength, requireSameLength, withoutMissing } from '../arguments.ts';
import { quantileOfSorted } from '../samples/quantiles.ts';
import { countCategories } from './chi2.ts';

/** Smallest share of a bin. */
export const PSI_FLOOR = 1e-6;

export interface PsiResult {
  readonly psi: number;
  readonly referenceCounts: readonly number[];
  readonly currentCounts: readonly number[];
}

/** Psi of numeric samples; bins hold about equal shares of the reference. @param bins @default 10 */
export function psiNumeric(
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
  bins = 10,
): PsiResult & { readonly edges: readonly number[] } {
  requireLength('reference', reference, 1);
  requireLength('current', current, 1);
  const edges = psiEdges(reference, bins);
  const withMissing = hasMissing(reference) || hasMissing(current);
  const referenceCounts = psiCounts(reference, edges, withMissing);
  const currentCounts = psiCounts(current, edges, withMissing);
  return { psi: psiFromCounts(referenceCounts, currentCounts), edges, referenceCounts, currentCounts };
}

/** Psi of categorical samples, one bin per category of either. */
export function psiCategorical(
  reference: readonly string[],
  current: readonly string[],
): PsiResult & { readonly categories: readonly string[] } {
  requireLength('reference', reference, 1);
  requireLength('current', current, 1);
  const { categories, table } = countCategories(reference, current);
  return { psi: psiFromCounts(...table), categories, referenceCounts: table[0], currentCounts: table[1] };
}

/**
 * Interior bin edges: the distinct quantiles i/bins of the reference (NaN left out). Keep them with the reference;
 * counting by `psiCounts` then needs no sample.
 */
export function psiEdges(reference: ArrayLike<number>, bins = 10): number[] {
  requireInteger('bins', bins, 2);
  const sorted = withoutMissing(reference).sort();
  return sorted.length === 0 ? [] : edgesOfSorted(sorted, bins);
}

/** The same of values in ascending order, without NaN. */
export function edgesOfSorted(sorted: ArrayLike<number>, bins: number): number[] {
  const edges = Array.from({ length: bins - 1 }, (_, i) => quantileOfSorted(sorted, (i + 1) / bins));
  return edges.filter((edge, i) => i === 0 || edge !== edges[i - 1]);
}

/** Index of the bin of a value: the number of edges at or below it. The outer bins are open. */
export function psiBin(value: number, edges: readonly number[]): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((edges[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts per bin. @param withMissing appends a bin for NaN; without it NaN is refused. @default false */
export function psiCounts(values: ArrayLike<number>, edges: readonly number[], withMissing = false): number[] {
  const counts = Array.from({ length: edges.length + (withMissing ? 2 : 1) }, () => 0);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? Number.NaN;
    if (Number.isNaN(value) && !withMissing) throw new RangeError(`values[${i}] is missing: count with withMissing`);
    const bin = Number.isNaN(value) ? counts.length - 1 : psiBin(value, edges);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** Psi of counts in the same bins. @throws RangeError for different lengths, negative counts or an empty side. */
export function psiFromCounts(reference: ArrayLike<number>, current: ArrayLike<number>): number {
  requireSameLength('reference', reference, 'current', current);
  requireCounts('reference', reference);
  requireCounts('current', current);
  const shares = (name: string, counts: ArrayLike<number>) => {
    const total = Array.from(counts).reduce((a, b) => a + b, 0);
    if (total === 0) throw new RangeError(`${name} must hold at least one count above 0`);
    return Array.from(counts, (count) => Math.max(count / total, PSI_FLOOR));
  };
  const p = shares('reference', reference);
  const q = shares('current', current);
  return p.reduce((sum, share, i) => sum + ((q[i] ?? share) - share) * Math.log((q[i] ?? share) / share), 0);
}

function hasMissing(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true;
  return false;
}
