/**
 * The decision trees of a model that is one tree ensemble (`TreeEnsembleRegressor` or `TreeEnsembleClassifier` of `ai.onnx.ml`), for
 * explainers. What stands around the ensemble in the graph is not looked at: whoever uses the trees holds their answers against those
 * of the model.
 */
import { attributeFields, graphFields, modelFields, nodeFields } from './onnx-fields.ts';
import { type Message, ProtobufReader } from './protobuf-reader.ts';

/** As arrays by node; the root is node 0. `left` and `right` are negative at a leaf; rows with value ≤ threshold go left. */
export interface EnsembleTree {
  readonly feature: readonly number[];
  readonly threshold: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly value: readonly number[];
}

export interface TreeEnsemble {
  /** Trees of each score, or target. */
  readonly outputs: readonly { readonly trees: readonly EnsembleTree[]; readonly base: number }[];
  readonly combine: 'mean' | 'sum';
}

const valuesMax = 20_000_000;

/** undefined when the model has no ensemble, several, or one whose scores are no sums of its leaves. */
export function readTreeEnsemble(bytes: Uint8Array): TreeEnsemble | undefined {
  const found: Attributes[] = [];
  const model = new ProtobufReader({ bytes, start: 0, end: bytes.length, where: 'model' }, modelFields);
  while (model.next()) {
    if (model.name !== 'graph') model.skip();
    else found.push(...ensemblesOf(model.message('graph')));
  }
  const [only] = found;
  return only === undefined || found.length > 1 ? undefined : ensembleOf(only);
}

interface Attributes {
  readonly ints: ReadonlyMap<string, readonly number[]>;
  readonly floats: ReadonlyMap<string, readonly number[]>;
  readonly texts: ReadonlyMap<string, readonly string[]>;
}

function ensemblesOf(graph: Message): Attributes[] {
  const reader = new ProtobufReader(graph, graphFields);
  const found: Attributes[] = [];
  while (reader.next()) {
    if (reader.name !== 'node') {
      reader.skip();
      continue;
    }
    const node = new ProtobufReader(reader.message('node'), nodeFields);
    const attributes: Message[] = [];
    let operator = '';
    while (node.next()) {
      if (node.name === 'op_type') operator = node.text();
      else if (node.name === 'attribute') attributes.push(node.message('attribute'));
      else node.skip();
    }
    if (operator.startsWith('TreeEnsemble')) found.push(attributesOf(attributes));
  }
  return found;
}

function attributesOf(messages: readonly Message[]): Attributes {
  const ints = new Map<string, number[]>();
  const floats = new Map<string, number[]>();
  const texts = new Map<string, string[]>();
  for (const message of messages) {
    const reader = new ProtobufReader(message, attributeFields);
    let name = '';
    const own = { ints: [] as number[], floats: [] as number[], texts: [] as string[] };
    while (reader.next()) {
      if (reader.name === 'name') name = reader.text();
      else if (reader.name === 'i') own.ints.push(Number(reader.int()));
      else if (reader.name === 'ints') for (const value of reader.ints(valuesMax)) own.ints.push(Number(value));
      else if (reader.name === 'f' || reader.name === 'floats')
        for (const value of reader.floats(valuesMax)) own.floats.push(value);
      else if (reader.name === 's' || reader.name === 'strings') own.texts.push(reader.text());
      else reader.skip();
    }
    if (own.ints.length > 0) ints.set(name, own.ints);
    if (own.floats.length > 0) floats.set(name, own.floats);
    if (own.texts.length > 0) texts.set(name, own.texts);
  }
  return { ints, floats, texts };
}

