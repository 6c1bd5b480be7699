/** Ranks of one sample. */
import { requireNumbers } from '../arguments.ts';

/** Ranks from 1, ties share their average rank. NaN is refused, infinities are ranked. */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  requireNumbers('values', values);
  const order = ascendingOrder(values);
  const ranks = new Float64Array(values.length);
  forEachTie(values, order, (from, to) => {
    const rank = (from + 1 + to) / 2;
    for (let k = from; k < to; k++) ranks[order[k] ?? 0] = rank;
  });
  return ranks;
}

/** Indices that put the values in ascending order; equal values keep their order. */
export function ascendingOrder(values: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: values.length }, (_, i) => i).sort(
    (a, b) => (values[a] ?? 0) - (values[b] ?? 0) || (values[a] === values[b] ? a - b : compare(values[a], values[b])),
  );
}

/** Calls back with the bounds [from, to) of each run of equal values in the given order. */
export function forEachTie(
  values: ArrayLike<number>,
  order: ArrayLike<number>,
  visit: (from: number, to: number) => void,
): void {
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to] ?? 0] === values[order[from] ?? 0]) to += 1;
    visit(from, to);
    from = to;
  }
}

/** Σ (t³ − t) over the runs of equal values: the tie correction of rank tests. */
export function tieCorrection(values: ArrayLike<number>): number {
  let sum = 0;
  forEachTie(values, ascendingOrder(values), (from, to) => {
    const t = to - from;
    sum += t * t * t - t;
  });
  return sum;
}

/** Infinities subtract to NaN: compare them apart. */
function compare(a: number | undefined, b: number | undefined): number {
  return (a ?? 0) < (b ?? 0) ? -1 : 1;
}
