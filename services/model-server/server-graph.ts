/** Runs the graphs of routes with the models and code threads of a model server. */
import type { CodeAnswer, CodeCall, GraphServices, ModelAnswer } from '../../runtime/inference-graph/graph-services.ts';
import type { ModelSignature, Tensor, TensorSpec } from '../../runtime/ports/index.ts';
import { fitInputs } from '../../runtime/tensors/fit-inputs.ts';
import { codeOfRoute, type DeploymentRoute, modelsOfRoute } from '../../schemas/deployment-document.ts';
import { type InferenceGraph, type ModelPin, parseReference } from '../../schemas/inference-graph.ts';
import type { CodeThreads } from './code/code-threads.ts';
import type { MicroBatcher } from './micro-batcher.ts';
import { acquireModel } from './model-lease.ts';
import { probeModel } from './probe-model.ts';
import type { SessionCache } from './session-cache.ts';
import { checkInputs } from './signature-check.ts';

export class ServerGraph implements GraphServices {
  readonly #sessions: SessionCache<MicroBatcher>;
  readonly #code: CodeThreads;
  /** Those that ran once since they were loaded. */
  readonly #probed = new WeakSet<MicroBatcher>();

  constructor(sessions: SessionCache<MicroBatcher>, code: CodeThreads) {
    this.#sessions = sessions;
    this.#code = code;
  }

  /** Nodes with one model file share its batches, whatever deployment they belong to. */
  async runModel(model: ModelPin, inputs: readonly Tensor[], fit: boolean): Promise<ModelAnswer> {
    const lease = this.#sessions.acquireLoaded(model.artifactHash) ?? (await acquireModel(this.#sessions, model));
    try {
      const { signature } = lease.session.model;
      const fitted = fit ? fitInputs(inputs, signature) : inputs;
      const rows = checkInputs(fitted, signature);
      const { outputs, queueMs, runMs } = await lease.session.run(fitted, rows);
      return { outputs, rows, queueMs, runMs };
    } finally {
      this.#sessions.release(lease);
    }
  }

  runCode(call: CodeCall): Promise<CodeAnswer> {
    return this.#code.run(call);
  }

  /** Loads the models and the code of a route, and runs models that have just been loaded once. Rejects with the first that cannot be. */
  warm(route: DeploymentRoute): Promise<void> {
    return this.#load(route, (batcher) => this.#probed.has(batcher));
  }

  /** The same, and runs every model of the route. */
  probe(route: DeploymentRoute): Promise<void> {
    return this.#load(route, () => false);
  }

  async #load(route: DeploymentRoute, skip: (batcher: MicroBatcher) => boolean): Promise<void> {
    const models = new Map(modelsOfRoute(route).map(({ model }) => [model.artifactHash, model]));
    await Promise.all([
      ...[...models.values()].map(async (model) => {
        const lease = await acquireModel(this.#sessions, model);
        try {
          if (!skip(lease.session)) await probeModel(lease.session);
          this.#probed.add(lease.session);
        } finally {
          this.#sessions.release(lease);
        }
      }),
      ...codeOfRoute(route).map(({ code, memoryMb }) => this.#code.warm(code, memoryMb)),
    ]);
  }

  /**
   * Signature of a route. Of a graph: inputs of the models that take the request as it came, and outputs of the model that answers; what
   * custom code takes and gives is not known.
   */
  async signature(route: DeploymentRoute): Promise<ModelSignature> {
    if (route.graph === undefined) return await this.#signatureOf(route);
    const { nodes, output } = route.graph;
    const inputs = new Map<string, TensorSpec>();
    let batch: ModelSignature['batch'] = 'dynamic';
    for (const node of nodes) {
      if (node.kind !== 'model' || !node.inputs.every(({ from }) => parseReference(from)?.node === 'input')) continue;
      const signature = await this.#signatureOf(node.model);
      for (const spec of signature.inputs) inputs.set(spec.name, spec);
      if (signature.batch !== 'dynamic') batch = signature.batch;
    }
    return { inputs: [...inputs.values()], outputs: await this.#outputsOf(nodes, output.from[0]?.from ?? ''), batch };
  }

  async #outputsOf(nodes: InferenceGraph['nodes'], from: string): Promise<readonly TensorSpec[]> {
    const reference = parseReference(from);
    const node = nodes.find(({ name }) => name === reference?.node);
    if (node?.kind !== 'model') return [];
    const { outputs } = await this.#signatureOf(node.model);
    return reference?.tensor === undefined ? outputs : outputs.filter(({ name }) => name === reference.tensor);
  }

  async #signatureOf(model: Pick<ModelPin, 'model' | 'modelVersion' | 'artifactHash'>): Promise<ModelSignature> {
    const lease = await acquireModel(this.#sessions, model);
    this.#sessions.release(lease);
    return lease.session.model.signature;
  }
}
