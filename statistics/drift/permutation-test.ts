/** P-values by relabelling two samples. */
import { requireInteger } from '../arguments.ts';
import { quantile } from '../samples/quantiles.ts';
import type { Random } from '../random.ts';

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
  if (relabelings(labels) <= permutations) {
    const values: number[] = [];
    enumerate(labels, (candidate) => values.push(statistic(candidate)));
    const count = reaching(observed, values);
    return { pValue: count / values.length, nullQuantile95: quantile(values, 0.95), permutations: values.length };
  }
  const shuffled = Uint8Array.from(labels);
  const drawn = Array.from({ length: permutations }, () => statistic(random.shuffle(shuffled)));
  return pValueAmong(observed, drawn);
}

/** The p-value of a statistic beside those of relabelings that were drawn, the observed labels counted as one of them. */
export function pValueAmong(observed: number, drawn: readonly number[]): PermutationPValue {
  const pValue = (1 + reaching(observed, drawn)) / (1 + drawn.length);
  return { pValue, nullQuantile95: quantile(drawn, 0.95), permutations: drawn.length };
}

/**
 * P-value of a statistic that is cheap and asked for often: it draws relabelings until `enough` reach the observed one, or `permutations`
 * are drawn. Valid whenever it stops (Besag and Clifford 1991): p = reached / drawn, or (1 + reached) / (1 + permutations) at the end.
 * What is far from remarkable is known after some dozen draws.
 * @param labels each 0 or 1, as observed. @param statistic larger is more extreme. @param enough @default 20
 */
export function sequentialPValue(
  labels: Uint8Array,
  statistic: (labels: Uint8Array) => number,
  random: Random,
  permutations: number,
  enough = 20,
): number {
  requireInteger('permutations', permutations, 1);
  requireInteger('enough', enough, 1);
  const observed = statistic(labels);
  const draw = relabeller(labels, random);
  let reached = 0;
  for (let drawn = 1; drawn <= permutations; drawn++) {
    reached += reaching(observed, [statistic(draw())]);
    if (reached === enough) return reached / drawn;
  }
  return (1 + reached) / (1 + permutations);
}

/** Random relabelings, all in the same array: only the smaller side is drawn. */
function relabeller(labels: Uint8Array, random: Random): () => Uint8Array {
  const ones = labels.reduce((sum, label) => sum + label, 0);
  const rare = ones <= labels.length - ones ? 1 : 0;
  const count = rare === 1 ? ones : labels.length - ones;
  const order = Uint32Array.from(labels, (_, place) => place);
  const drawn = new Uint8Array(labels.length);
  return () => {
    drawn.fill(1 - rare);
    for (let i = 0; i < count; i++) {
      const j = i + random.integer(order.length - i);
      const place = order[j] ?? 0;
      order[j] = order[i] ?? 0;
      order[i] = place;
      drawn[place] = rare;
    }
    return drawn;
  };
}

function reaching(observed: number, values: readonly number[]): number {
  // Relabelings that are equal but summed in another order must not fall below by rounding.
  const goal = Number.isFinite(observed) ? observed - 1e-12 * Math.max(1, Math.abs(observed)) : observed;
  return values.filter((value) => value >= goal).length;
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
