import type { RegressionTree } from '../../sdk/onnx/index.ts';
import type { BinnedMatrix } from './histogram-bins.ts';

export interface TreeGrowerOptions {
  readonly maxDepth: number;
  readonly learningRate: number;
  readonly minRowsPerLeaf: number;
  readonly l2: number;
}

export interface TreeGrower {
  /** Grows one tree that lowers the squared residuals, and subtracts its answers from `residuals` in place. */
  growTree(residuals: Float64Array): RegressionTree;
}

/** Holds the buffers that all trees of one training share. */
export function createTreeGrower(matrix: BinnedMatrix, options: TreeGrowerOptions): TreeGrower {
  const histograms = Array.from({ length: options.maxDepth + 1 }, () => createHistogram(matrix));
  const order = new Uint32Array(matrix.rows);
  const spare = new Uint32Array(matrix.rows);

  return {
    growTree(residuals) {
      for (let i = 0; i < order.length; i++) order[i] = i;
      const growth: Growth = { matrix, options, residuals, order, spare, histograms, nodes: [] };
      const root = histogramAt(histograms, 0);
      fillHistogram(growth, root, 0, order.length);
      growNode(growth, { start: 0, end: order.length, depth: 0, histogram: root });
      return packTree(growth.nodes);
    },
  };
}

interface Growth {
  readonly matrix: BinnedMatrix;
  readonly options: TreeGrowerOptions;
  readonly residuals: Float64Array;
  /** Row numbers, so ordered that every node's rows are one range. */
  readonly order: Uint32Array;
  readonly spare: Uint32Array;
  /** One per depth: at any time only the nodes on the path to the current one need theirs. */
  readonly histograms: readonly Histogram[];
  readonly nodes: Node[];
}

/** Bin (column, bin) lies at `column * binsPerColumn + bin`. */
interface Histogram {
  readonly sums: Float64Array;
  readonly counts: Uint32Array;
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
  readonly histogram: Histogram;
}

interface Split {
  readonly column: number;
  /** Rows of this bin and the ones below go left. */
  readonly bin: number;
}

interface Node {
  feature: number;
  threshold: number;
  left: number;
  right: number;
  value: number;
}

const binsPerColumn = 256;

/** Grows the subtree of a range of rows and returns its node's number; a parent comes before its children. */
function growNode(growth: Growth, range: Range): number {
  const id = growth.nodes.length;
  const node: Node = { feature: 0, threshold: 0, left: -1, right: -1, value: 0 };
  growth.nodes.push(node);
  const split = range.depth < growth.options.maxDepth ? findBestSplit(growth, range) : undefined;
  if (!split) {
    node.value = settleLeaf(growth, range);
    return id;
  }
  node.feature = split.column;
  node.threshold = growth.matrix.thresholds[split.column]?.[split.bin] ?? 0;
  const middle = partition(growth, range, split);
  const [left, right] = childRanges(growth, range, middle);
  node.left = growNode(growth, left);
  node.right = growNode(growth, right);
  return id;
}

/** Only the smaller child is counted anew: the larger one's histogram is the parent's minus it, in the parent's place. */
function childRanges(growth: Growth, range: Range, middle: number): [Range, Range] {
  const { start, end, histogram } = range;
  const depth = range.depth + 1;
  const smaller = histogramAt(growth.histograms, depth);
  const leftIsSmaller = middle - start <= end - middle;
  if (depth < growth.options.maxDepth) {
    if (leftIsSmaller) fillHistogram(growth, smaller, start, middle);
    else fillHistogram(growth, smaller, middle, end);
    subtractHistogram(histogram, smaller);
  }
  return [
    { start, end: middle, depth, histogram: leftIsSmaller ? smaller : histogram },
    { start: middle, end, depth, histogram: leftIsSmaller ? histogram : smaller },
  ];
}

