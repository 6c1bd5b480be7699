/**
 * The typed client of a gateway.
 *
 * @example
 * const millrace = connect({ url: 'http://127.0.0.1:7400' });
 * await millrace.trigger('diamonds-arrived', { path: 'today.csv' });
 * const { predictionId } = await millrace.predict('diamonds', { rows: [[0.3, 61.5, 55]] }, { entity: 'stone-7' });
 * await millrace.feedback({ predictionId, truth: 326 });
 * const subscription = millrace.subscribe('drift', ({ type, data }) => console.log(type, data), { deployment: 'diamonds' });
 */
import type { DeploymentStatus, DeploymentVersion } from '../../schemas/api/deployments.ts';
import type { HypotheticalOutcome, TriggerExplanation } from '../../schemas/api/flows.ts';
import type { ShownPrediction, SubmittedPrediction } from '../../schemas/api/predictions.ts';
import type { CollectionOptions, CollectionReport } from '../../schemas/api/collection.ts';
import type { EndOfLines, RunPage, RunSummary, ShownCheckpoint, ShownRun, StepLine } from '../../schemas/api/runs.ts';
import type { FeatureStatistics, StatisticsSearch } from '../../schemas/api/feature-statistics.ts';
import type { CountedTraffic, LoggedRequest, RequestPage } from '../../schemas/api/request-log.ts';
import type { PredictionReplay } from '../../schemas/api/prediction-replay.ts';
import type { QualitySearch, QualityWindow, RewardFailures } from '../../schemas/api/quality.ts';
import type { TaskWork } from '../../runtime/ports/task-executor.ts';
import type { ModelVersionRow } from '../../schemas/events.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { type BundledDeployment, withBundle } from '../deployment/bundled-code.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { DeploymentSpec } from '../deployment/deployment-spec.ts';
import { AttributionCalls } from './attributions.ts';
import { AuditCalls } from './audit.ts';
import { type ConnectOptions, HttpCaller, path, query, timeText } from './http-caller.ts';
import { DriftCalls } from './drift.ts';
import { MaintenanceCalls } from './maintenance.ts';
import { ProductionCalls, type ResumedRun } from './production.ts';
import { type PredictInput, type PredictOptions, type Prediction, Predictions } from './predictions.ts';
import type { RequestFilter } from './request-filter.ts';
import { RoutingCalls } from './routing.ts';
import {
  type CardChoice,
  type CardSummary,
  followRun,
  readCard,
  type LineFilter,
  readLines,
  withBytes,
} from './run-output.ts';
import { WebhookCalls } from './webhooks.ts';
import { type DataArtifact, Flow, PastRuns, type Run } from './past-runs.ts';
import type { ArtifactFilter, RunFilter, TaskFilter } from './run-filter.ts';
import { RegistryCalls } from './registry.ts';
import { type ModelCard, modelCard } from './model-card.ts';
import { type RunUses, usesOfRun } from './run-uses.ts';
import { TrackingCalls } from './tracking.ts';
import { subscribe, type SubscribeOptions, type Subscription, type TopicEvent } from './subscription.ts';

/** Nothing is sent before the first call. */
export function connect(options: ConnectOptions = {}): Client {
  return new Client(new HttpCaller(options), options.namespace ?? null);
}

/** A repeat with the same key gets the stored answer. */
export interface MutationOptions {
  readonly idempotencyKey?: string | undefined;
}

/** One value, or of a prediction of several rows one per row; null: nothing is said of that row. */
export type PerRow<T> = T | readonly (T | null)[];

export interface Feedback {
  readonly predictionId: string;
  /** What the number should have been. */
  readonly truth?: PerRow<number> | undefined;
  /** What the class should have been. */
  readonly label?: PerRow<string> | undefined;
  /** Larger is better. */
  readonly reward?: PerRow<number> | undefined;
  /** The one row of several that it is about, from 0; not with lists. */
  readonly row?: number | undefined;
  /** A repeat with the same id counts once. */
  readonly id?: string | undefined;
}

/** Which windows of feature statistics are wanted; times are milliseconds since the epoch, or ISO 8601. */
export interface StatisticsFilter extends Omit<StatisticsSearch, 'since' | 'until'> {
  /** @default a day ago */
  readonly since?: number | string | Date | undefined;
  readonly until?: number | string | Date | undefined;
}

export interface DeployedVersion {
  readonly deployment: string;
  readonly version: number;
  /** Whether its models are loaded; absent when the gateway runs no model server. */
  readonly ready?: boolean;
  /** Why it is not ready. */
  readonly reason?: string;
}

