import { encodeOnnxModel } from './onnx-model.ts';
import type { OnnxAttribute } from './onnx-types.ts';
import { type RegressionExport, regressionSurface } from './regression-output.ts';

/**
 * One binary regression tree as parallel arrays, node 0 the root. A row goes left when `row[feature] <= threshold`,
 * else right (so NaN goes right). A leaf has `left` and `right` -1 and gives `value`.
 */
export interface RegressionTree {
  readonly feature: Int32Array;
  /** float32, because the runtime compares in float32: a double threshold could route a row the other way. */
  readonly threshold: Float32Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly value: Float32Array;
}

export interface TreeEnsembleExport extends RegressionExport {
  /** Added to the sum of the trees. */
  readonly baseValue: number;
  readonly trees: readonly RegressionTree[];
}

/**
 * A sum of regression trees as ONNX: `ai.onnx.ml` TreeEnsembleRegressor, then the optional clip and exponential.
 *
 * @throws RangeError for an ensemble without trees, a feature outside the input, or a child outside its tree.
 */
export function encodeTreeEnsemble(options: TreeEnsembleExport): Uint8Array {
  const surface = regressionSurface(options);
  return encodeOnnxModel({
    graphName: 'tree-ensemble',
    nodes: [
      {
        operator: 'TreeEnsembleRegressor',
        domain: 'ai.onnx.ml',
        inputs: [surface.inputName],
        outputs: [surface.scoreName],
        attributes: ensembleAttributes(options),
      },
      ...surface.tail,
    ],
    initializers: surface.tailInitializers,
    inputs: surface.inputs,
    outputs: surface.outputs,
    ...(options.metadata && { metadata: options.metadata }),
  });
}

/** https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md#ai.onnx.ml.TreeEnsembleRegressor (version 3) */
function ensembleAttributes(options: TreeEnsembleExport): Record<string, OnnxAttribute> {
  if (options.trees.length === 0) throw new RangeError('a tree ensemble needs at least one tree, got none');
  const nodes = { tree: [], id: [], feature: [], threshold: [], left: [], right: [] } as Record<NodeColumn, number[]>;
  const modes: string[] = [];
  const leaves = { tree: [], node: [], weight: [] } as Record<'tree' | 'node' | 'weight', number[]>;

  options.trees.forEach((tree, treeId) => {
    for (let node = 0; node < tree.feature.length; node++) {
      const left = at(tree.left, node);
      const right = at(tree.right, node);
      const isLeaf = left < 0;
      if (!isLeaf) assertNode(tree, treeId, node, options.featureCount);
      nodes.tree.push(treeId);
      nodes.id.push(node);
      nodes.feature.push(isLeaf ? 0 : at(tree.feature, node));
      nodes.threshold.push(isLeaf ? 0 : at(tree.threshold, node));
      nodes.left.push(isLeaf ? 0 : left);
      nodes.right.push(isLeaf ? 0 : right);
      modes.push(isLeaf ? 'LEAF' : 'BRANCH_LEQ');
      if (isLeaf) {
        leaves.tree.push(treeId);
        leaves.node.push(node);
        leaves.weight.push(at(tree.value, node));
      }
    }
  });

  return {
    aggregate_function: { type: 'string', value: 'SUM' },
    post_transform: { type: 'string', value: 'NONE' },
    n_targets: { type: 'int', value: 1 },
    base_values: { type: 'floats', value: [options.baseValue] },
    nodes_treeids: { type: 'ints', value: nodes.tree },
    nodes_nodeids: { type: 'ints', value: nodes.id },
    nodes_modes: { type: 'strings', value: modes },
    nodes_featureids: { type: 'ints', value: nodes.feature },
    nodes_values: { type: 'floats', value: nodes.threshold },
    nodes_truenodeids: { type: 'ints', value: nodes.left },
    nodes_falsenodeids: { type: 'ints', value: nodes.right },
    nodes_missing_value_tracks_true: { type: 'ints', value: new Uint8Array(nodes.id.length) },
    target_treeids: { type: 'ints', value: leaves.tree },
    target_nodeids: { type: 'ints', value: leaves.node },
    target_ids: { type: 'ints', value: new Uint8Array(leaves.node.length) },
    target_weights: { type: 'floats', value: leaves.weight },
  };
}

type NodeColumn = 'tree' | 'id' | 'feature' | 'threshold' | 'left' | 'right';

function assertNode(tree: RegressionTree, treeId: number, node: number, featureCount: number): void {
  const feature = at(tree.feature, node);
  if (feature < 0 || feature >= featureCount) {
    throw new RangeError(`tree ${treeId} node ${node} reads feature ${feature}, expected 0 to ${featureCount - 1}`);
  }
  for (const child of [at(tree.left, node), at(tree.right, node)]) {
    // A child after its parent rules out cycles, which would make the runtime loop for ever.
    if (child <= node || child >= tree.feature.length) {
      throw new RangeError(
        `tree ${treeId} node ${node} has child ${child}, expected ${node + 1} to ${tree.feature.length - 1}`,
      );
    }
  }
}

/** Typed arrays are dense: an index outside is a fault in the tree. */
function at(array: Int32Array | Float32Array, index: number): number {
  const value = array[index];
  if (value === undefined) throw new RangeError(`tree arrays differ in length: nothing at ${index}`);
  return value;
}