/** The split that lowers the squared error most, ties to the first; undefined when none lowers it. */
function findBestSplit(growth: Growth, range: Range): Split | undefined {
  const { minRowsPerLeaf, l2 } = growth.options;
  const { sums, counts } = range.histogram;
  const rows = range.end - range.start;
  if (rows < 2 * minRowsPerLeaf) return undefined;
  const total = sumOfResiduals(growth, range);
  const unsplit = (total * total) / (rows + l2);
  // Below this a gain is rounding noise of the subtracted histograms.
  let bestGain = 1e-9;
  let best: Split | undefined;
  for (let column = 0; column < growth.matrix.columns; column++) {
    const binCount = growth.matrix.thresholds[column]?.length ?? 0;
    let leftSum = 0;
    let leftRows = 0;
    for (let bin = 0; bin < binCount; bin++) {
      leftSum += sums[column * binsPerColumn + bin] ?? 0;
      leftRows += counts[column * binsPerColumn + bin] ?? 0;
      const rightRows = rows - leftRows;
      if (leftRows < minRowsPerLeaf) continue;
      if (rightRows < minRowsPerLeaf) break;
      const rightSum = total - leftSum;
      const gain = (leftSum * leftSum) / (leftRows + l2) + (rightSum * rightSum) / (rightRows + l2) - unsplit;
      if (gain > bestGain) {
        bestGain = gain;
        best = { column, bin };
      }
    }
  }
  return best;
}

/** Reorders the range so that the left child's rows come first, each side in its old order; returns where the right begins. */
function partition(growth: Growth, range: Range, split: Split): number {
  const { order, spare, matrix } = growth;
  const offset = split.column * matrix.rows;
  let middle = range.start;
  let right = 0;
  for (let i = range.start; i < range.end; i++) {
    const row = order[i] ?? 0;
    if ((matrix.bins[offset + row] ?? 0) <= split.bin) order[middle++] = row;
    else spare[right++] = row;
  }
  order.set(spare.subarray(0, right), middle);
  return middle;
}

/** Sets the leaf's value and takes it off its rows' residuals. The value is a float32, as in the exported file. */
function settleLeaf(growth: Growth, range: Range): number {
  const { learningRate, l2 } = growth.options;
  const value = Math.fround((learningRate * sumOfResiduals(growth, range)) / (range.end - range.start + l2));
  for (let i = range.start; i < range.end; i++) {
    const row = growth.order[i] ?? 0;
    growth.residuals[row] = (growth.residuals[row] ?? 0) - value;
  }
  return value;
}

function sumOfResiduals(growth: Growth, range: Range): number {
  let sum = 0;
  for (let i = range.start; i < range.end; i++) sum += growth.residuals[growth.order[i] ?? 0] ?? 0;
  return sum;
}

function createHistogram(matrix: BinnedMatrix): Histogram {
  const size = matrix.columns * binsPerColumn;
  return { sums: new Float64Array(size), counts: new Uint32Array(size) };
}

function fillHistogram(growth: Growth, histogram: Histogram, start: number, end: number): void {
  const { order, residuals, matrix } = growth;
  const { sums, counts } = histogram;
  sums.fill(0);
  counts.fill(0);
  for (let column = 0; column < matrix.columns; column++) {
    const offset = column * matrix.rows;
    const base = column * binsPerColumn;
    for (let i = start; i < end; i++) {
      const row = order[i] ?? 0;
      const bin = base + (matrix.bins[offset + row] ?? 0);
      sums[bin] = (sums[bin] ?? 0) + (residuals[row] ?? 0);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }
}

function subtractHistogram(from: Histogram, part: Histogram): void {
  for (let i = 0; i < from.sums.length; i++) {
    from.sums[i] = (from.sums[i] ?? 0) - (part.sums[i] ?? 0);
    from.counts[i] = (from.counts[i] ?? 0) - (part.counts[i] ?? 0);
  }
}

function histogramAt(histograms: readonly Histogram[], depth: number): Histogram {
  const histogram = histograms[depth];
  if (!histogram) throw new RangeError(`no histogram for depth ${depth} of ${histograms.length - 1}`);
  return histogram;
}

function packTree(nodes: readonly Node[]): RegressionTree {
  return {
    feature: Int32Array.from(nodes, (node) => node.feature),
    threshold: Float32Array.from(nodes, (node) => node.threshold),
    left: Int32Array.from(nodes, (node) => node.left),
    right: Int32Array.from(nodes, (node) => node.right),
    value: Float32Array.from(nodes, (node) => node.value),
  };
}