export interface ShownDeployment {
  readonly deployment: string;
  readonly version: number;
  readonly actor: string;
  readonly appliedAt: number;
  readonly document: DeploymentDocument;
}

export class Client {
  readonly #caller: HttpCaller;
  readonly #predictions: Predictions;
  readonly #past: PastRuns;
  /** Why predictions came out as they did: compute, list. */
  readonly attributions: AttributionCalls;
  /** Verification, entries, seals and redaction. */
  readonly audit: AuditCalls;
  /** Findings, operations, dead letters and tasks. */
  readonly maintenance: MaintenanceCalls;
  /** Drift findings: show, replay. */
  readonly drift: DriftCalls;
  /** Deployed flows: list, show, start, pause, resume, terminate, remove, backfill, history. */
  readonly production: ProductionCalls;
  /** Experiments and tracked runs: search, show, metric history, files. */
  readonly tracking: TrackingCalls;
  /** Models and versions beyond {@link models}: made, described, tagged, staged, searched, deleted. */
  readonly registry: RegistryCalls;
  /** Weights of routes, rollouts, and why a prediction took its route. */
  readonly routing: RoutingCalls;

  /** Signed requests for events of a topic. */
  readonly webhooks: WebhookCalls;

  constructor(caller: HttpCaller, namespace: string | null = null) {
    this.#caller = caller;
    this.#past = new PastRuns(caller, namespace);
    this.production = new ProductionCalls(caller);
    this.routing = new RoutingCalls(caller);
    this.#predictions = new Predictions(caller);
    this.attributions = new AttributionCalls(caller);
    this.audit = new AuditCalls(caller);
    this.maintenance = new MaintenanceCalls(caller);
    this.drift = new DriftCalls(caller);
    this.webhooks = new WebhookCalls(caller);
    this.tracking = new TrackingCalls(caller);
    this.registry = new RegistryCalls(caller);
  }

