/**
 * Classifier two-sample test (Lopez-Paz and Oquab 2017), with k nearest neighbours: half of both samples trains, the other half is
 * classified. If the samples have one distribution, each held-out row is right with probability ½; the p-value is the exact binomial tail.
 * Columns are scaled by the pooled standard deviation. The larger sample is cut to the size of the smaller.
 */
import { requireInteger, requireMatrix } from '../arguments.ts';
import { squaredDistance } from '../matrices/squared-distance.ts';
import type { Random } from '../random.ts';
import { incompleteBeta } from '../special/beta.ts';

export interface ClassifierTestOptions {
  /** Odd values have no tied votes. @default the root of the training rows, made odd */
  readonly neighbours?: number;
}

export interface ClassifierTestResult {
  /** Share of held-out rows that were told apart; ½ under the null hypothesis. */
  readonly accuracy: number;
  readonly pValue: number;
  readonly trained: number;
  readonly tested: number;
  readonly neighbours: number;
}

/** @throws RangeError for fewer than four rows a sample, ragged rows or NaN. */
export function classifierTest(
  x: readonly ArrayLike<number>[],
  y: readonly ArrayLike<number>[],
  random: Random,
  options: ClassifierTestOptions = {},
): ClassifierTestResult {
  const columns = requireMatrix('x', x, 4);
  if (requireMatrix('y', y, 4) !== columns) throw new RangeError(`y must have ${columns} columns like x`);
  const size = Math.min(x.length, y.length);
  const [a, b] = [x, y].map((rows) => random.sample(rows.length, size).map((i) => rows[i] ?? []));
  const scaled = scale([...(a ?? []), ...(b ?? [])]);
  const half = Math.floor(size / 2);
  const train = [...labelled(scaled, 0, half, 0), ...labelled(scaled, size, size + half, 1)];
  const test = [...labelled(scaled, half, size, 0), ...labelled(scaled, size + half, 2 * size, 1)];
  const neighbours = options.neighbours ?? Math.floor(Math.sqrt(train.length) / 2) * 2 + 1;
  requireInteger('neighbours', neighbours, 1);
  const k = Math.min(neighbours, train.length);
  let right = 0;
  for (const { row, label } of test) {
    const votes = nearest(train, row, k).reduce((sum, near) => sum + near, 0);
    const said = 2 * votes === k ? random.integer(2) : Number(2 * votes > k);
    if (said === label) right += 1;
  }
  return {
    accuracy: right / test.length,
    pValue: right === 0 ? 1 : incompleteBeta(0.5, right, test.length - right + 1),
    trained: train.length,
    tested: test.length,
    neighbours: k,
  };
}

interface Labelled {
  readonly row: Float64Array;
  readonly label: 0 | 1;
}

function labelled(rows: readonly Float64Array[], from: number, to: number, label: 0 | 1): Labelled[] {
  return rows.slice(from, to).map((row) => ({ row, label }));
}

/** Labels of the k nearest: a bounded insertion, since k is small beside the rows. */
function nearest(train: readonly Labelled[], row: ArrayLike<number>, k: number): readonly number[] {
  const distances = new Float64Array(k).fill(Infinity);
  const labels = new Uint8Array(k);
  for (const other of train) {
    const distance = squaredDistance(other.row, row);
    if (distance >= (distances[k - 1] ?? 0)) continue;
    let at = k - 1;
    for (; at > 0 && (distances[at - 1] ?? 0) > distance; at--) {
      distances[at] = distances[at - 1] ?? 0;
      labels[at] = labels[at - 1] ?? 0;
    }
    distances[at] = distance;
    labels[at] = other.label;
  }
  return Array.from(labels);
}

/** Columns of one value stay as they are. */
function scale(rows: readonly ArrayLike<number>[]): Float64Array[] {
  const columns = rows[0]?.length ?? 0;
  const scales = Array.from({ length: columns }, (_, j) => {
    const mean = rows.reduce((sum, row) => sum + (row[j] ?? 0), 0) / rows.length;
    const variance = rows.reduce((sum, row) => sum + ((row[j] ?? 0) - mean) ** 2, 0) / rows.length;
    return variance > 0 ? 1 / Math.sqrt(variance) : 1;
  });
  return rows.map((row) => Float64Array.from(scales, (factor, j) => (row[j] ?? 0) * factor));
}
