/**
 * The game behind Shapley values (Lundberg and Lee 2017): features inside a coalition take the explained row's values,
 * the others those of every background row; the coalition's worth is the mean prediction (interventional).
 */
import { requireFinite, requireInteger, requireMatrix } from '../arguments.ts';
import type { Questions } from './questions.ts';

export interface ShapleyValues {
  /** One per feature; base + their sum = the prediction. */
  readonly values: readonly number[];
  /** Mean prediction over the background. */
  readonly base: number;
  readonly prediction: number;
}

/** Rows per question: bounds the memory of a question. */
const ROWS_PER_QUESTION = 4096;

/** Worth of each coalition, in order. A coalition has one flag per feature: 1 inside, 0 outside. */
export function* coalitionWorths(
  row: ArrayLike<number>,
  background: readonly ArrayLike<number>[],
  coalitions: readonly Uint8Array[],
): Questions<Float64Array> {
  const worths = new Float64Array(coalitions.length);
  const perQuestion = Math.max(1, Math.floor(ROWS_PER_QUESTION / background.length));
  for (let start = 0; start < coalitions.length; start += perQuestion) {
    const part = coalitions.slice(start, start + perQuestion);
    const rows = part.flatMap((inside) =>
      background.map((other) => Array.from(inside, (flag, j) => (flag === 1 ? row[j] : other[j]) ?? 0)),
    );
    const predictions = yield rows;
    part.forEach((_, c) => {
      let sum = 0;
      for (let b = 0; b < background.length; b++) sum += predictions[c * background.length + b] ?? 0;
      worths[start + c] = sum / background.length;
    });
  }
  return worths;
}

/** Weight of a coalition of the given size in the Shapley kernel: (d − 1) / (C(d, s) s (d − s)). */
export function shapleyKernelWeight(features: number, size: number): number {
  requireInteger('features', features, 2);
  requireInteger('size', size, 1);
  if (size >= features) throw new RangeError(`size must be below features ${features}, got ${size}`);
  return (features - 1) / (choose(features, size) * size * (features - size));
}

/** Binomial coefficient. */
export function choose(n: number, k: number): number {
  let count = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) count = (count * (n - i + 1)) / i;
  return Math.round(count);
}

/** Refuses a background that does not fit the row. @returns the number of features. @throws RangeError */
export function requireGame(row: ArrayLike<number>, background: readonly ArrayLike<number>[]): number {
  const columns = requireMatrix('background', background);
  requireFinite('row', row);
  if (row.length !== columns)
    throw new RangeError(`row must have ${columns} columns like background, got ${row.length}`);
  return columns;
}
