/** Answers requests: deployment, route, model, run. Requests by topic and by HTTP go through the same one. */
import { performance } from 'node:perf_hooks';
import { evaluateGraph } from '../../runtime/inference-graph/evaluate.ts';
import type { GraphStep } from '../../runtime/inference-graph/graph-step.ts';
import { type Clock, type ErrorCode, errorCodes, MillraceError } from '../../runtime/ports/index.ts';
import type { GraphRoute, ModelRoute } from '../../schemas/deployment-document.ts';
import type { GraphStep as EventStep } from '../../schemas/events.ts';
import type { ModelPin } from '../../schemas/inference-graph.ts';
import { chooseRoute } from '../../schemas/traffic.ts';
import type { LimitSettings } from '../../schemas/serving-settings.ts';
import { AnswerCache } from './answer-cache.ts';
import type { DeployedVersion, DeploymentCatalog } from './deployment-catalog.ts';
import { isStopped, stoppedBy, streamedTerms } from './batch-stop.ts';
import { DeploymentLimits } from './deployment-limits.ts';
import { abandoned, type MicroBatcher, type RunTerms } from './micro-batcher.ts';
import type { ObserveOutcome } from './model-server-metrics.ts';
import { completed, conflicted, failed, type Outcome, type Place } from './outcomes.ts';
import { type PredictionRequest, tryOf } from './prediction-request.ts';
import { RecentOutcomes } from './recent-outcomes.ts';
import type { ServerGraph } from './server-graph.ts';
import { acquireModel, callLoadMs } from './model-lease.ts';
import type { SessionCache } from './session-cache.ts';
import { checkInputs, checkOutputs } from './signature-check.ts';

export interface PredictorParts {
  readonly catalog: DeploymentCatalog;
  readonly sessions: SessionCache<MicroBatcher>;
  readonly graph: ServerGraph;
  readonly clock: Clock;
  /** Outcomes kept for repeats of requests with a client's id. */
  readonly recentMax: number;
  readonly observe: ObserveOutcome | undefined;
}

/** Hears of every request that was answered, once. */
export type OnAnswer = (request: PredictionRequest, answer: Completed, place: Place) => void;
export type Completed = Extract<Outcome, { type: 'completed' }>;

export class Predictor {
  readonly #parts: PredictorParts;
  readonly #recent: RecentOutcomes;
  readonly #answers: AnswerCache;
  readonly #limits: DeploymentLimits;
  #onAnswer: OnAnswer | undefined;

  constructor(parts: PredictorParts) {
    this.#parts = parts;
    this.#recent = new RecentOutcomes(parts.recentMax);
    this.#answers = new AnswerCache(parts.clock);
    this.#limits = new DeploymentLimits(parts.clock, (name) => parts.catalog.known(name)?.document.limits);
  }

  onAnswer(hear: OnAnswer): void {
    this.#onAnswer = hear;
  }

  /** For metrics. */
  limitCounts(): ReturnType<DeploymentLimits['counts']> {
    return this.#limits.counts();
  }

  /** Whether requests by topic wait for the limits of a deployment. */
  holdsBack(deployment: string): boolean {
    return this.#limits.holdsBack(deployment);
  }

  /** The answer of a route, whatever the weights and the deployment's limits. Rejects when there is none. */
  answerWith(request: PredictionRequest, place: Place): Promise<Outcome> {
    return this.#answerAt(request, place, performance.now());
  }

  /** Never rejects: a failure is an outcome. */
  async predict(request: PredictionRequest): Promise<Outcome> {
    const outcome = await (request.clientId === null ? this.#answer(request) : this.#answerOnce(request));
    if (!isStopped(outcome)) this.#parts.observe?.(outcome);
    return outcome;
  }

  async #answerOnce(request: PredictionRequest): Promise<Outcome> {
    const first = this.#recent.get(request.predictionId);
    if (first === undefined) {
      const outcome = await this.#answer(request);
      // Whoever called may come again with the same id. A record is not sent again by itself: what came of it stays.
      if (outcome.type === 'failed' && request.source === null && isOfTheMoment(outcome.data.code))
        return failed(tryOf(request), outcome.error, outcome.place);
      if (!isStopped(outcome)) this.#recent.keep(request.predictionId, request.inputDigest, outcome);
      return outcome;
    }
    return first.inputDigest === request.inputDigest ? first.outcome : conflicted(request, first.inputDigest);
  }

