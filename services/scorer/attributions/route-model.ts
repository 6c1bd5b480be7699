/** A route of a deployment in a worker thread, models and code included: what is explained is the whole way of a request. */
import { pathToFileURL } from 'node:url';
import { isListing } from '../../../runtime/adapters/mlflow-model/listing.ts';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import { readTreeEnsemble, type TreeEnsemble } from '../../../runtime/adapters/onnx/tree-ensemble.ts';
import { callCode, functionOf } from '../../../runtime/inference-graph/call-code.ts';
import { evaluateGraph } from '../../../runtime/inference-graph/evaluate.ts';
import type { GraphServices } from '../../../runtime/inference-graph/graph-services.ts';
import { type LoadedModel, MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { fitInputs } from '../../../runtime/tensors/fit-inputs.ts';
import { joinRows, splitRows } from '../../../runtime/tensors/row-stacking.ts';
import { codeOfRoute, type DeploymentRoute, modelsOfRoute } from '../../../schemas/deployment-document.ts';
import type { AttributionTask } from './attribution-task.ts';

/** Loaded models of one thread; the one that was unused for longest goes first. */
const models = new Map<string, LoadedModel>();
const modelsMax = 8;
const ensembles = new Map<string, TreeEnsemble | undefined>();

/** Blobs that the thread lacks for this route. */
export function lackedBlobs(route: DeploymentRoute, blobs: ReadonlyMap<string, Uint8Array>): readonly string[] {
  const hashes = modelsOfRoute(route).map(({ model }) => model.artifactHash);
  return [...new Set(hashes)].filter((hash) => !models.has(hash) && !blobs.has(hash));
}

export interface RouteModel {
  run(inputs: readonly Tensor[], rows: number): Promise<readonly Tensor[]>;
  /** Of a route that is one model of one tree ensemble. */
  readonly trees: TreeEnsemble | undefined;
}

/** @throws MillraceError UNSUPPORTED for models that are no ONNX files. */
export async function openRoute(task: AttributionTask): Promise<RouteModel> {
  const { route, predictionId, entity, leftOut, row, blobs } = task;
  const own = new Map<string, LoadedModel>();
  for (const { model } of modelsOfRoute(route)) own.set(model.artifactHash, await load(model.artifactHash, blobs));
  const services = await servicesOf(task, own);
  const { graph } = route;
  if (graph === undefined) {
    const model = own.get(route.artifactHash);
    if (model === undefined) throw new MillraceError('INTERNAL', `model ${route.artifactHash} was not loaded`);
    return { run: (inputs, rows) => runRows(model, inputs, rows), trees: ensembles.get(route.artifactHash) };
  }
  // The way of the row that is explained: what its prediction left out is not there for rows like it either.
  const mine = leftOut.filter(({ rows }) => rows.length === 0 || rows.includes(row));
  const windows = { leftOut: mine.map((one) => ({ ...one, rows: [] })) };
  return {
    run: async (inputs) => (await evaluateGraph(graph, { inputs, predictionId, entity }, services, windows)).outputs,
    trees: undefined,
  };
}

async function servicesOf(
  { route, bundles }: AttributionTask,
  own: ReadonlyMap<string, LoadedModel>,
): Promise<GraphServices> {
  const code = new Map<string, unknown>();
  for (const { code: pin } of codeOfRoute(route)) {
    const file = bundles.get(pin.hash);
    if (file === undefined) throw new MillraceError('INTERNAL', `the bundle ${pin.hash} was not laid out`);
    code.set(pin.hash, ((await import(pathToFileURL(file).href)) as { default?: unknown }).default);
  }
  return {
    runModel: async ({ artifactHash }, inputs, fit) => {
      const model = own.get(artifactHash);
      if (model === undefined) throw new MillraceError('INTERNAL', `model ${artifactHash} was not loaded`);
      const fitted = fit ? fitInputs(inputs, model.signature) : inputs;
      const rows = fitted[0]?.shape[0] ?? 1;
      return { outputs: await runRows(model, fitted, rows), rows, queueMs: 0, runMs: 0 };
    },
    runCode: async (call) => await callCode(functionOf(code.get(call.code.hash), call.code.function), call),
  };
}

async function load(hash: string, blobs: ReadonlyMap<string, Uint8Array>): Promise<LoadedModel> {
  const known = models.get(hash);
  if (known !== undefined) {
    models.delete(hash);
    models.set(hash, known);
    return known;
  }
  const bytes = blobs.get(hash);
  if (bytes === undefined) throw new MillraceError('INTERNAL', `the bytes of model ${hash} were not sent`);
  if (isListing(bytes)) {
    throw new MillraceError(
      'UNSUPPORTED',
      'only models that run in the process (ONNX) are explained; this one runs in a Python process or on another server',
    );
  }
  const model = await createOnnxRuntime().load(bytes);
  models.set(hash, model);
  ensembles.set(hash, readTreeEnsemble(bytes));
  for (const [oldest, loaded] of models) {
    if (models.size <= modelsMax) break;
    models.delete(oldest);
    ensembles.delete(oldest);
    await loaded.close();
  }
  return model;
}

/** Models that take one row at a time get one row at a time. */
async function runRows(model: LoadedModel, inputs: readonly Tensor[], rows: number): Promise<readonly Tensor[]> {
  const { batch } = model.signature;
  if (batch === 'dynamic' || rows === 1) return await model.run(inputs);
  const lines = splitRows(
    inputs,
    Array.from({ length: rows }, () => 1),
  ) ?? [inputs];
  const answers: (readonly Tensor[])[] = [];
  for (const line of lines) answers.push(await model.run(line));
  return joinRows(answers);
}
