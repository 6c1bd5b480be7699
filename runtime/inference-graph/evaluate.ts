/**
 * Evaluates an inference graph on one request: every node runs once what it waits for is decided, side by side where nothing is between
 * them. A node that lacks an input does not run. The answer waits for all nodes, so that what is recorded follows from the request.
 *
 * Rows of a request are put together as long as the code lets all of them go the same way; if not, each is evaluated on its own.
 */
import { performance } from 'node:perf_hooks';
import {
  type CodeNode,
  defaultCodeLimits,
  type GraphNode,
  type InferenceGraph,
  type Join,
  type RouterNode,
} from '../../schemas/inference-graph.ts';
import { MillraceError, messageOf, type Tensor } from '../ports/index.ts';
import { joinRows, splitRows } from '../tensors/row-stacking.ts';
import { rowCount } from '../tensors/row-values.ts';
import { average, drawBranch } from './builtins.ts';
import { type CompiledGraph, type CompiledNode, compileGraph, type Source } from './compile.ts';
import type { CodeAnswer, CodeForm, GraphServices } from './graph-services.ts';

export interface GraphRequest {
  readonly inputs: readonly Tensor[];
  /** Decides built-in routers: `random` by the first, `hash` by the second. */
  readonly predictionId: string;
  readonly entity: string;
}

/** A node that ran, in the order in which they ended. */
export interface GraphStep<M> {
  /** Within other nodes: `<graph>/<node>`, `<function>/<model's name>`. */
  readonly node: string;
  readonly kind: GraphNode['kind'];
  readonly model: M | undefined;
  readonly rows: number;
  readonly queueMs: number;
  readonly runMs: number;
  /** Branches of a router. */
  readonly chose: readonly string[];
}

export interface GraphAnswer<M> {
  readonly outputs: readonly Tensor[];
  readonly rows: number;
  readonly steps: readonly GraphStep<M>[];
}

/** Rows that are evaluated on their own. */
const rowsApartMax = 4_096;

/** Rejects with the failure of a node (`details.node` names it), or NO_ANSWER when nothing led to the output. */
export async function evaluateGraph<M, C>(
  graph: InferenceGraph<M, C>,
  request: GraphRequest,
  services: GraphServices<M, C>,
): Promise<GraphAnswer<M>> {
  const compiled = compileGraph(graph);
  const rows = rowCount(request.inputs) ?? 1;
  try {
    const run = new GraphRun(request, services, rows);
    const outputs = await run.graph(compiled, request.inputs, '');
    return { outputs, rows, steps: run.steps };
  } catch (error) {
    if (error instanceof RowsDisagree) return await rowsApart(compiled, request, services, rows);
    throw error;
  }
}

async function rowsApart<M, C>(
  compiled: CompiledGraph<M, C>,
  request: GraphRequest,
  services: GraphServices<M, C>,
  rows: number,
): Promise<GraphAnswer<M>> {
  if (rows > rowsApartMax) {
    throw new MillraceError(
      'TOO_LARGE',
      `the rows of the request go different ways through the graph; at most ${rowsApartMax} may in one request, got ${rows}: send fewer`,
    );
  }
  const parts = splitRows(request.inputs, new Array<number>(rows).fill(1)) ?? [];
  const runs = parts.map(() => new GraphRun(request, services, 1));
  const answers = await Promise.all(runs.map((run, index) => run.graph(compiled, parts[index] ?? [], '')));
  const like = lookOf(answers[0] ?? []);
  const other = answers.find((answer) => lookOf(answer) !== like);
  if (other !== undefined) {
    throw new MillraceError(
      'USER_CODE_FAILED',
      `the rows of the request are answered by different tensors (${like} and ${lookOf(other)}): let all ways answer alike, or send one row at a time`,
    );
  }
  return { outputs: joinRows(answers), rows, steps: mergeSteps(runs.flatMap((run) => run.steps)) };
}

