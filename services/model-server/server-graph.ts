/** Runs the graphs of routes with the models and code threads of a model server. */
import type { GraphServices, ModelAnswer } from '../../runtime/inference-graph/graph-services.ts';
import { MillraceError, type ModelSignature, type Tensor, type TensorSpec } from '../../runtime/ports/index.ts';
import { fitInputs } from '../../runtime/tensors/fit-inputs.ts';
import { codeOfRoute, type DeploymentRoute, modelsOfRoute } from '../../schemas/deployment-document.ts';
import { type InferenceGraph, type ModelPin, parseReference } from '../../schemas/inference-graph.ts';
import type { CodeThreads } from './code/code-threads.ts';
import type { MicroBatcher, RunTerms } from './micro-batcher.ts';
import { acquireModel, callLoadMs } from './model-lease.ts';
import { probeModel } from './probe-model.ts';
import type { SessionCache } from './session-cache.ts';
import { checkInputs } from './signature-check.ts';

interface RouteDescription {
  readonly signature: ModelSignature;
  readonly platform: string;
}

export class ServerGraph {
  readonly #sessions: SessionCache<MicroBatcher>;
  readonly #code: CodeThreads;
  /** Those that ran once since they were loaded. */
  readonly #probed = new WeakSet<MicroBatcher>();

  constructor(sessions: SessionCache<MicroBatcher>, code: CodeThreads) {
    this.#sessions = sessions;
    this.#code = code;
  }

  /** For the evaluation of one request. */
  services(terms: RunTerms): GraphServices {
    return {
      runModel: (model, inputs, fit, isWanted) =>
        this.runModel(model, inputs, fit, isWanted === undefined ? terms : whileWanted(terms, isWanted)),
      runCode: (call) => this.#code.run(call),
    };
  }

  /** Why a request to the route is refused now: too many wait for one of its models. */
  refusal(route: DeploymentRoute): MillraceError | undefined {
    for (const { model } of modelsOfRoute(route)) {
      const refusal = this.#sessions.peek(model.artifactHash)?.refusal();
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** Nodes with one model file share its batches, whatever deployment they belong to. */
  async runModel(model: ModelPin, inputs: readonly Tensor[], fit: boolean, terms: RunTerms): Promise<ModelAnswer> {
    const lease =
      this.#sessions.acquireLoaded(model.artifactHash) ??
      (await acquireModel(this.#sessions, model, terms.waits === true ? undefined : callLoadMs));
    try {
      const { signature } = lease.session.model;
      const fitted = fit ? fitInputs(inputs, signature) : inputs;
      const rows = checkInputs(fitted, signature);
      const { outputs, queueMs, runMs } = await lease.session.run(fitted, rows, terms);
      return { outputs, rows, queueMs, runMs };
    } finally {
      this.#sessions.release(lease);
    }
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
   * Signature of a route. Of a graph: inputs of the models that take the request as it came, be it through routers, and outputs of the model
   * that answers; what custom code takes and gives is not known. Its platform is `ensemble`, as Triton calls its own graphs.
   */
  async describe(route: DeploymentRoute): Promise<RouteDescription> {
    if (route.graph === undefined) return await this.#described(route);
    const { nodes, output } = route.graph;
    const asked = untouched(nodes);
    const inputs = new Map<string, TensorSpec>();
    let batch: ModelSignature['batch'] = 'dynamic';
    for (const node of nodes) {
      if (node.kind !== 'model' || !asked.has(node.name)) continue;
      const { signature } = await this.#described(node.model);
      for (const spec of signature.inputs) inputs.set(spec.name, spec);
      if (signature.batch !== 'dynamic') batch = signature.batch;
    }
    const outputs = await this.#outputsOf(nodes, output.from[0]?.from ?? '');
    return { signature: { inputs: [...inputs.values()], outputs, batch }, platform: 'ensemble' };
  }

  async #outputsOf(nodes: InferenceGraph['nodes'], from: string): Promise<readonly TensorSpec[]> {
    const reference = parseReference(from);
    const node = nodes.find(({ name }) => name === reference?.node);
    if (node?.kind !== 'model') return [];
    const { outputs } = (await this.#described(node.model)).signature;
    return reference?.tensor === undefined ? outputs : outputs.filter(({ name }) => name === reference.tensor);
  }

  async #described(model: Pick<ModelPin, 'model' | 'modelVersion' | 'artifactHash'>): Promise<RouteDescription> {
    const lease = await acquireModel(this.#sessions, model, callLoadMs);
    this.#sessions.release(lease);
    const { signature, platform = 'millrace_model' } = lease.session.model;
    return { signature, platform };
  }

  /** The models of a route that are being loaded, and what that does; undefined: none is. */
  loading(route: DeploymentRoute): string | undefined {
    for (const { model } of modelsOfRoute(route)) {
      const said = this.#sessions.loading(model.artifactHash);
      if (said !== undefined) return `models:/${model.model}/${model.modelVersion}: ${said}`;
    }
    return undefined;
  }
}

/** What a join within a window went on without does not keep others waiting. */
function whileWanted(terms: RunTerms, isWanted: () => boolean): RunTerms {
  const gone = (): MillraceError | undefined =>
    terms.gone?.() ?? (isWanted() ? undefined : new MillraceError('CANCELLED', 'the graph went on without it'));
  return { ...terms, gone };
}

/** Nodes that get the request as it came: a router gives on what it got. */
function untouched(nodes: InferenceGraph['nodes']): ReadonlySet<string> {
  const found = new Set<string>();
  const routers = new Set(['input']);
  for (let more = true; more; ) {
    more = false;
    for (const { name, kind, inputs } of nodes) {
      if (found.has(name) || !inputs.every(({ from }) => routers.has(parseReference(from)?.node ?? ''))) continue;
      found.add(name);
      if (kind === 'router') routers.add(name);
      more = true;
    }
  }
  return found;
}
