/**
 * The model server: one of many replicas that answer prediction requests, from the topic `prediction-requests` and in-process for
 * HTTP, with the deployments of the table `deployments`. Every request has exactly one outcome on `predictions`.
 */
import type { Registry } from 'prom-client';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { Service } from '../../runtime/engine/service.ts';
import {
  hasCode,
  MillraceError,
  messageOf,
  type ModelRuntime,
  type ModelSignature,
  type Tensor,
} from '../../runtime/ports/index.ts';
import type { Check } from '../../schemas/api/deployments.ts';
import { type DeploymentDocument, modelsOfRoute } from '../../schemas/deployment-document.ts';
import { inputDigest } from '../../schemas/input-digest.ts';
import { pinnedRoute } from '../../schemas/traffic.ts';
import { CodeThreads } from './code/code-threads.ts';
import { type DeployedVersion, DeploymentCatalog } from './deployment-catalog.ts';
import { eventOfTensor } from './event-tensors.ts';
import type { BatchPolicy } from './batch-policy.ts';
import { MicroBatcher } from './micro-batcher.ts';
import { exportModelServerMetrics, type RefusedBy, type ServerStats } from './model-server-metrics.ts';
import { type InferRequest, openAnswer, type OpenInferAnswer, type OpenInferRequest } from './open-calls.ts';
import {
  type AnswerForm,
  fitContent,
  type InferRequest as ParsedRequest,
  parseInferRequest,
} from './open-inference/index.ts';
import { OutcomePublisher } from './outcome-publisher.ts';
import { failed, type Outcome } from './outcomes.ts';
import {
  identify,
  parseDeadline,
  parseEventTime,
  parseVersionMin,
  type PredictionRequest,
} from './prediction-request.ts';
import { Predictor } from './predictor.ts';
import { handleBatch } from './request-batch.ts';
import { RequestProbes } from './request-probes.ts';
import { ServerGraph } from './server-graph.ts';
import { SessionCache } from './session-cache.ts';
import { Shadows } from './shadows.ts';

export interface ModelServerOptions {
  readonly runtime: Runtime;
  readonly models: ModelRuntime;
  /** Real names of the topics that requests may ask to be answered on. @default none */
  readonly replyTopics?: readonly string[] | undefined;
  /** Rows of one call of each model, and for how long it waits for them. @default chosen for each from what is measured */
  readonly batches?: (() => BatchPolicy) | undefined;
  /** Requests by call, and as many by topic, that wait for one model. @default 1000 */
  readonly queueMax?: number | undefined;
  /** Calls at once of a model in this process. @default 1 */
  readonly callsMax?: number | undefined;
  /** Records that one batch of the topic holds. @default 500 */
  readonly batchRecords?: number | undefined;
  /** HTTP requests under way before others are turned away. @default 2000 */
  readonly inFlightMax?: number | undefined;
  /** Loaded models; more are served, each loaded by its next request. @default 256 */
  readonly sessionsMax?: number | undefined;
  /** Bytes of their files. @default 512 MiB */
  readonly modelBytesMax?: number | undefined;
  /** Outcomes kept for repeats of requests with a client's id. @default 10000 */
  readonly recentMax?: number | undefined;
  /** Where outcomes, latencies and loaded models are exported. @default nowhere */
  readonly metrics?: Registry | undefined;
}

export interface DeploymentDescription {
  readonly name: string;
  readonly version: number;
  readonly signature: ModelSignature;
  /** Of its first route. */
  readonly platform: string;
}

export interface RepositoryEntry {
  readonly name: string;
  readonly version: number;
  readonly loaded: boolean;
  /** Why it cannot be loaded. */
  readonly reason?: string;
}

/** Opens the table of deployments; close it after the service that runs on it. */
export async function createModelServer(options: ModelServerOptions): Promise<ModelServer> {
  return new ModelServer(options, await DeploymentCatalog.open(options.runtime));
}

