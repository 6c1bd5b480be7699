/**
 * A deployment tried in the process of a test: its graphs and its code exactly as a model server runs them, without log or threads, so
 * that a breakpoint in the code stops there.
 *
 * @example
 * const trial = await tryDeployment(iris, { models: { 'models:/iris@champion': await readFile('iris.onnx') } });
 * expect(await trial.predict({ X: [5.1, 3.5, 1.4, 0.2] })).toMatchObject({ route: 'main', rows: [{ label: 0 }] });
 */
import { createOnnxRuntime } from '../adapters/onnx/onnx-runtime.ts';
import { callCode, functionOf } from '../inference-graph/call-code.ts';
import { evaluateGraph, type GraphAnswer } from '../inference-graph/evaluate.ts';
import type { GraphServices, ModelAnswer } from '../inference-graph/graph-services.ts';
import type { Windows } from '../inference-graph/left-out.ts';
import { type LoadedModel, MillraceError, systemClock, type Tensor } from '../ports/index.ts';
import { fitInputs } from '../tensors/fit-inputs.ts';
import { rowCount, rowsOfTensors, tensorsOfRows } from '../tensors/row-values.ts';
import { type InferenceGraph, type LeftOut, modelsOfGraph } from '../../schemas/inference-graph.ts';

/** One row by tensor name: a value, or an array of values. */
export type TrialRow = Readonly<Record<string, unknown>>;

/** What `deployment(…)` of the SDK builds. */
export interface TriedDeployment {
  readonly millraceDeployment: 1;
  readonly functions: ReadonlyMap<string, (...parts: never[]) => unknown>;
  spec(): { readonly name: string; readonly routes: readonly TriedRoute[] };
}

interface TriedRoute {
  readonly name: string;
  readonly weight: number;
  readonly model?: string;
  readonly graph?: InferenceGraph<string, { readonly function: string }> | undefined;
}

export interface TrialOptions {
  /** By reference, as the deployment names them: the bytes of an ONNX file, or a model such as `createFunctionModel` makes. */
  readonly models: Readonly<Record<string, Uint8Array | LoadedModel>>;
}

export interface TrialRequest {
  /** @default the first route with a weight */
  readonly route?: string;
  /** Decides routers of kind `hash`. @default 'entity' */
  readonly entity?: string;
  /** Decides routers of kind `random`. @default 'prediction' */
  readonly predictionId?: string;
  /**
   * What joins within a window go on without, instead of by time: `{ node: 'mean', input: 'slow' }`; `[]`: they wait for all. The output of
   * the route is node ''; a graph that repeats has its round, `loop:2/mean`.
   */
  readonly leftOut?: readonly { readonly node: string; readonly input: string }[];
}

export interface TrialAnswer {
  readonly route: string;
  readonly rows: readonly TrialRow[];
  readonly outputs: readonly Tensor[];
  /** Nodes that ran, and branches that routers chose. */
  readonly path: readonly { readonly node: string; readonly chose: readonly string[]; readonly rows: number }[];
  /** What joins within a window went on without. */
  readonly leftOut: readonly LeftOut[];
}

export interface DeploymentTrial {
  /** One row, several, or tensors. Rejects with what would be the failure of the prediction. */
  predict(
    input: TrialRow | readonly TrialRow[] | { readonly tensors: readonly Tensor[] },
    request?: TrialRequest,
  ): Promise<TrialAnswer>;
  close(): Promise<void>;
}

