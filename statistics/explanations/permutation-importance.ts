/**
 * Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019): how much worse the model gets when one
 * feature is shuffled among the rows.
 */
import { requireInteger, requireMatrix, requireSameLength } from '../arguments.ts';
import { addToMoments, EMPTY_MOMENTS, varianceOf } from '../samples/running-moments.ts';
import type { Questions } from './questions.ts';
import type { Random } from '../random.ts';

/** Loss of one row, e.g. squared error, or 0/1. */
export type RowLoss = (truth: number, prediction: number) => number;

export interface PermutationImportance {
  /** Mean loss of the unchanged rows. */
  readonly baseLoss: number;
  /** Mean increase of the loss per feature, and its standard deviation over the shuffles (0 when exact). */
  readonly increase: readonly number[];
  readonly deviation: readonly number[];
}

/** Importance from random shuffles. @param repeats shuffles per feature. @default 10 */
export function* permutationImportance(
  rows: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  loss: RowLoss,
  random: Random,
  repeats = 10,
): Questions<PermutationImportance> {
  const columns = requireMatrix('rows', rows);
  requireSameLength('rows', rows, 'truth', truth);
  requireInteger('repeats', repeats, 1);
  const copies = rows.map((row) => Array.from(row));
  const meanLoss = (predictions: ArrayLike<number>) =>
    copies.reduce((sum, _, i) => sum + loss(truth[i] ?? 0, predictions[i] ?? 0), 0) / copies.length;
  const baseLoss = meanLoss(yield copies);
  const increase: number[] = [];
  const deviation: number[] = [];
  for (let j = 0; j < columns; j++) {
    let moments = EMPTY_MOMENTS;
    for (let r = 0; r < repeats; r++) {
      const order = random.shuffle(copies.map((_, i) => i));
      const shuffled = copies.map((row, i) => replaced(row, j, copies[order[i] ?? 0]?.[j] ?? 0));
      moments = addToMoments(moments, meanLoss(yield shuffled) - baseLoss);
    }
    increase.push(moments.mean);
    deviation.push(repeats > 1 ? Math.sqrt(varianceOf(moments)) : 0);
  }
  return { baseLoss, increase, deviation };
}

/** The exact mean over all shuffles: every row with every other row's value, rows² questions per feature. */
export function* exactPermutationImportance(
  rows: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  loss: RowLoss,
): Questions<PermutationImportance> {
  const columns = requireMatrix('rows', rows);
  requireSameLength('rows', rows, 'truth', truth);
  const copies = rows.map((row) => Array.from(row));
  const n = copies.length;
  const base = yield copies;
  const baseLoss = copies.reduce((sum, _, i) => sum + loss(truth[i] ?? 0, base[i] ?? 0), 0) / n;
  const increase: number[] = [];
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const predictions = yield copies.map((other) => replaced(copies[i] ?? [], j, other[j] ?? 0));
      for (let k = 0; k < n; k++) sum += loss(truth[i] ?? 0, predictions[k] ?? 0);
    }
    increase.push(sum / (n * n) - baseLoss);
  }
  return { baseLoss, increase, deviation: increase.map(() => 0) };
}

function replaced(row: readonly number[], column: number, value: number): number[] {
  const copy = [...row];
  copy[column] = value;
  return copy;
}