function ensembleOf({ ints, floats, texts }: Attributes): TreeEnsemble | undefined {
  const list = (name: string): readonly number[] => ints.get(name) ?? [];
  const modes = texts.get('nodes_modes') ?? [];
  const treeIds = list('nodes_treeids');
  const transform = texts.get('post_transform')?.[0] ?? 'NONE';
  const aggregate = texts.get('aggregate_function')?.[0] ?? 'SUM';
  if (transform !== 'NONE' || (aggregate !== 'SUM' && aggregate !== 'AVERAGE')) return undefined;
  if (modes.length === 0 || modes.length !== treeIds.length) return undefined;
  if (!modes.every((mode) => mode === 'LEAF' || Object.hasOwn(branches, mode))) return undefined;
  const kind = ints.has('class_ids') ? 'class' : 'target';
  const ids = list(`${kind}_ids`);
  const labels = ints.get('classlabels_int64s')?.length ?? texts.get('classlabels_strings')?.length ?? 0;
  const count = kind === 'class' ? labels : (list('n_targets')[0] ?? 1);
  const places = placesOf(treeIds, list('nodes_nodeids'));
  const leaves = Array.from({ length: count }, () => new Map<number, number>());
  const weights = floats.get(`${kind}_weights`) ?? [];
  for (const [index, id] of ids.entries()) {
    const at = places.get(`${list(`${kind}_treeids`)[index]}/${list(`${kind}_nodeids`)[index]}`);
    if (at === undefined) return undefined;
    const values = leaves[id];
    values?.set(at, (values.get(at) ?? 0) + (weights[index] ?? 0));
  }
  const shape = shapeOf(modes, treeIds, places, { list, values: floats.get('nodes_values') ?? [] });
  if (shape === undefined) return undefined;
  const bases = floats.get('base_values') ?? [];
  const outputs = leaves.map((values, output) => ({
    base: bases[output] ?? 0,
    trees: shape.map(({ nodes, ...tree }) => ({ ...tree, value: nodes.map((at) => values.get(at) ?? 0) })),
  }));
  const combine = aggregate === 'AVERAGE' ? 'mean' : 'sum';
  return { combine, outputs: kind === 'class' && count === 2 ? binary(outputs, new Set(ids)) : outputs };
}

/** Two classes with the leaves of one: the scores of both add up to 1. */
function binary(outputs: TreeEnsemble['outputs'], used: ReadonlySet<number>): TreeEnsemble['outputs'] {
  const [only] = used;
  const scores = only === undefined ? undefined : outputs[only];
  if (used.size !== 1 || scores === undefined) return outputs;
  const { base, trees } = scores;
  const other = {
    base: 1 - base,
    trees: trees.map((tree) => ({ ...tree, value: tree.value.map((value) => -value) })),
  };
  return [other, scores];
}

/** `swap`: the branch of true is the right one. `below`: the threshold itself goes right. */
const branches: Readonly<Record<string, { readonly swap: boolean; readonly below: boolean }>> = {
  BRANCH_LEQ: { swap: false, below: false },
  BRANCH_LT: { swap: false, below: true },
  BRANCH_GT: { swap: true, below: false },
  BRANCH_GTE: { swap: true, below: true },
};

interface TreeShape extends Omit<EnsembleTree, 'value'> {
  /** Places in the arrays of the ensemble. */
  readonly nodes: readonly number[];
}

function shapeOf(
  modes: readonly string[],
  treeIds: readonly number[],
  places: ReadonlyMap<string, number>,
  { list, values }: { readonly list: (name: string) => readonly number[]; readonly values: readonly number[] },
): TreeShape[] | undefined {
  const byTree = new Map<number, number[]>();
  for (const [at, tree] of treeIds.entries()) {
    const nodes = byTree.get(tree) ?? [];
    nodes.push(at);
    byTree.set(tree, nodes);
  }
  const features = list('nodes_featureids');
  const whenTrue = list('nodes_truenodeids');
  const whenFalse = list('nodes_falsenodeids');
  const trees: TreeShape[] = [];
  for (const [tree, nodes] of byTree) {
    const here = new Map(nodes.map((at, index) => [at, index]));
    const child = (id: number | undefined): number => here.get(places.get(`${tree}/${id}`) ?? -1) ?? Number.NaN;
    const left: number[] = [];
    const right: number[] = [];
    const threshold: number[] = [];
    for (const at of nodes) {
      const branch = branches[modes[at] ?? ''];
      const [yes, no] = branch === undefined ? [-1, -1] : [child(whenTrue[at]), child(whenFalse[at])];
      if (Number.isNaN(yes) || Number.isNaN(no)) return undefined;
      left.push(branch?.swap === true ? no : yes);
      right.push(branch?.swap === true ? yes : no);
      threshold.push(branch?.below === true ? justBelow(values[at] ?? 0) : (values[at] ?? 0));
    }
    trees.push({ nodes, feature: nodes.map((at) => features[at] ?? 0), left, right, threshold });
  }
  return trees;
}

function placesOf(treeIds: readonly number[], nodeIds: readonly number[]): ReadonlyMap<string, number> {
  return new Map(treeIds.map((tree, at) => [`${tree}/${nodeIds[at]}`, at]));
}

/** The next smaller 32-bit float: a row with x < t is one with x ≤ what lies just below t. */
function justBelow(value: number): number {
  if (value === 0) return -(2 ** -149);
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  view.setInt32(0, view.getInt32(0) + (value > 0 ? -1 : 1));
  return view.getFloat32(0);
}
