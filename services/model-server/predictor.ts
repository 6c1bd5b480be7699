/** Answers requests: deployment, route, model, run. Requests by topic and by HTTP go through the same one. */
import { performance } from 'node:perf_hooks';
import { evaluateGraph, type GraphStep } from '../../runtime/inference-graph/evaluate.ts';
import { type Clock, MillraceError } from '../../runtime/ports/index.ts';
import type { GraphRoute, ModelRoute } from '../../schemas/deployment-document.ts';
import type { GraphStep as EventStep } from '../../schemas/events.ts';
import type { ModelPin } from '../../schemas/inference-graph.ts';
import { chooseRoute } from '../../schemas/traffic.ts';
import { AnswerCache } from './answer-cache.ts';
import type { DeployedVersion, DeploymentCatalog } from './deployment-catalog.ts';
import { abandoned, type MicroBatcher } from './micro-batcher.ts';
import type { ObserveOutcome } from './model-server-metrics.ts';
import { completed, conflicted, failed, type Outcome, type Place } from './outcomes.ts';
import type { PredictionRequest } from './prediction-request.ts';
import { RecentOutcomes } from './recent-outcomes.ts';
import type { ServerGraph } from './server-graph.ts';
import { acquireModel } from './model-lease.ts';
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
  #onAnswer: OnAnswer | undefined;

  constructor(parts: PredictorParts) {
    this.#parts = parts;
    this.#recent = new RecentOutcomes(parts.recentMax);
    this.#answers = new AnswerCache(parts.clock);
  }

  onAnswer(hear: OnAnswer): void {
    this.#onAnswer = hear;
  }

  /** The answer of a route, whatever the weights. Rejects when there is none. */
  answerWith(request: PredictionRequest, place: Place): Promise<Outcome> {
    return this.#answerAt(request, place, performance.now());
  }

  /** Never rejects: a failure is an outcome. */
  async predict(request: PredictionRequest): Promise<Outcome> {
    const outcome = await this.#answerOnce(request);
    this.#parts.observe?.(outcome);
    return outcome;
  }

  async #answerOnce(request: PredictionRequest): Promise<Outcome> {
    if (request.clientId === null) return await this.#answer(request);
    const first = this.#recent.get(request.predictionId);
    if (first === undefined) {
      const outcome = await this.#answer(request);
      if (outcome.type !== 'failed' || outcome.data.code !== 'UNAVAILABLE') {
        this.#recent.keep(request.predictionId, request.inputDigest, outcome);
      }
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
      const outcome = await this.#answerAt(request, place, started);
      if (outcome.type === 'completed') this.#onAnswer?.(request, outcome, place);
      return outcome;
    } catch (error) {
      return failed(request, error, place);
    }
  }

  #answerAt(request: PredictionRequest, place: Place, started: number): Promise<Outcome> {
    const { route } = place;
    const known = this.#answers.get(request, place);
    if (known !== undefined) {
      const queueMs = performance.now() - started;
      return Promise.resolve(completed(request, { ...place, ...known, queueMs, runMs: 0, cached: true }));
    }
    const answer =
      route.graph === undefined
        ? this.#run(request, place, route, started)
        : this.#evaluate(request, place, route, started);
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
    const lease = sessions.acquireLoaded(route.artifactHash) ?? (await acquireModel(sessions, route));
    try {
      const batcher = lease.session;
      const { signature } = batcher.model;
      const rows = checkInputs(request.inputs, signature);
      checkOutputs(request.outputNames, signature);
      const waitedMs = performance.now() - started;
      const run = await batcher.run(request.inputs, rows, request.cancelled);
      this.#checkDeadline(request);
      const { outputs, queueMs, runMs } = run;
      const answer = { rows, outputs, model: route, steps: noSteps };
      this.#answers.keep(request, place, answer);
      return completed(request, { ...place, ...answer, queueMs: queueMs + waitedMs, runMs });
    } finally {
      sessions.release(lease);
    }
  }

  async #evaluate(request: PredictionRequest, place: Place, route: GraphRoute, started: number): Promise<Outcome> {
    const { inputs, predictionId, entity } = request;
    if (request.cancelled?.() === true) throw abandoned();
    const begun = performance.now();
    const { outputs, rows, steps } = await evaluateGraph(
      route.graph,
      { inputs, predictionId, entity },
      this.#parts.graph,
    );
    const runMs = performance.now() - begun;
    this.#checkDeadline(request);
    checkOutputs(request.outputNames, {
      outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    });
    const model = steps.findLast((step) => step.model !== undefined)?.model ?? noModel;
    const answer = { rows, outputs, model, steps: steps.map(eventStep) };
    this.#answers.keep(request, place, answer);
    return completed(request, { ...place, ...answer, queueMs: begun - started, runMs });
  }

  #checkDeadline(request: PredictionRequest): void {
    const { deadlineMs } = request;
    if (deadlineMs !== undefined && this.#parts.clock.now() > deadlineMs) throw missed(request);
  }
}

function missed({ predictionId, deadlineMs = 0 }: PredictionRequest): MillraceError {
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