/** NOT_FOUND names the models that `options.models` lacks. */
export async function tryDeployment(deployment: TriedDeployment, options: TrialOptions): Promise<DeploymentTrial> {
  const { routes } = deployment.spec();
  const onnx = createOnnxRuntime();
  const models = new Map<string, LoadedModel>();
  for (const [reference, model] of Object.entries(options.models)) {
    models.set(reference, model instanceof Uint8Array ? await onnx.load(model) : model);
  }
  const wanted = routes.flatMap(({ model, graph }) =>
    graph === undefined ? [model ?? ''] : modelsOfGraph(graph).map((used) => used.model),
  );
  const lacking = [...new Set(wanted.filter((reference) => !models.has(reference)))];
  if (lacking.length > 0) throw new MillraceError('NOT_FOUND', `models of the trial lack ${lacking.join(', ')}`);
  const services = trialServices(deployment, models);
  return {
    predict: async (input, request = {}) => {
      const route = routes.find(({ name, weight }) =>
        request.route === undefined ? weight > 0 : name === request.route,
      );
      if (route === undefined) {
        throw new MillraceError(
          'NOT_FOUND',
          `there is no route '${request.route ?? ''}'; there are ${routes.map(({ name }) => name).join(', ')}`,
        );
      }
      const { entity = 'entity', predictionId = 'prediction' } = request;
      const given = tensorsOf(input);
      const inputs = 'tensors' in input ? given : fitted(route, given, models);
      const answer: GraphAnswer<string> =
        route.graph === undefined
          ? { ...(await services.runModel(route.model ?? '', inputs, false)), steps: [], leftOut: [] }
          : await evaluateGraph(route.graph, { inputs, entity, predictionId }, services, windowsOf(request));
      checkLeftOut(request, answer);
      return {
        route: route.name,
        rows: rowsOfTensors(answer.outputs, rowCount(answer.outputs) ?? 1),
        outputs: answer.outputs,
        path: answer.steps.map(({ node, chose, rows }) => ({ node, chose, rows })),
        leftOut: answer.leftOut,
      };
    },
    close: async () => {
      await Promise.all([...models.values()].map((model) => model.close()));
    },
  };
}

function windowsOf({ leftOut }: TrialRequest): Windows {
  return leftOut === undefined ? { clock: systemClock } : { leftOut: leftOut.map((one) => ({ ...one, rows: [] })) };
}

/** A name that is not there would leave nothing out, and the test would say nothing. */
function checkLeftOut({ leftOut = [] }: TrialRequest, answer: GraphAnswer<string>): void {
  const odd = leftOut.find(
    ({ node, input }) => !answer.leftOut.some((one) => one.node === node && one.input === input),
  );
  if (odd === undefined) return;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `nothing waited for input '${odd.input}' of node '${odd.node}': leftOut names a node, and an input as the graph has it`,
  );
}

/** Numbers of a test as the models take them that see the request as it comes. */
function fitted(
  route: TriedRoute,
  tensors: readonly Tensor[],
  models: ReadonlyMap<string, LoadedModel>,
): readonly Tensor[] {
  const direct =
    route.graph === undefined
      ? [route.model ?? '']
      : route.graph.nodes.flatMap((node) =>
          node.kind === 'model' && node.inputs.every(({ from }) => /^input([.]|$)/.test(from)) ? [node.model] : [],
        );
  let fit = tensors;
  for (const reference of direct) {
    const signature = models.get(reference)?.signature;
    if (signature !== undefined) fit = fitInputs(fit, signature);
  }
  return fit;
}

function tensorsOf(input: TrialRow | readonly TrialRow[] | { readonly tensors: readonly Tensor[] }): readonly Tensor[] {
  if ('tensors' in input && Array.isArray(input.tensors)) return input.tensors as readonly Tensor[];
  const tensors = tensorsOfRows(Array.isArray(input) ? (input as readonly TrialRow[]) : [input]);
  if (tensors === undefined)
    throw new MillraceError('INVALID_ARGUMENT', 'all rows must have the same values in the same number');
  return tensors;
}

function trialServices(
  deployment: TriedDeployment,
  models: ReadonlyMap<string, LoadedModel>,
): GraphServices<string, { readonly function: string }> {
  return {
    runModel: async (reference, inputs, fit): Promise<ModelAnswer> => {
      const model = models.get(reference);
      if (model === undefined) throw new MillraceError('NOT_FOUND', `the trial has no model ${reference}`);
      const outputs = await model.run(fit ? fitInputs(inputs, model.signature) : inputs);
      return { outputs, rows: rowCount(inputs) ?? 1, queueMs: 0, runMs: 0 };
    },
    runCode: async (call) => await callCode(functionOf(deployment, call.code.function), call),
  };
}
