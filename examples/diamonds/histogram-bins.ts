import type { Matrix } from './features.ts';

/** A matrix reduced to small integers, column-major: bin (row, column) lies at `column * rows + row`. */
export interface BinnedMatrix {
  readonly bins: Uint8Array;
  readonly rows: number;
  readonly columns: number;
  /** Per column, ascending: bin b holds the values above `thresholds[b - 1]` and at most `thresholds[b]`. */
  readonly thresholds: readonly Float32Array[];
}

/**
 * Cuts every column into at most `maxBins` (2 to 256) bins of about equal row counts.
 *
 * Each threshold is a float32 that lies between two neighbouring float32 values of the column: a runtime that compares
 * in float32 sends every row, trained on or not, to the same side as the trainer does.
 */
export function binMatrix(x: Matrix, maxBins: number): BinnedMatrix {
  if (!(maxBins >= 2 && maxBins <= 256)) throw new RangeError(`maxBins must be 2 to 256, got ${maxBins}`);
  const bins = new Uint8Array(x.rows * x.columns);
  const thresholds: Float32Array[] = [];
  const column = new Float32Array(x.rows);
  for (let j = 0; j < x.columns; j++) {
    for (let row = 0; row < x.rows; row++) column[row] = x.values[row * x.columns + j] ?? 0;
    const cuts = chooseThresholds(column.toSorted(), maxBins);
    column.forEach((value, row) => {
      bins[j * x.rows + row] = countBelow(cuts, value);
    });
    thresholds.push(cuts);
  }
  return { bins, rows: x.rows, columns: x.columns, thresholds };
}

function chooseThresholds(sorted: Float32Array, maxBins: number): Float32Array {
  const cuts: number[] = [];
  const rowsPerBin = sorted.length / maxBins;
  const distinct = new Set(sorted).size;
  for (let i = 1; i < sorted.length; i++) {
    const low = sorted[i - 1] ?? 0;
    const high = sorted[i] ?? 0;
    if (low === high) continue;
    // Few values: a bin each. Many: a cut wherever the rows passed reach the next share.
    if (distinct <= maxBins || i >= (cuts.length + 1) * rowsPerBin) cuts.push(thresholdBetween(low, high));
  }
  return Float32Array.from(cuts);
}

/** A float32 t with `low <= t < high`. The rounded middle may fall on `high`; then `low` itself separates the two. */
function thresholdBetween(low: number, high: number): number {
  const middle = Math.fround(low + (high - low) / 2);
  return middle < high ? middle : low;
}

/** How many thresholds lie strictly below the value, which is its bin. */
function countBelow(thresholds: Float32Array, value: number): number {
  let from = 0;
  let to = thresholds.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((thresholds[middle] ?? Infinity) < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
