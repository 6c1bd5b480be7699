/**
 * Corrections for testing many hypotheses at once. Sources: Bonferroni 1936; Holm 1979; Benjamini and Hochberg 1995;
 * Benjamini and Yekutieli 2001. A missing p-value (null or NaN: a feature that could not be tested) is left out and not
 * counted; its place in the results is null.
 */
import { requireFraction } from '../arguments.ts';

export type Correction = 'none' | 'bonferroni' | 'holm' | 'benjamini-hochberg' | 'benjamini-yekutieli';

export interface CorrectedPValues {
  readonly correction: Correction;
  /** Hypotheses that were counted. */
  readonly tested: number;
  /** Reject when p ≤ its threshold; null where p is missing. */
  readonly reject: readonly (boolean | null)[];
  /** Adjusted p-values, at most 1, to be compared with alpha; null where p is missing. */
  readonly adjusted: readonly (number | null)[];
  /** The largest raw p-value that is (or would have been) rejected under this correction. */
  readonly threshold: number;
}

/**
 * Corrects p-values.
 * @param alpha family-wise error rate, or false discovery rate for the two Benjamini methods. @default 0.05
 * @throws RangeError for a p-value outside [0, 1] or an alpha outside (0, 1).
 */
export function correctPValues(
  pValues: ArrayLike<number | null>,
  correction: Correction,
  alpha = 0.05,
): CorrectedPValues {
  requireFraction('alpha', alpha);
  const present: { index: number; p: number }[] = [];
  Array.from(pValues).forEach((p, index) => {
    if (p === null || Number.isNaN(p)) return;
    if (!(p >= 0 && p <= 1)) throw new RangeError(`pValues[${index}] must lie within [0, 1], got ${p}`);
    present.push({ index, p });
  });
  present.sort((a, b) => a.p - b.p);
  const sorted = present.map(({ p }) => p);
  const { adjusted, rejected, threshold } = RULES[correction](sorted, alpha);
  const result = {
    reject: Array.from<boolean | null>({ length: pValues.length }).fill(null),
    adjusted: Array.from<number | null>({ length: pValues.length }).fill(null),
  };
  present.forEach(({ index }, rank) => {
    result.reject[index] = rank < rejected;
    result.adjusted[index] = Math.min(1, adjusted[rank] ?? 1);
  });
  return { correction, tested: sorted.length, ...result, threshold };
}

interface Ruling {
  readonly adjusted: readonly number[];
  /** How many of the smallest p-values are rejected. */
  readonly rejected: number;
  readonly threshold: number;
}

const RULES: Record<Correction, (sorted: readonly number[], alpha: number) => Ruling> = {
  none: (sorted, alpha) => single(sorted, 1, alpha),
  bonferroni: (sorted, alpha) => single(sorted, Math.max(1, sorted.length), alpha),
  holm: stepDown,
  'benjamini-hochberg': (sorted, alpha) => stepUp(sorted, 1, alpha),
  'benjamini-yekutieli': (sorted, alpha) =>
    stepUp(
      sorted,
      sorted.reduce((sum, _, i) => sum + 1 / (i + 1), 0),
      alpha,
    ),
};

function single(sorted: readonly number[], factor: number, alpha: number): Ruling {
  const threshold = alpha / factor;
  return {
    adjusted: sorted.map((p) => p * factor),
    rejected: sorted.filter((p) => p <= threshold).length,
    threshold,
  };
}

function stepDown(sorted: readonly number[], alpha: number): Ruling {
  const m = sorted.length;
  let running = 0;
  const adjusted = sorted.map((p, i) => (running = Math.max(running, p * (m - i))));
  const firstKept = sorted.findIndex((p, i) => p > alpha / (m - i));
  const rejected = firstKept === -1 ? m : firstKept;
  return { adjusted, rejected, threshold: alpha / Math.max(1, m - Math.min(rejected, m - 1)) };
}

function stepUp(sorted: readonly number[], penalty: number, alpha: number): Ruling {
  const m = sorted.length;
  let running = Infinity;
  const adjusted = sorted
    .map((_, k) => m - 1 - k)
    .map((i) => (running = Math.min(running, ((sorted[i] ?? 1) * m * penalty) / (i + 1))))
    .reverse();
  let rejected = 0;
  sorted.forEach((p, i) => {
    if (p <= ((i + 1) / m / penalty) * alpha) rejected = i + 1;
  });
  return { adjusted, rejected, threshold: (Math.max(1, rejected) / Math.max(1, m) / (penalty || 1)) * alpha };
}
