import type { RegressionTree } from '../../sdk/onnx/index.ts';
import type { Matrix } from './features.ts';
import { binMatrix } from './histogram-bins.ts';
import { createTreeGrower } from './tree-grower.ts';

export interface BoostedTreesOptions {
  /** Number of trees. @default 100 */
  readonly rounds?: number;
  /** Splits between the root and a leaf at most. @default 5 */
  readonly maxDepth?: number;
  /** Share of each tree's answer that is kept. @default 0.15 */
  readonly learningRate?: number;
  /** @default 20 */
  readonly minRowsPerLeaf?: number;
  /** Pulls leaf values to zero, as if that many rows with residual 0 were in each leaf. @default 1 */
  readonly l2?: number;
  /** Distinct places to split a column at, plus one; 2 to 256. @default 128 */
  readonly maxBins?: number;
}

export interface BoostedTrees {
  /** Mean of the training target, a float32. */
  readonly baseValue: number;
  /** Their leaf values already contain the learning rate. */
  readonly trees: readonly RegressionTree[];
}

/**
 * Gradient-boosted regression trees for squared error (Friedman 2001), grown on histograms of binned columns.
 * Nothing is drawn at random: the same rows give the same trees.
 *
 * @throws RangeError for options out of range or unequal lengths.
 */
export function fitBoostedTrees(x: Matrix, y: Float64Array, options: BoostedTreesOptions = {}): BoostedTrees {
  const { rounds = 100, maxDepth = 5, learningRate = 0.15, minRowsPerLeaf = 20, l2 = 1, maxBins = 128 } = options;
  if (x.rows !== y.length || x.rows === 0) throw new RangeError(`got ${x.rows} rows of X and ${y.length} of y`);
  if (rounds < 1 || maxDepth < 1 || minRowsPerLeaf < 1 || l2 < 0 || !(learningRate > 0)) {
    throw new RangeError(
      'rounds, maxDepth and minRowsPerLeaf must be 1 or more, learningRate above 0, l2 not negative',
    );
  }
  const baseValue = Math.fround(y.reduce((sum, value) => sum + value / y.length, 0));
  const residuals = y.map((value) => value - baseValue);
  const grower = createTreeGrower(binMatrix(x, maxBins), { maxDepth, learningRate, minRowsPerLeaf, l2 });
  const trees: RegressionTree[] = [];
  for (let round = 0; round < rounds; round++) trees.push(grower.growTree(residuals));
  return { baseValue, trees };
}

/** One number a row, summed in double from the float32 leaves; values of x are compared as float32. */
export function predictBoostedTrees(model: BoostedTrees, x: Matrix): Float64Array {
  const predictions = new Float64Array(x.rows).fill(model.baseValue);
  const row = new Float32Array(x.columns);
  for (let i = 0; i < x.rows; i++) {
    row.set(x.values.subarray(i * x.columns, (i + 1) * x.columns));
    let sum = model.baseValue;
    for (const tree of model.trees) sum += leafValue(tree, row);
    predictions[i] = sum;
  }
  return predictions;
}

function leafValue(tree: RegressionTree, row: Float32Array): number {
  let node = 0;
  for (;;) {
    const left = tree.left[node] ?? -1;
    if (left < 0) return tree.value[node] ?? 0;
    const value = row[tree.feature[node] ?? 0] ?? Number.NaN;
    node = value <= (tree.threshold[node] ?? 0) ? left : (tree.right[node] ?? 0);
  }
}
