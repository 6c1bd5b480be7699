/** Rows of a window and of its reference as a method takes them. NaN is a missing value. */
import type { Random } from '../../statistics/random.ts';

/** The same rows of every column, where there are more than a method can take. */
export function sampler(
  rowsMax: number,
  rows: number,
  referenceRows: number,
  random: Random,
): {
  readonly current: (values: ArrayLike<number>) => Float64Array;
  readonly reference: (values: ArrayLike<number>) => Float64Array;
  readonly currentRows: number;
  readonly referenceRows: number;
} {
  const places = (of: number): readonly number[] | undefined =>
    of <= rowsMax ? undefined : random.sample(of, rowsMax).sort((a, b) => a - b);
  const [current, reference] = [places(rows), places(referenceRows)];
  const take = (chosen: readonly number[] | undefined) => (values: ArrayLike<number>) =>
    chosen === undefined ? numbersOf(values) : Float64Array.from(chosen, (place) => values[place] ?? Number.NaN);
  return {
    current: take(current),
    reference: take(reference),
    currentRows: Math.min(rows, rowsMax),
    referenceRows: Math.min(referenceRows, rowsMax),
  };
}

/** Nobody changes them: a reference is the same object for every window, by which what is computed of it is found again. */
function numbersOf(values: ArrayLike<number>): Float64Array {
  return values instanceof Float64Array ? values : new Float64Array(values);
}

/** Rows without a value that is missing or infinite. */
export function completeRows(columns: readonly Float64Array[]): number[][] {
  return Array.from({ length: columns[0]?.length ?? 0 }, (_, row) =>
    columns.map((column) => column[row] ?? Number.NaN),
  ).filter((row) => row.every(Number.isFinite));
}