  async #answer(request: PredictionRequest): Promise<Outcome> {
    const started = performance.now();
    let place: Place | undefined;
    try {
      this.#checkDeadline(request);
      const { catalog } = this.#parts;
      const { deployment, versionMin } = request;
      if (deployment === '') throw unnamedDeployment();
      const deployed = catalog.known(deployment, versionMin) ?? (await catalog.find(deployment, versionMin));
      place = placeOf(request, deployed);
      const { limits } = deployed.document;
      const outcome = await (limits === undefined
        ? this.#answerAt(request, place, started)
        : this.#answerWithin(limits, request, place, started));
      if (outcome.type === 'completed') this.#onAnswer?.(request, outcome, place);
      return outcome;
    } catch (error) {
      return failed(request, error, place);
    }
  }

  #answerWithin(limits: LimitSettings, request: PredictionRequest, place: Place, started: number): Promise<Outcome> {
    const { timeoutMs } = limits;
    const endsMs = timeoutMs === undefined ? undefined : this.#parts.clock.now() + timeoutMs;
    const { deadlineMs } = request;
    const sooner = endsMs !== undefined && (deadlineMs === undefined || endsMs < deadlineMs);
    const bounded = sooner ? { ...request, deadlineMs: endsMs, timeoutMs } : request;
    return this.#answerAt(bounded, place, started, limits);
  }

  #answerAt(request: PredictionRequest, place: Place, started: number, limits?: LimitSettings): Promise<Outcome> {
    const { route } = place;
    const known = this.#answers.get(request, place);
    if (known !== undefined) {
      const queueMs = performance.now() - started;
      return Promise.resolve(completed(request, place, { ...known, queueMs, runMs: 0, cached: true }));
    }
    const run = (): Promise<Outcome> =>
      route.graph === undefined
        ? this.#run(request, place, route, started)
        : this.#evaluate(request, place, route, started);
    const answer =
      limits === undefined
        ? run()
        : this.#limits.run(place, limits, { ...this.#terms(request), deadlineMs: request.deadlineMs }, run);
    return request.deadlineMs === undefined ? answer : this.#before(request.deadlineMs, request, answer);
  }

  /** A model that is slow, or on a server that is, does not keep anyone waiting past the deadline. */
  async #before(deadlineMs: number, request: PredictionRequest, answer: Promise<Outcome>): Promise<Outcome> {
    const { clock } = this.#parts;
    let stop = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      // Its own check comes first when both are due.
      stop = clock.after(Math.max(0, deadlineMs - clock.now()) + 1, () => reject(missed(request)));
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      stop();
    }
  }

  /** The way of a route that is one model: nothing between the request and its batch. */
  async #run(request: PredictionRequest, place: Place, route: ModelRoute, started: number): Promise<Outcome> {
    const { sessions } = this.#parts;
    const lease =
      sessions.acquireLoaded(route.artifactHash) ??
      (await acquireModel(sessions, route, request.stopped === undefined ? callLoadMs : undefined));
    try {
      const batcher = lease.session;
      const { signature } = batcher.model;
      const rows = checkInputs(request.inputs, signature);
      checkOutputs(request.outputNames, signature);
      const waitedMs = performance.now() - started;
      const run = await batcher.run(request.inputs, rows, this.#terms(request));
      this.#checkDeadline(request);
      const { outputs, queueMs, runMs } = run;
      const answer = { rows, outputs, model: route, steps: noSteps, queueMs: queueMs + waitedMs, runMs };
      this.#answers.keep(request, place, answer);
      return completed(request, place, answer);
    } finally {
      sessions.release(lease);
    }
  }

  async #evaluate(request: PredictionRequest, place: Place, route: GraphRoute, started: number): Promise<Outcome> {
    const { inputs, predictionId, entity } = request;
    const terms = this.#terms(request);
    const refusal = terms.waits === true ? undefined : this.#parts.graph.refusal(route);
    const reason = terms.gone?.() ?? refusal;
    if (reason !== undefined) throw reason;
    const begun = performance.now();
    const { outputs, rows, steps, leftOut } = await evaluateGraph(
      route.graph,
      { inputs, predictionId, entity },
      this.#parts.graph.services({ ...terms, admitted: true }),
      { clock: this.#parts.clock },
    );
    const runMs = performance.now() - begun;
    this.#checkDeadline(request);
    checkOutputs(request.outputNames, {
      outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    });
    const model = steps.findLast((step) => step.model !== undefined)?.model ?? noModel;
    const answer = { rows, outputs, model, steps: steps.map(eventStep), leftOut, queueMs: begun - started, runMs };
    // The next request with these inputs may get the whole answer.
    if (leftOut.length === 0) this.#answers.keep(request, place, answer);
    return completed(request, place, answer);
  }

  /** What came by topic waits in front of a full queue, and its partition with it; whoever calls is told to come again. */
  #terms(request: PredictionRequest): RunTerms {
    const { cancelled, deadlineMs, stopped } = request;
    if (cancelled === undefined && deadlineMs === undefined)
      return stopped === undefined ? calling : streamedTerms(stopped);
    const waits = stopped !== undefined;
    const gone = (): MillraceError | undefined => {
      if (stopped?.aborted === true) return stoppedBy(stopped);
      if (cancelled?.() === true) return abandoned();
      return deadlineMs !== undefined && this.#parts.clock.now() > deadlineMs ? missed(request) : undefined;
    };
    return { waits, gone };
  }

  #checkDeadline(request: PredictionRequest): void {
    const { deadlineMs } = request;
    if (deadlineMs !== undefined && this.#parts.clock.now() > deadlineMs) throw missed(request);
  }
}

