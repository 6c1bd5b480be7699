/**
 * Inference graphs written in TypeScript. Code sees one row at a time: of each tensor a value (one element a row) or an array of values.
 *
 * @example
 * graph()
 *   .transformer('scale', ({ x }: { x: number[] }) => ({ x: x.map((value) => value / 10) }))
 *   .model('forest', 'models:/iris@champion', { inputs: ['scale'] })
 *   .model('trees', 'models:/iris-trees/2', { inputs: ['scale'] })
 *   .combiner('mean', 'average', { inputs: ['forest.probabilities', 'trees.probabilities'] });
 */
import { type Branch, type Join, mapGraph } from '../../schemas/inference-graph.ts';
import type { CodeSpec, GraphSpec, ModelReference } from './deployment-spec.ts';
import { filledGraph } from './graph-defaults.ts';

export type { GraphSpec } from './deployment-spec.ts';

/** One row of a tensor: a value where the row has one element, else all of them, flat. */
export type RowValue = number | bigint | string | boolean | readonly (number | bigint | string | boolean)[];
/** One row of several tensors, by name; a value that is undefined is not there. Numbers become FP64, texts BYTES; what a model answered and is passed on keeps its datatype. */
export type Row = Readonly<Record<string, RowValue | undefined>>;

type Answer<T> = T | Promise<T>;
/**
 * Rows of a caller's own type: what a model answers, and what a request holds, is known to its author alone. With `unknown` every
 * annotation of a parameter, such as `({ x }: { x: number })`, would be an error.
 */
// biome-ignore lint/suspicious/noExplicitAny: see above
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type AnyRow = any;
/** Asks a model for one row; rows that are under way are put together. */
export type AskModel = (row: object) => Promise<AnyRow>;
export type Transform<R = AnyRow> = (row: R) => Answer<Row>;
export type TransformOutput<R = AnyRow, Q = AnyRow> = (answer: R, request: Q) => Answer<Row>;
export type Choose<B extends string, R = AnyRow> = (row: R) => Answer<B | readonly B[] | null>;
export type Combine<R = AnyRow> = (answers: R) => Answer<Row>;
export type Pipeline<M extends string, R = AnyRow> = (row: R, models: Readonly<Record<M, AskModel>>) => Answer<Row>;

/** A code function of whichever kind. */
export type GraphFunction = (...parts: AnyRow[]) => unknown;

export type NodeReference<Names extends string> = Names | `${Names}.${string}` | `${Names}/${string}`;

export interface NodeOptions<Names extends string> {
  /** @default the node before; for the first node the request, `input` */
  readonly inputs?: readonly (NodeReference<Names> | { readonly from: NodeReference<Names>; readonly as?: string })[];
  /** @default 'all' */
  readonly join?: Join;
  /** What must be there too before the node runs, without being passed to it. */
  readonly triggers?: readonly NodeReference<Names>[];
  /** @default 'all' */
  readonly triggerJoin?: 'all' | 'any';
  /**
   * Longest time for which the join waits, from the first input or trigger that is there; what comes later is absent. Milliseconds.
   * @default until each is decided
   */
  readonly joinWindowMs?: number;
}

export interface CodeOptions {
  /** Longest time of one call, what it waits for included. @default 1000 */
  readonly timeoutMs?: number;
  /** Heap of the thread that runs the code. @default 128 */
  readonly memoryMb?: number;
}

/** Begins a graph. Its answer is that of its last node, unless `output` says otherwise. */
export function graph(): Graph {
  return new Graph([], undefined, new Map());
}

/** A graph of one function that asks models as it likes: what the code does is the graph. */
export function pipeline<M extends string>(
  models: Readonly<Record<M, ModelReference>>,
  code: Pipeline<M>,
  options: CodeOptions = {},
): Graph<'input' | 'pipeline'> {
  return graph().function('pipeline', models, code, options);
}

/** Immutable: each call gives a new graph. `Names` are what inputs may refer to; a misspelt one does not compile. */
export class Graph<Names extends string = 'input'> {
  readonly #nodes: readonly object[];
  readonly #output: object | undefined;
  readonly #functions: ReadonlyMap<string, GraphFunction>;

  constructor(nodes: readonly object[], output: object | undefined, functions: ReadonlyMap<string, GraphFunction>) {
    this.#nodes = nodes;
    this.#output = output;
    this.#functions = functions;
  }

