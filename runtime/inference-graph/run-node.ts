/** Runs one node of a graph on what it got. */
import { performance } from 'node:perf_hooks';
import { type CodeNode, defaultCodeLimits, type RouterNode } from '../../schemas/inference-graph.ts';
import { MillraceError, type Tensor } from '../ports/index.ts';
import { average, drawBranch } from './builtins.ts';
import type { CompiledGraph, CompiledNode } from './compile.ts';
import type { CodeAnswer, CodeForm, GraphRequest, GraphServices } from './graph-services.ts';
import { type GraphStep, mergeSteps } from './graph-step.ts';
import { type Named, together } from './joins.ts';
import type { GraphPlace, Walked } from './walk.ts';

/** What a node that ran gives, and what it leaves behind. */
export interface Ran<M> extends Walked<M> {
  readonly tensors: readonly Tensor[];
  /** Of a router. */
  readonly branches?: readonly string[];
}

export type NodeRun<M, C> = (
  compiled: CompiledNode<M, C>,
  found: readonly Named[],
  place: GraphPlace,
) => Promise<Ran<M>>;

/** The code lets rows go different ways: each has to be evaluated on its own. */
export class RowsDisagree extends Error {}

interface NodeRunParts<M, C> {
  readonly request: GraphRequest;
  readonly services: GraphServices<M, C>;
  readonly rows: number;
  readonly walk: (
    graph: CompiledGraph<M, C>,
    inputs: readonly Tensor[],
    place: GraphPlace,
  ) => Promise<Walked<M> & { readonly outputs: readonly Tensor[] }>;
}

export function nodeRunner<M, C>(parts: NodeRunParts<M, C>): NodeRun<M, C> {
  const runner = new NodeRunner(parts);
  return (compiled, found, place) => runner.run(compiled, found, place);
}

class NodeRunner<M, C> {
  readonly #parts: NodeRunParts<M, C>;

  constructor(parts: NodeRunParts<M, C>) {
    this.#parts = parts;
  }

  async run(compiled: CompiledNode<M, C>, found: readonly Named[], place: GraphPlace): Promise<Ran<M>> {
    const { node, inner, ofRequest } = compiled;
    const { rows } = this.#parts;
    const inside: GraphStep<M>[] = [];
    const started = performance.now();
    const ran = (tensors: readonly Tensor[], chose: readonly string[] = []): Ran<M> => {
      const runMs = performance.now() - started;
      const own = { node: place.path, kind: node.kind, model: undefined, rows, queueMs: 0, runMs, chose };
      return { tensors, branches: chose, steps: [...inside, own], leftOut: [] };
    };
    switch (node.kind) {
      case 'model': {
        const { step, tensors } = await this.#model(node.model, together(found, 'it'), !ofRequest, place);
        return { tensors, steps: [step], leftOut: [] };
      }
      case 'transformer':
      case 'output-transformer':
        return ran(await this.#code(node, node.kind === 'transformer' ? 'row' : 'answer', found, place, inside));
      case 'function': {
        const tensors = await this.#code(node, 'models', found, place, inside);
        inside.splice(0, inside.length, ...mergeSteps(inside));
        return ran(tensors);
      }
      case 'combiner':
        return ran(
          node.builtin === 'average' ? average(found) : await this.#code(node, 'combine', found, place, inside),
        );
      case 'router':
        return ran(together(found, 'it'), await this.#choose(node, found, place));
      case 'graph': {
        if (inner === undefined) throw new MillraceError('INTERNAL', 'the graph was not compiled');
        const { tensors, steps, leftOut } = await this.#rounds(inner, node.repeat, together(found, 'it'), place);
        inside.push(...steps);
        return { ...ran(tensors), leftOut };
      }
    }
  }

  async #rounds(
    inner: CompiledGraph<M, C>,
    repeat: { readonly while: string; readonly maxRounds: number } | undefined,
    inputs: readonly Tensor[],
    { path, round: before, isWanted }: GraphPlace,
  ): Promise<Ran<M>> {
    const steps: GraphStep<M>[] = [];
    const leftOut: Walked<M>['leftOut'][number][] = [];
    let tensors = inputs;
    for (let round = 1; ; round++) {
      const place = { path: `${path}/`, round: repeat === undefined ? `${before}/` : `${before}:${round}/`, isWanted };
      const answer = await this.#parts.walk(inner, tensors, place);
      tensors = answer.outputs;
      steps.push(...answer.steps);
      leftOut.push(...answer.leftOut);
      if (repeat === undefined || !tensors.some(({ name }) => name === repeat.while))
        return { tensors, steps, leftOut };
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
    { path, isWanted }: GraphPlace,
  ): Promise<{ readonly step: GraphStep<M>; readonly tensors: readonly Tensor[] }> {
    const { outputs, rows, queueMs, runMs } = await this.#parts.services.runModel(model, inputs, fit, isWanted);
    return { tensors: outputs, step: { node: path, kind: 'model', model, rows, queueMs, runMs, chose: [] } };
  }

  async #code(
    node: CodeNode<M, C>,
    form: CodeForm,
    found: readonly Named[],
    place: GraphPlace,
    inside: GraphStep<M>[],
  ): Promise<readonly Tensor[]> {
    const answer = await this.#call(node, form, found, place, inside);
    if (answer.type === 'tensors') return answer.tensors;
    throw new MillraceError('INTERNAL', `the code answered ${answer.type} instead of tensors`);
  }

  async #choose(node: RouterNode<C>, found: readonly Named[], place: GraphPlace): Promise<readonly string[]> {
    if (node.builtin !== undefined) {
      const { entity, predictionId } = this.#parts.request;
      const text = node.builtin === 'hash' ? entity : predictionId;
      const branch = drawBranch(`${place.path}\u0000${text}`, node.branches);
      return branch === undefined ? [] : [branch];
    }
    const answer = await this.#call(node, 'choose', found, place, []);
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

  async #call(
    node: CodeNode<M, C>,
    form: CodeForm,
    found: readonly Named[],
    { path, round, isWanted }: GraphPlace,
    inside: GraphStep<M>[],
  ): Promise<CodeAnswer> {
    const { request, services, rows } = this.#parts;
    if (node.code === undefined) throw new MillraceError('INTERNAL', 'it has no code');
    const models = node.kind === 'function' ? node.models : {};
    const answer = await services.runCode({
      code: node.code,
      form,
      rows,
      inputs: form === 'combine' ? found : [{ name: '', tensors: together(found, 'it') }],
      request: request.inputs.length > 0 && form === 'answer' ? request.inputs : [],
      timeoutMs: node.timeoutMs ?? defaultCodeLimits.timeoutMs,
      memoryMb: node.memoryMb ?? defaultCodeLimits.memoryMb,
      models: Object.keys(models),
      ask: async (name, inputs) => {
        const model = models[name];
        if (model === undefined) throw new MillraceError('INTERNAL', `there is no model '${name}'`);
        const asked = await this.#model(model, inputs, true, { path: `${path}/${name}`, round, isWanted });
        inside.push(asked.step);
        return asked.tensors;
      },
    });
    if (answer.type === 'rows-disagree') throw new RowsDisagree();
    return answer;
  }
}