export class ModelServer {
  /** For `runtime.runService`. */
  readonly service: Service<'prediction-requests'>;
  readonly #runtime: Runtime;
  readonly #catalog: DeploymentCatalog;
  readonly #sessions: SessionCache<MicroBatcher>;
  readonly #code: CodeThreads;
  readonly #graph: ServerGraph;
  readonly #predictor: Predictor;
  readonly #publisher: OutcomePublisher;
  readonly #shadows: Shadows;
  readonly #probes: RequestProbes;
  readonly #inFlightMax: number;
  readonly #modelBytesMax: number;
  readonly #refused: ((by: RefusedBy) => void) | undefined;
  #inFlight = 0;
  /** Makes ids of requests: drawing a random one for each costs as much as answering. */
  readonly #incarnation: string;
  #requests = 0;

  constructor(options: ModelServerOptions, catalog: DeploymentCatalog) {
    const { runtime, models, recentMax = 10_000, modelBytesMax = 512 * 1024 * 1024 } = options;
    this.#modelBytesMax = modelBytesMax;
    const { blobs, clock } = runtime.parts;
    this.#runtime = runtime;
    this.#catalog = catalog;
    const { metrics } = options;
    const observe = metrics === undefined ? undefined : exportModelServerMetrics(metrics, () => this.stats());
    this.#sessions = new SessionCache(
      { models, blobs, clock, sessionsMax: options.sessionsMax, bytesMax: modelBytesMax },
      (model, label) =>
        new MicroBatcher(model, {
          policy: options.batches?.(),
          queueMax: options.queueMax,
          callsMax: model.callsMax ?? options.callsMax,
          label,
          observe: observe?.queue,
        }),
    );
    this.#refused = observe?.refused;
    this.#code = new CodeThreads(blobs);
    this.#graph = new ServerGraph(this.#sessions, this.#code);
    this.#publisher = new OutcomePublisher(runtime);
    this.#predictor = new Predictor({
      catalog,
      sessions: this.#sessions,
      graph: this.#graph,
      clock,
      recentMax,
      observe: observe?.outcome,
    });
    this.#shadows = new Shadows({
      answer: (request, place) => this.#predictor.answerWith(request, place),
      publish: (output) => this.#publisher.publish(output),
      logger: runtime.parts.logger,
      clock,
      observe: observe?.shadow,
    });
    this.#predictor.onAnswer((request, answer, place) => this.#shadows.mirror(request, answer, place));
    this.#incarnation = runtime.parts.ids.next();
    this.#inFlightMax = options.inFlightMax ?? 2_000;
    catalog.prepareWith((next) => this.#load(next));
    this.#probes = new RequestProbes(runtime);
    const probes = this.#probes;
    const batchParts = { runtime, predictor: this.#predictor, replyTopics: new Set(options.replyTopics), probes };
    this.service = {
      name: 'model-server',
      inputs: ['prediction-requests'],
      outputs: ['predictions', 'operations'],
      summary: 'answers prediction requests with the models of the deployment that each names',
      batchRecords: options.batchRecords ?? 500,
      opened: (task) => Promise.resolve(probes.opened(task)),
      closed: (task) => probes.closed(task),
      handle: (batch, { signal }) => handleBatch(batch, batchParts, signal),
    };
  }

  /** Predicts; resolves when the outcome is acknowledged on `predictions`. Rejects when it could not be, or is not admitted (OVERLOADED, RATE_LIMITED): then there is no outcome. */
  async infer(request: InferRequest): Promise<Outcome> {
    if (this.#inFlight >= this.#inFlightMax) {
      this.#refused?.('calls');
      throw new MillraceError(
        'OVERLOADED',
        `${this.#inFlight} predictions are under way, the most allowed (model_server.in_flight_max): try again in a while`,
      );
    }
    this.#inFlight += 1;
    try {
      const outcome = await this.#predictor.predict(this.#request(request));
      if (outcome.type === 'failed' && hasCode(outcome.error, 'OVERLOADED', 'RATE_LIMITED')) {
        this.#refused?.(refusedBy(outcome.error));
        throw outcome.error;
      }
      await this.#publisher.publish(outcome.output);
      return outcome;
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Predicts from and to Open Inference Protocol JSON. A body that makes no sense is a failure on `predictions` too. */
  async inferOpen(request: OpenInferRequest): Promise<OpenInferAnswer> {
    let whole: InferRequest;
    let form: AnswerForm | undefined;
    try {
      const { body } = request;
      const read = parseInferRequest(
        typeof body === 'function' ? await (body as () => unknown)() : body,
        {},
        request.binary,
      );
      form = read.form;
      whole = readRequest(request, read, read.pending === undefined ? read.inputs : await this.#fit(request, read));
    } catch (error) {
      if (!hasCode(error, 'INVALID_ARGUMENT', 'UNSUPPORTED', 'TOO_LARGE', 'NOT_FOUND', 'MODEL_REFUSED')) throw error;
      const { deployment, entity, clientId, source, deadlineMs, route } = request;
      const unread = { deployment, entity, clientId, source, deadlineMs, route, inputs: [] };
      const refused = failed(this.#request(unread), error);
      await this.#publisher.publish(refused.output);
      return openAnswer(refused, undefined);
    }
    return openAnswer(await this.infer(whole), form);
  }

  /** Signature of a deployment: of its first route. NOT_FOUND when there is none. */
  async describe(name: string): Promise<DeploymentDescription> {
    const deployed = await this.#catalog.find(name);
    const [route] = deployed.document.routes;
    if (route === undefined) throw new MillraceError('INTERNAL', `deployment '${name}' has no routes`);
    return { name, version: deployed.version, ...(await this.#graph.describe(route)) };
  }

  /**
   * Loads the models and the code of all routes, so that the first request is as quick as the next. Rejects with what stands in the way, and
   * with UNAVAILABLE when that takes longer than `withinMs`: loading goes on. @default withinMs as long as it takes
   */
  async warm(name: string, versionMin = 1, withinMs?: number): Promise<void> {
    const deployed = await this.#catalog.find(name, versionMin);
    const loaded = this.#load(deployed).then(() => undefined);
    if (withinMs === undefined) return await loaded;
    const late = await this.#within(withinMs, loaded, () => this.#loadingOf(deployed));
    if (late !== undefined) throw new MillraceError('UNAVAILABLE', `${late}: ask again`);
  }

  /**
   * Probes the whole way of a request: the version is served, its models run, and each partition that this process reads answers. What
   * does not hold is said of each.
   */
  async readiness(name: string, version: number): Promise<readonly Check[]> {
    const served = this.#catalog.known(name, version) ?? this.#catalog.find(name, version);
    const [runs, reads] = await Promise.all([
      this.#within(
        readinessMsMax,
        Promise.resolve(served)
          .then(({ document }) => Promise.all(document.routes.map((route) => this.#graph.probe(route))))
          .then(
            () => null,
            (error: unknown) => messageOf(error),
          ),
        () => `${this.#loadingOf(this.#catalog.known(name, version))}: ask again`,
      ),
      this.#probes.check(),
    ]);
    const { held } = this.#probes;
    const serving = this.#catalog.known(name)?.version;
    const behind = serving === undefined || serving >= version;
    return [
      {
        check: 'models and code are loaded and answer a probe',
        problem: runs === null || behind ? runs : `${runs}; version ${serving} goes on answering`,
      },
      {
        check: `requests of ${this.#probes.partitions} partitions are read and answered by this process${held === '' ? '' : ` (some wait for the limits of ${held})`}`,
        problem: reads.length === 0 ? null : reads.join(', '),
      },
    ];
  }

  deployments(): readonly { readonly name: string; readonly version: number }[] {
    return this.#catalog.all().map(({ name, version }) => ({ name, version }));
  }

  /** Deployments, and whether their models are in memory; those that are not are loaded by the next request. */
  repository(): readonly RepositoryEntry[] {
    return this.#catalog.all().map(({ name, version, document }) => {
      const states = modelHashes(document).map((hash) => this.#sessions.state(hash));
      const next = this.#catalog.waiting(name);
      const refused =
        states.find((state) => state.refused !== undefined)?.refused ??
        (next && `version ${next.version}: ${next.problem}`);
      return { name, version, loaded: states.every(({ loaded }) => loaded), ...(refused && { reason: refused }) };
    });
  }

  /** Gives the memory of a deployment's models back, but for those of other deployments. NOT_FOUND when there is none. */
  async unload(name: string): Promise<void> {
    const { document } = await this.#catalog.find(name);
    const others = new Set(
      this.#catalog.all().flatMap((other) => (other.name === name ? [] : modelHashes(other.document))),
    );
    for (const hash of modelHashes(document)) if (!others.has(hash)) this.#sessions.unload(hash);
  }

  /** For metrics. */
  stats(): ServerStats {
    return {
      inFlight: this.#inFlight,
      queues: [...this.#sessions.sessions()],
      limited: [...this.#predictor.limitCounts()],
      loadedModels: this.#sessions.size,
      loadedModelBytes: this.#sessions.sizeBytes,
      modelBytesMax: this.#modelBytesMax,
      cache: this.#sessions.counts,
    };
  }

  async close(): Promise<void> {
    await this.#shadows.close();
    await this.#catalog.close();
    await Promise.all([this.#sessions.close(), this.#code.close()]);
  }

  /** Loading goes on: an environment in Python takes minutes to build. */
  async #within<T>(timeMs: number, work: Promise<T>, otherwise: () => T): Promise<T> {
    let stop = (): void => undefined;
    const late = new Promise<T>((resolve) => {
      stop = this.#runtime.parts.clock.after(timeMs, () => resolve(otherwise()));
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      stop();
    }
  }

  #loadingOf(deployed: DeployedVersion | undefined): string {
    for (const route of deployed?.document.routes ?? []) {
      const loading = this.#graph.loading(route);
      if (loading !== undefined) return loading;
    }
    return 'its models are still loading, or do not answer';
  }

  async #load({ document }: DeployedVersion): Promise<void> {
    await Promise.all(document.routes.map((route) => this.#graph.warm(route)));
  }

  /** Tensors of a content type that the model's signature decides. */
  async #fit({ deployment }: OpenInferRequest, { inputs, pending }: ParsedRequest): Promise<readonly Tensor[]> {
    if (pending === undefined) return inputs;
    return fitContent(inputs, pending, (await this.describe(deployment)).signature);
  }

  #request(request: InferRequest): PredictionRequest {
    const { clock } = this.#runtime.parts;
    const { deployment, inputs, clientId = null, source = 'http', versionMin = 1, deadlineMs, eventTimeMs } = request;
    this.#requests += 1;
    const unique = `${this.#incarnation}${this.#requests.toString(16).padStart(12, '0')}`;
    const eventInputs = inputs.map(eventOfTensor);
    return identify(
      {
        deployment,
        // A repeat must find its way to the same entity.
        entity: request.entity ?? clientId ?? `http-${unique}`,
        clientId,
        clientSource: source,
        unique: ['http', unique],
        source: null,
        receivedAt: clock.now(),
        partitions: this.#runtime.partitions('predictions'),
      },
      {
        inputs,
        eventInputs,
        inputDigest: inputDigest(eventInputs),
        deadlineMs,
        timeoutMs: undefined,
        eventTimeMs,
        versionMin,
        outputNames: request.outputNames,
        pinned: pinnedRoute(request.route),
        cancelled: request.cancelled,
        stopped: undefined,
      },
    );
  }
}

/** The request with what its body says; what came in headers is checked here. */
function readRequest(
  request: OpenInferRequest,
  { id, outputs, parameters }: ParsedRequest,
  inputs: readonly Tensor[],
): InferRequest {
  return {
    deployment: request.deployment,
    inputs,
    entity: request.entity,
    clientId: id === undefined || id === '' ? request.clientId : id,
    source: request.source,
    outputNames: outputs,
    deadlineMs: request.deadlineMs ?? parseDeadline(request.deadline),
    eventTimeMs: parseEventTime(parameters?.['event_time'], request.eventTime),
    versionMin: parseVersionMin(request.versionMin),
    route: request.route,
    cancelled: request.cancelled,
  };
}

/** How long whoever asks for the state of a deployment waits. */
const readinessMsMax = 8_000;

function refusedBy({ code, details }: MillraceError): RefusedBy {
  if (code === 'RATE_LIMITED') return 'rate';
  return details['deployment'] === undefined ? 'queue' : 'concurrency';
}

function modelHashes({ routes }: DeploymentDocument): readonly string[] {
  return routes.flatMap(modelsOfRoute).map(({ model }) => model.artifactHash);
}
