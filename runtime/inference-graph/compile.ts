/** A graph in the order in which its nodes can be decided, with its references looked up. */
import {
  type GraphNode,
  type InferenceGraph,
  type Join,
  parseReference,
  sourcesOf,
} from '../../schemas/inference-graph.ts';

export interface CompiledGraph<M, C> {
  readonly nodes: readonly CompiledNode<M, C>[];
  readonly output: Waits;
  /** Whether a join of it has a window. */
  readonly windowed: boolean;
  /** Of each node, the places of those that take from it; the output is behind the last. */
  readonly takers: readonly (readonly number[])[];
}

export interface CompiledNode<M, C> {
  readonly node: GraphNode<M, C>;
  readonly waits: Waits;
  /** Whether all of its data is the request's own. */
  readonly ofRequest: boolean;
  /** Of a node of kind graph. */
  readonly inner: CompiledGraph<M, C> | undefined;
}

/** What a node, or the output, waits for. */
export interface Waits {
  /** '' is the output. */
  readonly name: string;
  readonly inputs: readonly Source[];
  readonly triggers: readonly Source[];
  readonly join: Join;
  readonly triggerJoin: 'all' | 'any';
  readonly windowMs: number | undefined;
}

export interface Source {
  /** Place in `nodes`; -1 is the request. */
  readonly index: number;
  /** As the document has it. */
  readonly from: string;
  readonly name: string;
  readonly tensor: string | undefined;
  readonly branch: string | undefined;
  readonly as: string | undefined;
}

const compiled = new WeakMap<object, unknown>();

/** The graph must have passed `graphProblems`. */
export function compileGraph<M, C>(graph: InferenceGraph<M, C>): CompiledGraph<M, C> {
  let known = compiled.get(graph) as CompiledGraph<M, C> | undefined;
  if (known === undefined) {
    known = compile(graph);
    compiled.set(graph, known);
  }
  return known;
}

function compile<M, C>({ nodes, output }: InferenceGraph<M, C>): CompiledGraph<M, C> {
  const ordered: GraphNode<M, C>[] = [];
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const place = (node: GraphNode<M, C>): void => {
    if (ordered.includes(node)) return;
    for (const name of sourcesOf(node)) {
      const source = byName.get(name);
      if (source !== undefined) place(source);
    }
    ordered.push(node);
  };
  for (const node of nodes) place(node);
  const source = (from: string, as?: string): Source => {
    const { node: name = '', tensor, branch } = parseReference(from) ?? {};
    return { index: ordered.findIndex((node) => node.name === name), from, name, tensor, branch, as };
  };
  const placed = ordered.map((node): CompiledNode<M, C> => {
    const inputs = node.inputs.map(({ from, as }) => source(from, as));
    const { name, join, triggers = [], triggerJoin = 'all', joinWindowMs: windowMs } = node;
    return {
      node,
      waits: { name, inputs, triggers: triggers.map((from) => source(from)), join, triggerJoin, windowMs },
      ofRequest: inputs.every(({ index }) => index < 0),
      inner: node.kind === 'graph' ? compileGraph(node.graph) : undefined,
    };
  });
  const inputs = output.from.map(({ from, as }) => source(from, as));
  const { join, joinWindowMs: windowMs } = output;
  const last: Waits = { name: '', inputs, triggers: [], join, triggerJoin: 'all', windowMs };
  const all = [...placed.map(({ waits }) => waits), last];
  return {
    nodes: placed,
    output: last,
    windowed: all.some((waits) => waits.windowMs !== undefined),
    takers: placed.map((_, index) =>
      all.flatMap(({ inputs: data, triggers }, taker) =>
        [...data, ...triggers].some((one) => one.index === index) ? [taker] : [],
      ),
    ),
  };
}