/** What may go better the next time: a repeat with the same client id is a try of its own. */
function isOfTheMoment(code: string): boolean {
  return code === 'CLOSED' || (Object.hasOwn(errorCodes, code) && errorCodes[code as ErrorCode].retryable);
}

const calling: RunTerms = { waits: false };

function missed({ predictionId, deadlineMs = 0, deployment, timeoutMs }: PredictionRequest): MillraceError {
  if (timeoutMs !== undefined)
    return new MillraceError(
      'TIMEOUT',
      `prediction ${predictionId} was not made within ${timeoutMs} ms, all that deployment '${deployment}' allows (limits.timeoutMs)`,
    );
  return new MillraceError(
    'TIMEOUT',
    `prediction ${predictionId} was not made before its deadline ${new Date(deadlineMs).toISOString()}`,
  );
}

export function unnamedDeployment(): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', 'the request names no deployment: set the header millrace-deployment');
}

const noSteps: readonly EventStep[] = [];
const noModel: ModelPin = { model: '', modelVersion: 0, artifactHash: '' };

function eventStep({ node, kind, model, rows, queueMs, runMs, chose }: GraphStep<ModelPin>): EventStep {
  const { model: name, modelVersion, artifactHash } = model ?? noModel;
  return { node, kind, rows, queueMs, runMs, model: name, modelVersion, artifactHash, chose };
}

function placeOf(request: PredictionRequest, deployed: DeployedVersion): Place {
  const { name, version, document, weights } = deployed;
  const choice = chooseRoute(request, weights, document.traffic?.by ?? 'prediction-id');
  const route = document.routes.find((known) => known.name === choice?.route);
  if (route !== undefined && choice !== undefined) return { deployed, route, routedBy: choice.by };
  throw new MillraceError('INTERNAL', `deployment '${name}' version ${version} has no route with a weight`);
}