  model<N extends string>(
    name: Fresh<N, Names>,
    model: ModelReference,
    options: NodeOptions<Names> = {},
  ): Graph<Names | N> {
    return this.#with<N>(name, { kind: 'model', model }, options);
  }

  /** Changes each row on its way. */
  transformer<N extends string>(
    name: Fresh<N, Names>,
    code: Transform,
    options: NodeOptions<Names> & CodeOptions = {},
  ): Graph<Names | N> {
    return this.#with<N>(name, { kind: 'transformer' }, options, code);
  }

  /** Changes each row of an answer; sees the request's row too. */
  outputTransformer<N extends string>(
    name: Fresh<N, Names>,
    code: TransformOutput,
    options: NodeOptions<Names> & CodeOptions = {},
  ): Graph<Names | N> {
    return this.#with<N>(name, { kind: 'output-transformer' }, options, code);
  }

  /** Asks models as it likes. */
  function<N extends string, M extends string>(
    name: Fresh<N, Names>,
    models: Readonly<Record<M, ModelReference>>,
    code: Pipeline<M>,
    options: NodeOptions<Names> & CodeOptions = {},
  ): Graph<Names | N> {
    return this.#with<N>(name, { kind: 'function', models }, options, code);
  }

  /** `random` draws by the prediction id, `hash` by the entity, code by the row. What follows takes `<name>/<branch>`. */
  router<N extends string, B extends string>(
    name: Fresh<N, Names>,
    branches: readonly (B | (Branch & { readonly name: B }))[],
    choose: 'random' | 'hash' | Choose<B>,
    options: NodeOptions<Names> & CodeOptions = {},
  ): Graph<Names | N> {
    const builtin = typeof choose === 'string' ? { builtin: choose } : {};
    return this.#with<N>(
      name,
      { kind: 'router', branches, ...builtin },
      options,
      typeof choose === 'string' ? undefined : choose,
    );
  }

  /** Makes one answer of several: their average, or what the code makes of the rows by input. */
  combiner<N extends string>(
    name: Fresh<N, Names>,
    combine: 'average' | Combine,
    options: NodeOptions<Names> & CodeOptions = {},
  ): Graph<Names | N> {
    const builtin = typeof combine === 'string' ? { builtin: combine } : {};
    return this.#with<N>(
      name,
      { kind: 'combiner', ...builtin },
      options,
      typeof combine === 'string' ? undefined : combine,
    );
  }

  /** A graph within the graph; with `repeat`, on its own output until the tensor `while` is absent from it. */
  subgraph<N extends string>(
    name: Fresh<N, Names>,
    inner: Graph<string>,
    options: NodeOptions<Names> & { readonly repeat?: { readonly while: string; readonly maxRounds: number } } = {},
  ): Graph<Names | N> {
    const functions = new Map(this.#functions);
    for (const [at, code] of inner.functions) functions.set(`${name}/${at}`, code);
    const node = { kind: 'graph', graph: inner.spec(), ...options, name };
    return new Graph<Names | N>([...this.#nodes, node], this.#output, functions);
  }

  /**
   * Where the answer comes from; of several, the first that is there, unless `join` says otherwise. `joinWindowMs` is as in
   * {@link NodeOptions}.
   */
  output(
    from:
      | NodeReference<Names>
      | readonly (NodeReference<Names> | { readonly from: NodeReference<Names>; readonly as?: string })[],
    options: { readonly join?: Join; readonly joinWindowMs?: number } = {},
  ): Graph<Names> {
    return new Graph<Names>(this.#nodes, { from, ...options }, this.#functions);
  }

  /** Code by the place of its node. */
  get functions(): ReadonlyMap<string, GraphFunction> {
    return this.#functions;
  }

  /** The plain form, with what was left out filled in. Code is named by its place. */
  spec(prefix = ''): GraphSpec {
    const whole = { nodes: this.#nodes, ...(this.#output === undefined ? {} : { output: this.#output }) };
    const filled = filledGraph(whole) as GraphSpec;
    return mapGraph(filled, { model: (model) => model, code: (_, at): CodeSpec => ({ function: `${prefix}${at}` }) });
  }

  #with<N extends string>(name: string, node: object, options: object, code?: GraphFunction): Graph<Names | N> {
    const functions = code === undefined ? this.#functions : new Map(this.#functions).set(name, code);
    const coded = code === undefined ? {} : { code: { function: name } };
    return new Graph<Names | N>([...this.#nodes, { ...node, ...coded, ...options, name }], this.#output, functions);
  }
}

type Fresh<N extends string, Names extends string> = N extends Names ? never : N;
