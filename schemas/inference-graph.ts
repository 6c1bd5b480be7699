/**
 * The inference graph of a route: nodes that run once what they wait for is there. The same shape is written by people (a model is then
 * a reference, code a function of a file) and travels on the log (both pinned by hash): hence the two type parameters.
 *
 * A node's inputs are references: `input` (the request), `<node>` (all its tensors), `input.<tensor>` or `<node>.<tensor>` (one of them:
 * absent, the node does not run), `<router>/<branch>` (what went into the router, if it chose that branch).
 */
export interface InferenceGraph<M = ModelPin, C = CodePin> {
  readonly nodes: readonly GraphNode<M, C>[];
  /** Where the answer comes from. */
  readonly output: { readonly from: readonly NodeInput[]; readonly join: Join; readonly joinWindowMs?: number };
}

/** A model version, by the hash of its file. */
export interface ModelPin {
  readonly model: string;
  readonly modelVersion: number;
  readonly artifactHash: string;
  /** Alias by which it was named, of a deployment that follows aliases. */
  readonly alias?: string;
}

/** A function of a code bundle, by the hash of the bundle. */
export interface CodePin {
  readonly hash: string;
  readonly function: string;
}

export interface NodeInput {
  readonly from: string;
  /** Gives a single tensor another name. */
  readonly as?: string;
}

/** `all`: every input must be there; `any`: the first of them, in this order, that is; `some`: those that are, at least one. */
export type Join = 'all' | 'any' | 'some';

interface NodeBase {
  /** Unique in its graph: `[a-z0-9][a-z0-9_-]{0,62}`, not `input`. */
  readonly name: string;
  readonly inputs: readonly NodeInput[];
  readonly join: Join;
  /** References that must be there too before the node runs; it does not get their data. */
  readonly triggers?: readonly string[];
  /** @default 'all' */
  readonly triggerJoin?: 'all' | 'any';
  /**
   * Longest time for which the join waits, from the first input or trigger that is there; what comes later is absent.
   * @default until each is decided
   */
  readonly joinWindowMs?: number;
}

/** An input that was not there when the window of its node closed. */
export interface LeftOut {
  /** Path of the node, with the round of a graph that repeats: `loop:2/join`. A graph's own output: the path of the graph, '' or `loop:2/`. */
  readonly node: string;
  /** The reference, as the document has it. */
  readonly input: string;
  /** Of which rows, when they were evaluated apart; empty: of all. */
  readonly rows: readonly number[];
}

interface WithCode<C> {
  readonly code: C;
  /** Longest time of one call, what it waits for included. @default 1000 */
  readonly timeoutMs?: number;
  /** Heap of the thread that runs the code. @default 128 */
  readonly memoryMb?: number;
}

/** Runs a model file; calls of many requests are put together. */
export interface ModelNode<M = ModelPin> extends NodeBase {
  readonly kind: 'model';
  readonly model: M;
}

/** Code that sees one row at a time: `(row) => row`. An output transformer sees the request's row too: `(answer, request) => row`. */
export interface TransformerNode<C = CodePin> extends NodeBase, WithCode<C> {
  readonly kind: 'transformer' | 'output-transformer';
}

/** Code that asks models as it likes: `async (row, models) => row`. */
export interface FunctionNode<M = ModelPin, C = CodePin> extends NodeBase, WithCode<C> {
  readonly kind: 'function';
  readonly models: Readonly<Record<string, M>>;
}

/**
 * Chooses which branches go on: by code, `(row) => branch | branches | null`, or built in: `random` draws by the prediction id, `hash` by
 * the entity (so that an entity always goes the same way).
 */
export interface RouterNode<C = CodePin> extends NodeBase, Partial<WithCode<C>> {
  readonly kind: 'router';
  readonly builtin?: 'random' | 'hash';
  readonly branches: readonly Branch[];
}

export interface Branch {
  readonly name: string;
  /** For built-in routers: share = weight / sum. @default 1 */
  readonly weight?: number;
}

/** Makes one answer of several: built in (`average`), or by code, `(rows by input) => row`. */
export interface CombinerNode<C = CodePin> extends NodeBase, Partial<WithCode<C>> {
  readonly kind: 'combiner';
  readonly builtin?: 'average';
}

/** A graph within the graph; with `repeat`, again and again on its own output. */
export interface SubgraphNode<M = ModelPin, C = CodePin> extends NodeBase {
  readonly kind: 'graph';
  readonly graph: InferenceGraph<M, C>;
  readonly repeat?: {
    /** Another round follows while the output has this tensor; the tensor itself is not passed on. */
    readonly while: string;
    /** More rounds than this is a failure that names the node. */
    readonly maxRounds: number;
  };
}

