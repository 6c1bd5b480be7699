/** P-values by relabelling two samples. */
import { requireInteger } from './arguments.ts';
import { quantile } from './quantiles.ts';
import type { Random } from './random.ts';

export interface PermutationPValue {
  /** Share of relabelings with a statistic at least as large as the observed one. */
  readonly pValue: number;
  /** 0.95 quantile of the statistic over the relabelings: what it takes to be remarkable. */
  readonly nullQuantile95: number;
  /** Relabelings that were tried. */
  readonly permutations: number;
}

/**
 * Enumerates all relabelings when there are at most `permutations`, else draws that many, counting the observed one as
 * one of them: p = (1 + count) / (1 + B), which is never 0 and valid for every B (Phipson and Smyth 2010).
 * @param labels 1 for the first sample, 0 for the second. @param statistic larger is more extreme.
 */
export function permutationPValue(
  labels: Uint8Array,
  statistic: (labels: Uint8Array) => number,
  random: Random,
  permutations: number,
): PermutationPValue {
  requireInteger('permutations', permutations, 1);
  const observed = statistic(labels);
  // Relabelings that are equal but summed in another order must not fall below by rounding.
  const goal = observed - 1e-12 * Math.max(1, Math.abs(observed));
  const values: number[] = [];
  if (relabelings(labels) <= permutations) {
    enumerate(labels, (candidate) => values.push(statistic(candidate)));
    const count = values.filter((value) => value >= goal).length;
    return { pValue: count / values.length, nullQuantile95: quantile(values, 0.95), permutations: values.length };
  }
  const shuffled = Uint8Array.from(labels);
  for (let b = 0; b < permutations; b++) values.push(statistic(random.shuffle(shuffled)));
  const count = values.filter((value) => value >= goal).length;
  return { pValue: (1 + count) / (1 + permutations), nullQuantile95: quantile(values, 0.95), permutations };
}

function relabelings(labels: Uint8Array): number {
  const n = labels.length;
  const ones = labels.reduce((sum, label) => sum + label, 0);
  let count = 1;
  for (let i = 1; i <= Math.min(ones, n - ones); i++) count = (count * (n - i + 1)) / i;
  return Math.round(count);
}

function enumerate(labels: Uint8Array, visit: (candidate: Uint8Array) => void): void {
  const candidate = new Uint8Array(labels.length);
  const place = (from: number, left: number): void => {
    if (left === 0) {
      visit(candidate);
      return;
    }
    for (let i = from; i <= labels.length - left; i++) {
      candidate[i] = 1;
      place(i + 1, left - 1);
      candidate[i] = 0;
    }
  };
  place(
    0,
    labels.reduce((sum, label) => sum + label, 0),
  );
}