function lookOf(tensors: readonly Tensor[]): string {
  return tensors.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.slice(1).join(', ')}]`).join(', ');
}

function mergeSteps<M>(steps: readonly GraphStep<M>[]): readonly GraphStep<M>[] {
  const merged = new Map<string, GraphStep<M>>();
  for (const step of steps) {
    const before = merged.get(step.node);
    merged.set(
      step.node,
      before === undefined
        ? step
        : {
            ...before,
            rows: before.rows + step.rows,
            queueMs: Math.max(before.queueMs, step.queueMs),
            runMs: Math.max(before.runMs, step.runMs),
            chose: [...new Set([...before.chose, ...step.chose])],
          },
    );
  }
  return [...merged.values()];
}

class RowsDisagree extends Error {}

/** undefined: the node did not run. */
type Result = { readonly tensors: readonly Tensor[]; readonly branches?: readonly string[] } | undefined;
interface Named {
  readonly name: string;
  readonly tensors: readonly Tensor[];
}

class GraphRun<M, C> {
  readonly steps: GraphStep<M>[] = [];
  readonly #request: GraphRequest;
  readonly #services: GraphServices<M, C>;
  readonly #rows: number;

  constructor(request: GraphRequest, services: GraphServices<M, C>, rows: number) {
    this.#request = request;
    this.#services = services;
    this.#rows = rows;
  }

  async graph(compiled: CompiledGraph<M, C>, inputs: readonly Tensor[], prefix: string): Promise<readonly Tensor[]> {
    const running: Promise<Result>[] = [];
    for (const node of compiled.nodes) running.push(this.#decide(node, running, inputs, prefix));
    const results = await Promise.all(running);
    const found = joined(compiled.output.inputs, compiled.output.join, results, inputs);
    if (found !== undefined) return together(found, 'the output');
    throw new MillraceError(
      'NO_ANSWER',
      `no node led to the output${prefix === '' ? '' : ` of '${prefix.slice(0, -1)}'`}; ${this.#path(prefix)}`,
    );
  }

  #path(prefix: string): string {
    const ran = this.steps.map(({ node, chose }) =>
      chose.length === 0 ? node : `${node} (chose ${chose.join(', ')})`,
    );
    const own = ran.filter((node) => node.startsWith(prefix));
    return own.length === 0 ? 'none ran' : `these ran: ${own.join(', ')}`;
  }

  async #decide(
    compiled: CompiledNode<M, C>,
    running: readonly Promise<Result>[],
    request: readonly Tensor[],
    prefix: string,
  ): Promise<Result> {
    const { inputs, triggers, node } = compiled;
    const results: Result[] = [];
    for (const { index } of triggers.length === 0 ? inputs : [...inputs, ...triggers]) {
      if (index >= 0) results[index] = await running[index];
    }
    const found = joined(inputs, node.join, results, request);
    if (found === undefined) return undefined;
    if (triggers.length > 0) {
      const there = (source: Source): boolean => taken(source, results, request) !== undefined;
      if (!(node.triggerJoin === 'any' ? triggers.some(there) : triggers.every(there))) return undefined;
    }
    try {
      return await this.#run(compiled, found, request, `${prefix}${node.name}`);
    } catch (error) {
      throw failureAt(`${prefix}${node.name}`, error);
    }
  }

  async #run(
    compiled: CompiledNode<M, C>,
    found: readonly Named[],
    request: readonly Tensor[],
    at: string,
  ): Promise<Result> {
    const { node, inner, ofRequest } = compiled;
    if (node.kind === 'model') {
      return { tensors: await this.#model(node.model, together(found, 'it'), !ofRequest, at, 'model') };
    }
    const started = performance.now();
    const said = (chose: readonly string[] = []): void => {
      const runMs = performance.now() - started;
      this.steps.push({ node: at, kind: node.kind, model: undefined, rows: this.#rows, queueMs: 0, runMs, chose });
    };
    switch (node.kind) {
      case 'transformer':
      case 'output-transformer': {
        const tensors = await this.#code(node, node.kind === 'transformer' ? 'row' : 'answer', found, at);
        said();
        return { tensors };
      }
      case 'function': {
        const tensors = await this.#code(node, 'models', found, at);
        said();
        return { tensors };
      }
      case 'combiner': {
        const tensors = node.builtin === 'average' ? average(found) : await this.#code(node, 'combine', found, at);
        said();
        return { tensors };
      }
      case 'router': {
        const branches = await this.#choose(node, found, at);
        said(branches);
        return { tensors: together(found, 'it'), branches };
      }
      case 'graph': {
        if (inner === undefined) throw new MillraceError('INTERNAL', 'the graph was not compiled');
        const tensors = await this.#rounds(inner, node.repeat, together(found, 'it'), at);
        said();
        return { tensors };
      }
    }
  }

  async #rounds(
    inner: CompiledGraph<M, C>,
    repeat: { readonly while: string; readonly maxRounds: number } | undefined,
    inputs: readonly Tensor[],
    at: string,
  ): Promise<readonly Tensor[]> {
    let tensors = inputs;
    for (let round = 1; ; round++) {
      tensors = await this.graph(inner, tensors, `${at}/`);
      if (repeat === undefined || !tensors.some(({ name }) => name === repeat.while)) return tensors;
      tensors = tensors.filter(({ name }) => name !== repeat.while);
      if (round < repeat.maxRounds) continue;
      throw new MillraceError(
        'USER_CODE_FAILED',
        `it asked for another round ('${repeat.while}') after ${round}, the most allowed`,
      );
    }
  }

  async #model(
    model: M,
    inputs: readonly Tensor[],
    fit: boolean,
    at: string,
    kind: 'model' | 'function',
  ): Promise<readonly Tensor[]> {
    const { outputs, rows, queueMs, runMs } = await this.#services.runModel(model, inputs, fit);
    const before = kind === 'function' ? this.steps.findIndex((step) => step.node === at) : -1;
    const step: GraphStep<M> = { node: at, kind: 'model', model, rows, queueMs, runMs, chose: [] };
    if (before < 0) this.steps.push(step);
    else this.steps[before] = mergeSteps([this.steps[before] ?? step, step])[0] ?? step;
    return outputs;
  }

  async #code(node: CodeNode<M, C>, form: CodeForm, found: readonly Named[], at: string): Promise<readonly Tensor[]> {
    const answer = await this.#call(node, form, found, at);
    if (answer.type === 'tensors') return answer.tensors;
    throw new MillraceError('INTERNAL', `the code answered ${answer.type} instead of tensors`);
  }

  async #choose(node: RouterNode<C>, found: readonly Named[], at: string): Promise<readonly string[]> {
    if (node.builtin !== undefined) {
      const text = node.builtin === 'hash' ? this.#request.entity : this.#request.predictionId;
      const branch = drawBranch(`${at}\u0000${text}`, node.branches);
      return branch === undefined ? [] : [branch];
    }
    const answer = await this.#call(node, 'choose', found, at);
    if (answer.type !== 'branches')
      throw new MillraceError('INTERNAL', `the code answered ${answer.type} instead of branches`);
    const names = node.branches.map(({ name }) => name);
    const unknown = answer.branches.find((branch) => !names.includes(branch));
    if (unknown === undefined) return answer.branches;
    throw new MillraceError(
      'USER_CODE_FAILED',
      `the code chose '${unknown}', which is no branch; there are ${names.join(', ')}`,
    );
  }

  async #call(node: CodeNode<M, C>, form: CodeForm, found: readonly Named[], at: string): Promise<CodeAnswer> {
    if (node.code === undefined) throw new MillraceError('INTERNAL', 'it has no code');
    const models = node.kind === 'function' ? node.models : {};
    const answer = await this.#services.runCode({
      code: node.code,
      form,
      rows: this.#rows,
      inputs: form === 'combine' ? found : [{ name: '', tensors: together(found, 'it') }],
      request: this.#request.inputs.length > 0 && form === 'answer' ? this.#request.inputs : [],
      timeoutMs: node.timeoutMs ?? defaultCodeLimits.timeoutMs,
      memoryMb: node.memoryMb ?? defaultCodeLimits.memoryMb,
      models: Object.keys(models),
      ask: async (name, inputs) => {
        const model = models[name];
        if (model === undefined) throw new MillraceError('INTERNAL', `there is no model '${name}'`);
        return await this.#model(model, inputs, true, `${at}/${name}`, 'function');
      },
    });
    if (answer.type === 'rows-disagree') throw new RowsDisagree();
    return answer;
  }
}

