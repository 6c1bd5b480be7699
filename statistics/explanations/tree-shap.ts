/**
 * Exact interventional Shapley values of decision trees (Lundberg et al. 2020): for each background row, a leaf pays the
 * features that only the explained row, or only the background row, satisfies. Linear in leaves and background rows.
 */
import { requireGame, type ShapleyValues } from './coalitions.ts';

export interface DecisionTree {
  /** Per node: the column that is split; ignored at a leaf. */
  readonly feature: ArrayLike<number>;
  /** Rows with value ≤ threshold go left. */
  readonly threshold: ArrayLike<number>;
  /** Child nodes; negative at a leaf. */
  readonly left: ArrayLike<number>;
  readonly right: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

/** Value of the leaf that a row falls into. */
export function predictTree(tree: DecisionTree, row: ArrayLike<number>): number {
  let node = 0;
  while ((tree.left[node] ?? -1) >= 0) node = child(tree, node, row);
  return tree.value[node] ?? 0;
}

/** @param combine how the trees make one prediction. @default 'mean' */
export function treeShap(
  trees: readonly DecisionTree[],
  row: ArrayLike<number>,
  background: readonly ArrayLike<number>[],
  combine: 'mean' | 'sum' = 'mean',
): ShapleyValues {
  const d = requireGame(row, background);
  const scale = combine === 'mean' ? 1 / trees.length : 1;
  const values = new Float64Array(d);
  let base = 0;
  let prediction = 0;
  for (const tree of trees) {
    prediction += scale * predictTree(tree, row);
    for (const other of background) {
      base += (scale / background.length) * predictTree(tree, other);
      payLeaves(tree, row, other, scale / background.length, values);
    }
  }
  return { values: Array.from(values), base, prediction };
}

function payLeaves(
  tree: DecisionTree,
  row: ArrayLike<number>,
  other: ArrayLike<number>,
  scale: number,
  values: Float64Array,
): void {
  // Features whose splits on this path only the row satisfies, and those that only the background row satisfies.
  const own = new Set<number>();
  const foreign = new Set<number>();
  const visit = (node: number): void => {
    if ((tree.left[node] ?? -1) < 0) {
      pay(own, foreign, scale * (tree.value[node] ?? 0), values);
      return;
    }
    const feature = tree.feature[node] ?? 0;
    const toRow = child(tree, node, row);
    const toOther = child(tree, node, other);
    if (toRow === toOther || own.has(feature)) return visit(toRow);
    if (foreign.has(feature)) return visit(toOther);
    own.add(feature);
    visit(toRow);
    own.delete(feature);
    foreign.add(feature);
    visit(toOther);
    foreign.delete(feature);
  };
  visit(0);
}

/** The leaf is reached when all of `own` are in the coalition and none of `foreign`: a simple game. */
function pay(own: ReadonlySet<number>, foreign: ReadonlySet<number>, value: number, values: Float64Array): void {
  const a = own.size;
  const b = foreign.size;
  if (a + b === 0) return;
  // a! b! / (a + b)!, built up so that it does not overflow.
  let share = 1;
  for (let i = 1; i <= b; i++) share *= i / (a + i);
  own.forEach((j) => (values[j] = (values[j] ?? 0) + (value * share) / a));
  foreign.forEach((j) => (values[j] = (values[j] ?? 0) - (value * share) / b));
}

function child(tree: DecisionTree, node: number, row: ArrayLike<number>): number {
  const goesLeft = (row[tree.feature[node] ?? 0] ?? 0) <= (tree.threshold[node] ?? 0);
  return (goesLeft ? tree.left[node] : tree.right[node]) ?? 0;
}
