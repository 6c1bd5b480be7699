/**
 * Isolation forest (Liu, Ting and Zhou 2008): rows that random splits isolate early are outliers. The fitted forest is
 * a plain document. NaN is refused.
 */
import { requireFinite, requireInteger, requireMatrix } from '../arguments.ts';
import type { Random } from '../random.ts';

export interface IsolationTree {
  /** Per node: the column that is split, −1 at a leaf. */
  readonly feature: readonly number[];
  /** Rows with value ≤ threshold go left. */
  readonly threshold: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
  /** Training rows at the node. */
  readonly count: readonly number[];
}

export interface IsolationForest {
  readonly type: 'isolation-forest';
  readonly version: 1;
  /** Rows each tree was grown from. */
  readonly sampleSize: number;
  readonly columns: number;
  readonly trees: readonly IsolationTree[];
}

export interface IsolationForestOptions {
  /** @default 100 */
  readonly trees?: number;
  /** Rows drawn per tree, without replacement. @default 256, at most all */
  readonly sampleSize?: number;
}

const EULER = 0.5772156649015329;

/** Grows a forest. @throws RangeError below two rows, for ragged rows or NaN. */
export function fitIsolationForest(
  rows: readonly ArrayLike<number>[],
  random: Random,
  options: IsolationForestOptions = {},
): IsolationForest {
  const columns = requireMatrix('rows', rows, 2);
  const sampleSize = Math.min(options.sampleSize ?? 256, rows.length);
  const trees = options.trees ?? 100;
  requireInteger('sampleSize', sampleSize, 2);
  requireInteger('trees', trees, 1);
  const deepest = Math.ceil(Math.log2(sampleSize));
  return {
    type: 'isolation-forest',
    version: 1,
    sampleSize,
    columns,
    trees: Array.from({ length: trees }, () => {
      const sample = random.sample(rows.length, sampleSize).map((i) => rows[i] ?? []);
      return growTree(sample, columns, deepest, random);
    }),
  };
}

/** Score within (0, 1): near 1 an outlier, well below ½ normal. @throws RangeError for NaN or other columns. */
export function scoreIsolationForest(forest: IsolationForest, row: ArrayLike<number>): number {
  if (row.length !== forest.columns) throw new RangeError(`row must have ${forest.columns} columns, got ${row.length}`);
  requireFinite('row', row);
  const depth = forest.trees.reduce((sum, tree) => sum + pathLength(tree, row), 0) / forest.trees.length;
  return 2 ** (-depth / averagePathLength(forest.sampleSize));
}

/** c(n): average path length of an unsuccessful search among n rows; c(1) = 0, c(2) = 1. */
export function averagePathLength(n: number): number {
  if (n <= 1) return 0;
  if (n === 2) return 1;
  return 2 * (Math.log(n - 1) + EULER) - (2 * (n - 1)) / n;
}

function pathLength(tree: IsolationTree, row: ArrayLike<number>): number {
  let node = 0;
  let depth = 0;
  for (let feature = tree.feature[0] ?? -1; feature >= 0; feature = tree.feature[node] ?? -1) {
    const next = (row[feature] ?? 0) <= (tree.threshold[node] ?? 0) ? tree.left : tree.right;
    node = next[node] ?? 0;
    depth += 1;
  }
  return depth + averagePathLength(tree.count[node] ?? 1);
}

function growTree(
  sample: readonly ArrayLike<number>[],
  columns: number,
  deepest: number,
  random: Random,
): IsolationTree {
  const tree = {
    feature: [] as number[],
    threshold: [] as number[],
    left: [] as number[],
    right: [] as number[],
    count: [] as number[],
  };
  const grow = (rows: readonly ArrayLike<number>[], depth: number): number => {
    const node = tree.feature.length;
    tree.feature.push(-1);
    tree.threshold.push(0);
    tree.left.push(-1);
    tree.right.push(-1);
    tree.count.push(rows.length);
    const split = depth < deepest && rows.length > 1 ? drawSplit(rows, columns, random) : null;
    if (split === null) return node;
    const goesLeft = (row: ArrayLike<number>) => (row[split.feature] ?? 0) <= split.threshold;
    tree.feature[node] = split.feature;
    tree.threshold[node] = split.threshold;
    tree.left[node] = grow(rows.filter(goesLeft), depth + 1);
    tree.right[node] = grow(
      rows.filter((row) => !goesLeft(row)),
      depth + 1,
    );
    return node;
  };
  grow(sample, 0);
  return tree;
}

/** A random column that varies, cut at a uniform place; null when all rows are equal. */
function drawSplit(
  rows: readonly ArrayLike<number>[],
  columns: number,
  random: Random,
): { feature: number; threshold: number } | null {
  for (const feature of random.sample(columns, columns)) {
    let low = Infinity;
    let high = -Infinity;
    for (const row of rows) {
      low = Math.min(low, row[feature] ?? 0);
      high = Math.max(high, row[feature] ?? 0);
    }
    if (low === high) continue;
    const threshold = low + (high - low) * random.uniform();
    // Rounding must not put the cut on the top value: the right side would be empty.
    return { feature, threshold: threshold < high ? threshold : low };
  }
  return null;
}