  /** Publishes a trigger; flows that wait for its name start. A repeat with the same id starts nothing. */
  async trigger(
    name: string,
    payload: object = {},
    options: { readonly id?: string } = {},
  ): Promise<{ triggerId: string }> {
    return (await this.#post('/api/v1/triggers', { name, payload, ...options })) as { triggerId: string };
  }

  /** What a trigger would do, without sending it; waiting events are looked at, limits on open runs are not. */
  async tryTrigger(name: string, payload: object = {}): Promise<readonly HypotheticalOutcome[]> {
    const answer = await this.#post('/api/v1/triggers/dry-run', { name, payload });
    return (answer as { outcomes: HypotheticalOutcome[] }).outcomes;
  }

  /** What became of an event, or of the end of a run, by its id: the triggers that were considered, and each outcome. */
  async explainTrigger(eventId: string): Promise<TriggerExplanation> {
    return (await this.#get(path`/api/v1/triggers/${eventId}`)) as TriggerExplanation;
  }

  /** Resolves once the prediction is on the log. */
  async predict(deployment: string, input: PredictInput, options: PredictOptions = {}): Promise<Prediction> {
    return await this.#predictions.predict(deployment, input, options);
  }

  /** Runs a prediction again on the recorded model and inputs, and compares the bytes. Nothing is published. */
  async replayPrediction(predictionId: string): Promise<PredictionReplay> {
    return (await this.#get(path`/api/v1/predictions/${predictionId}/replay`)) as PredictionReplay;
  }

  /** Quality metrics from feedback: the newest windows of each series, newest first. */
  async quality({ deployment, ...filter }: QualitySearch): Promise<readonly QualityWindow[]> {
    const answer = await this.#get(path`/api/v1/deployments/${deployment}/quality` + query(filter));
    return (answer as { windows: readonly QualityWindow[] }).windows;
  }

  /** How the values of features and outputs lay over time: counts, moments, quantiles, categories, and the rate of requests. */
  async featureStatistics({ deployment, since, until, ...filter }: StatisticsFilter): Promise<FeatureStatistics> {
    const times = { since: timeText(since), until: timeText(until) };
    const answer = await this.#get(path`/api/v1/deployments/${deployment}/features` + query({ ...filter, ...times }));
    return answer as FeatureStatistics;
  }

  /** How many predictions a deployment made, by version and route, and how many failed by which code. */
  async traffic(deployment: string): Promise<readonly CountedTraffic[]> {
    const answer = await this.#get(path`/api/v1/deployments/${deployment}/traffic`);
    return (answer as { traffic: readonly CountedTraffic[] }).traffic;
  }

  /** What became of rewards that the function of a deployment did not make: by code, with the newest reason. */
  async rewardFailures(deployment: string): Promise<readonly RewardFailures[]> {
    const answer = await this.#get(path`/api/v1/deployments/${deployment}/reward-failures`);
    return (answer as { failures: readonly RewardFailures[] }).failures;
  }

  /** Hands a request in and waits for nothing: the id is what `prediction` is asked with. */
  async submit(deployment: string, input: PredictInput, options: PredictOptions = {}): Promise<SubmittedPrediction> {
    return await this.#predictions.submit(deployment, input, options);
  }

  /** Where a prediction stands, by the id that `submit` gave, or of any prediction; its answer as long as the log has it. */
  async prediction(id: string): Promise<ShownPrediction> {
    return await this.#predictions.show(id);
  }

  /** The request log: a page of the predictions that have all that the filter says, newest first. */
  async predictions(filter: RequestFilter = {}): Promise<RequestPage> {
    return await this.#predictions.page(filter);
  }

  /** The request log, read page by page. */
  allPredictions(filter: RequestFilter = {}): AsyncGenerator<LoggedRequest> {
    return this.#predictions.all(filter);
  }

  async feedback(feedback: Feedback): Promise<{ feedbackId: string }> {
    return (await this.#post('/api/v1/feedback', feedback)) as { feedbackId: string };
  }

  /**
   * Deploys what `sdk/deployment` builds, its plain form, YAML, or a deployment with the bundle of its code. Resolves once the version is
   * on the table.
   */
  async deploy(
    what: Deployment<string> | DeploymentSpec | BundledDeployment | string,
    options: MutationOptions = {},
  ): Promise<DeployedVersion> {
    const bundled = typeof what === 'object' && 'code' in what;
    const deployment = bundled ? withBundle(what.spec, await this.#upload(what.code)) : what;
    const contentType = typeof deployment === 'string' ? 'application/yaml' : 'application/json';
    return (await this.#post('/api/v1/deployments', deployment, options, contentType)) as DeployedVersion;
  }

  /** Facts of a topic, as they happen. */
  subscribe<T extends EventTopic>(
    topic: T,
    handler: (event: TopicEvent<T>) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Subscription {
    return subscribe<T>(this.#caller, path`/api/v1/topics/${topic}/events`, handler, options);
  }

  /** The causal chain of whatever the id names: a prediction, run, artifact, `model/version`, deployment, finding, … */
  async explain(id: string): Promise<unknown> {
    return await this.#get(`/api/v1/explanations${query({ id })}`);
  }

  readonly deployments = {
    list: async (): Promise<readonly ShownDeployment[]> =>
      ((await this.#get('/api/v1/deployments')) as { deployments: ShownDeployment[] }).deployments,
    show: async (deployment: string): Promise<ShownDeployment> =>
      (await this.#get(path`/api/v1/deployments/${deployment}`)) as ShownDeployment,
    /** Whether the process behind the gateway can answer for it, and what stands in the way. */
    status: async (deployment: string): Promise<DeploymentStatus> =>
      (await this.#get(path`/api/v1/deployments/${deployment}/status`)) as DeploymentStatus,
    /** Every version that was applied, newest first: a version was in force from its `appliedAt` to that of the next. */
    history: async (
      deployment: string,
      options: { /** Only the version that was in force then, with its weights. */ readonly at?: Date | string } = {},
    ): Promise<readonly DeploymentVersion[]> => {
      const at = options.at instanceof Date ? options.at.toISOString() : options.at;
      const answer = await this.#get(`${path`/api/v1/deployments/${deployment}/history`}${query({ at })}`);
      return (answer as { versions: DeploymentVersion[] }).versions;
    },
    /** Applies the document of an earlier version as a new version. @param version default: the one before the current */
    rollback: async (
      deployment: string,
      version?: number,
      options: MutationOptions = {},
    ): Promise<DeployedVersion & { readonly restored: number }> =>
      (await this.#post(
        path`/api/v1/deployments/${deployment}/rollback`,
        version === undefined ? {} : { version },
        options,
      )) as DeployedVersion & { restored: number },
    remove: async (deployment: string, options: MutationOptions = {}): Promise<void> => {
      await this.#caller.call({
        method: 'DELETE',
        path: path`/api/v1/deployments/${deployment}`,
        headers: { 'idempotency-key': options.idempotencyKey },
      });
    },
  };

  readonly models = {
    list: async (): Promise<readonly ModelSummary[]> =>
      ((await this.#get('/api/v1/models')) as { models: ModelSummary[] }).models,
    show: async (model: string): Promise<ShownModel> => (await this.#get(path`/api/v1/models/${model}`)) as ShownModel,
    /** All that is known of a version. @param which its number, or an alias */
    card: async (model: string, which: number | string): Promise<ModelCard> => await modelCard(this, model, which),
    setAlias: async (model: string, alias: string, version: number, options: MutationOptions = {}): Promise<void> => {
      await this.#caller.call({
        method: 'PUT',
        path: path`/api/v1/models/${model}/aliases/${alias}`,
        body: { version },
        headers: { 'idempotency-key': options.idempotencyKey },
      });
    },
  };

  readonly flows = {
    /** Stores the bundle and makes it the flow's current version. */
    deploy: async (flow: BundledFlow, options: FlowDeployOptions = {}): Promise<DeployedFlow> => {
      const bundleHash = await this.#upload(flow.code);
      const { name, graph, triggers, policy = {} } = flow;
      const { idempotencyKey, ...where } = options;
      const body = { flow: name, bundleHash, graph, triggers, policy, ...where };
      return (await this.#post('/api/v1/flows', body, { idempotencyKey })) as DeployedFlow;
    },
    /** Runs a bundle once, without deploying it. */
    run: async (
      flow: BundledFlow,
      parameters: object = {},
      { tags = [] }: { readonly tags?: readonly string[] } = {},
    ): Promise<{ runId: string }> => {
      const bundleHash = await this.#upload(flow.code);
      const body = { flow: flow.name, bundleHash, graph: flow.graph, parameters, tags };
      return (await this.#post('/api/v1/runs', body)) as { runId: string };
    },
  };

  readonly runs = {
    /** The first page, newest first. */
    list: async (filter: RunFilter = {}): Promise<readonly RunSummary[]> => (await this.#past.page(filter)).runs,
    /** A page; `next` is the cursor of the next one, null on the last. */
    page: async (filter: RunFilter = {}): Promise<RunPage> => await this.#past.page(filter),
    /** All of them, newest first, read page by page. */
    all: (filter: RunFilter = {}): AsyncGenerator<Run> => this.#past.all(filter),
    /** Changes user tags: removes, then adds. Answers all that the run has then. */
    tag: async (runId: string, change: { add?: readonly string[]; remove?: readonly string[] }) =>
      await this.#past.tag(runId, change),
    /** With the tasks that are wanted: one page when `limit` says how many, else all of them. */
    show: async (runId: string, filter: TaskFilter = {}): Promise<ShownRun> => await this.#past.show(runId, filter),
    /** Goes on where a run stopped: what ended well is taken over by reference, the rest runs. */
    resume: async (runId: string, options: ResumeOptions = {}): Promise<ResumedRun> => {
      const { flow, idempotencyKey, ...rest } = options;
      const code = flow === undefined ? {} : { bundleHash: await this.#upload(flow.code), graph: flow.graph };
      const body = { ...rest, ...code };
      return (await this.#post(path`/api/v1/runs/${runId}/resume`, body, { idempotencyKey })) as ResumedRun;
    },
    /** Model versions that it registered, the deployments that use them now, and how those do. */
    uses: async (runId: string): Promise<RunUses> => await usesOfRun(this, runId),
    cancel: async (runId: string, reason = ''): Promise<void> => {
      await this.#post(path`/api/v1/runs/${runId}/cancel`, { reason });
    },
    /** What becomes of a run and its tasks, from its beginning on. */
    follow: (
      runId: string,
      handler: (event: TopicEvent<'runs'>) => void | Promise<void>,
      options: Pick<SubscribeOptions, 'onBroken' | 'retryMsMax'> = {},
    ): Subscription => followRun(this.#caller, runId, handler, options),
    /** Lines that its steps wrote: both streams, every attempt, in order. */
    logs: (runId: string, filter: LineFilter = {}): AsyncGenerator<StepLine> =>
      readLines(this.#caller, runId, filter, false) as AsyncGenerator<StepLine>,
    /** What its tasks could go on from, or have kept. */
    checkpoints: async (runId: string): Promise<readonly ShownCheckpoint[]> =>
      ((await this.#get(path`/api/v1/runs/${runId}/checkpoints`)) as { checkpoints: ShownCheckpoint[] }).checkpoints,
    /** What the last attempt of a task worked on, as its executor gets it. */
    work: async (runId: string, task: string): Promise<TaskWork> =>
      withBytes(await this.#get(path`/api/v1/runs/${runId}/tasks/${task}/work`)),
    /** Bytes of what that work names by hash. */
    workBlob: async (runId: string, task: string, hash: string): Promise<Uint8Array> =>
      await this.#caller.bytes({ method: 'GET', path: path`/api/v1/runs/${runId}/tasks/${task}/blobs/${hash}` }),
    cards: async (runId: string): Promise<readonly CardSummary[]> =>
      ((await this.#get(path`/api/v1/runs/${runId}/cards`)) as { cards: CardSummary[] }).cards,
    /** A card of a task or step, as one HTML page or as its document. */
    card: async (runId: string, task: string, choice: CardChoice = {}): Promise<string> =>
      await readCard(this.#caller, runId, task, choice),
    /** The same, with where the lines of an attempt end. */
    logsWithEnds: (runId: string, filter: LineFilter = {}): AsyncGenerator<StepLine | EndOfLines> =>
      readLines(this.#caller, runId, filter, true),
  };

  readonly files = {
    /** Stores content; the answer is the value of a parameter of type `file`. */
    upload: async (content: Uint8Array): Promise<{ readonly hash: string; readonly sizeBytes: number }> => {
      const headers = { 'content-type': 'application/octet-stream' };
      const answer = await this.#caller.call({ method: 'POST', path: '/api/v1/files', body: content, headers });
      return answer as { hash: string; sizeBytes: number };
    },
  };

  readonly artifacts = {
    /** A page of what tasks wrote: of one run by task and name, else newest first. */
    page: async (filter: ArtifactFilter = {}) => await this.#past.artifactPage(filter),
    /** All of them, or as many as `limit` says. */
    list: async (filter: ArtifactFilter): Promise<readonly DataArtifact[]> => await this.#past.artifacts(filter),
    bytes: async (hash: string): Promise<Uint8Array> => await this.#past.bytes(hash),
    /** Removes bytes that nothing names any more; with `dryRun` it only says which. */
    collect: async (wanted: CollectionOptions = {}): Promise<CollectionReport> =>
      (await this.#post('/api/v1/artifacts/collection', wanted)) as CollectionReport,
  };

  /** Past runs of a flow, as objects. */
  flow(name: string): Flow {
    return new Flow(this.#past, name);
  }

  /** A past run by its id, or by `flow/id`. */
  async run(pathspec: string): Promise<Run> {
    const parts = pathspec.split('/');
    return await this.#past.run(parts[1] ?? parts[0] ?? '');
  }

  async #upload(code: Uint8Array): Promise<string> {
    const headers = { 'content-type': 'application/javascript' };
    const answer = await this.#caller.call({ method: 'POST', path: '/api/v1/bundles', body: code, headers });
    return (answer as { hash: string }).hash;
  }

  async #get(url: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: url });
  }

  async #post(
    url: string,
    body: unknown,
    options: MutationOptions = {},
    contentType = 'application/json',
  ): Promise<unknown> {
    const headers = { 'content-type': contentType, 'idempotency-key': options.idempotencyKey };
    return await this.#caller.call({ method: 'POST', path: url, body, headers });
  }
}

/** What the bundler makes of a flow file. */
export interface BundledFlow {
  readonly name: string;
  /** One ES module. */
  readonly code: Uint8Array;
  readonly graph: object;
  readonly triggers: readonly object[];
  /** @default a flow without project and limits */
  readonly policy?: object;
}

export interface ResumeOptions extends MutationOptions {
  /** Step from which on everything runs again. @default what did not end well, and what follows it */
  readonly from?: string;
  /** Under the id of the run. @default false: a new run */
  readonly inPlace?: boolean;
  /** The run's own, or that of the flow's deployed version. @default 'origin' */
  readonly code?: 'origin' | 'deployed';
  /** Changed code. Outcomes are matched by the ids of tasks; parameters and configuration stay those of the run. */
  readonly flow?: BundledFlow;
  readonly tags?: readonly string[];
}

export interface FlowDeployOptions extends MutationOptions {
  /** Of a flow of a project: `test.<branch>`, or `prod.<branch>` in production. @default the user's own */
  readonly branch?: string;
  /** @default false */
  readonly production?: boolean;
  /** Production token of a flow that others deployed. */
  readonly authorize?: string;
  /** Begins a new namespace. @default false */
  readonly newToken?: boolean;
}

export interface DeployedFlow {
  /** The deployed name. */
  readonly flow: string;
  readonly version: number;
  readonly bundleHash: string;
  /** Production token: others deploy with it. */
  readonly token: string;
}

export interface ModelSummary {
  readonly model: string;
  readonly versions: number;
  readonly aliases: Readonly<Record<string, number>>;
}

export interface ShownModel {
  readonly model: string;
  readonly aliases: Readonly<Record<string, number>>;
  readonly versions: readonly ModelVersionRow[];
}