/** One entry per input that is there; undefined when the join is not met. */
function joined(
  sources: readonly Source[],
  join: Join,
  results: readonly Result[],
  request: readonly Tensor[],
): readonly Named[] | undefined {
  const found: Named[] = [];
  for (const source of sources) {
    const tensors = taken(source, results, request);
    if (tensors === undefined) {
      if (join === 'all') return undefined;
      continue;
    }
    found.push({ name: source.name, tensors });
    if (join === 'any') break;
  }
  return found.length === 0 ? undefined : found;
}

function taken(
  { index, tensor, branch, as }: Source,
  results: readonly Result[],
  request: readonly Tensor[],
): readonly Tensor[] | undefined {
  const result = index < 0 ? { tensors: request } : results[index];
  if (result === undefined) return undefined;
  if (branch !== undefined) return result.branches?.includes(branch) === true ? result.tensors : undefined;
  if (tensor === undefined) return result.tensors;
  const one = result.tensors.find(({ name }) => name === tensor);
  return one === undefined ? undefined : [as === undefined ? one : { ...one, name: as }];
}

/** All tensors in one list; no name twice. */
function together(found: readonly Named[], what: string): readonly Tensor[] {
  const [only, ...others] = found;
  if (others.length === 0) return only?.tensors ?? [];
  const all = found.flatMap(({ tensors }) => tensors);
  const twice = all.find(({ name }, index) => all.findIndex((other) => other.name === name) !== index);
  if (twice === undefined) return all;
  throw new MillraceError('INVALID_ARGUMENT', `${what} gets two tensors '${twice.name}': rename one with {from, as}`);
}

function failureAt(node: string, error: unknown): unknown {
  if (error instanceof RowsDisagree) return error;
  if (!(error instanceof MillraceError))
    return new MillraceError('INTERNAL', `node '${node}': ${messageOf(error)}`, { cause: error, details: { node } });
  if (error.details['node'] !== undefined) return error;
  return new MillraceError(error.code, `node '${node}': ${error.message}`, {
    cause: error,
    details: { ...error.details, node },
  });
}