export type GraphNode<M = ModelPin, C = CodePin> =
  | ModelNode<M>
  | TransformerNode<C>
  | FunctionNode<M, C>
  | RouterNode<C>
  | CombinerNode<C>
  | SubgraphNode<M, C>;

export type CodeNode<M = ModelPin, C = CodePin> = Extract<GraphNode<M, C>, { readonly code?: C }>;

export const nodeKinds = [
  'model',
  'transformer',
  'output-transformer',
  'function',
  'router',
  'combiner',
  'graph',
] as const;

/** A reference taken apart; undefined when the text is none. */
export interface Reference {
  /** `input` or a node. */
  readonly node: string;
  readonly tensor?: string;
  readonly branch?: string;
}

export function parseReference(text: string): Reference | undefined {
  const match = /^([a-z0-9][a-z0-9_-]{0,62})(?:\.(.{1,256})|\/([a-z0-9][a-z0-9_-]{0,62}))?$/s.exec(text);
  const node = match?.[1];
  if (node === undefined) return undefined;
  if (match?.[2] !== undefined) return { node, tensor: match[2] };
  return match?.[3] === undefined ? { node } : { node, branch: match[3] };
}

/** Nodes that must be decided before this one. */
export function sourcesOf(node: Pick<GraphNode, 'inputs' | 'triggers'>): readonly string[] {
  const texts = [...node.inputs.map(({ from }) => from), ...(node.triggers ?? [])];
  return [...new Set(texts.map((text) => parseReference(text)?.node ?? '').filter((source) => source !== 'input'))];
}

/** Every model of a graph with its place: `<node>`, `<function>/<name>`, `<graph>/<node>`. */
export function modelsOfGraph<M, C>(graph: InferenceGraph<M, C>, prefix = ''): readonly { at: string; model: M }[] {
  return graph.nodes.flatMap((node) => {
    const at = `${prefix}${node.name}`;
    if (node.kind === 'model') return [{ at, model: node.model }];
    if (node.kind === 'graph') return modelsOfGraph(node.graph, `${at}/`);
    if (node.kind !== 'function') return [];
    return Object.entries(node.models).map(([name, model]) => ({ at: `${at}/${name}`, model }));
  });
}

/** Code of a graph: where it is called and how much memory it may use. */
export interface CodeUse<C> {
  readonly at: string;
  readonly code: C;
  readonly memoryMb: number;
}

/** What code may take where its node says nothing. */
export const defaultCodeLimits = { timeoutMs: 1_000, memoryMb: 128 };

/** Every node with code, with its place. */
export function codeOfGraph<M, C>(graph: InferenceGraph<M, C>, prefix = ''): readonly CodeUse<C>[] {
  return graph.nodes.flatMap((node): readonly CodeUse<C>[] => {
    const at = `${prefix}${node.name}`;
    if (node.kind === 'graph') return codeOfGraph(node.graph, `${at}/`);
    if (node.kind === 'model' || node.code === undefined) return [];
    return [{ at, code: node.code, memoryMb: node.memoryMb ?? defaultCodeLimits.memoryMb }];
  });
}

/** The same graph with other models and code. `at` is as in {@link modelsOfGraph}. */
export function mapGraph<M, C, M2, C2>(
  graph: InferenceGraph<M, C>,
  change: { readonly model: (model: M, at: string) => M2; readonly code: (code: C, at: string) => C2 },
  prefix = '',
): InferenceGraph<M2, C2> {
  const nodes = graph.nodes.map((node): GraphNode<M2, C2> => {
    const at = `${prefix}${node.name}`;
    switch (node.kind) {
      case 'model':
        return { ...node, model: change.model(node.model, at) };
      case 'graph':
        return { ...node, graph: mapGraph(node.graph, change, `${at}/`) };
      case 'function': {
        const models = Object.entries(node.models).map(
          ([name, model]) => [name, change.model(model, `${at}/${name}`)] as const,
        );
        return { ...node, code: change.code(node.code, at), models: Object.fromEntries(models) };
      }
      case 'transformer':
      case 'output-transformer':
        return { ...node, code: change.code(node.code, at) };
      case 'router':
      case 'combiner': {
        const { code, ...rest } = node;
        return code === undefined ? rest : { ...rest, code: change.code(code, at) };
      }
    }
  });
  return { nodes, output: graph.output };
}
