/**
 * Mirrors requests to shadow routes, behind the answer and in nobody's way: at most so many at once, each with a time limit, and whatever
 * becomes of them is one event. What a crash interrupts is lost: a shadow says something about a model, not about a request.
 */
import type { Logger } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { type Clock, MillraceError, messageOf } from '../../runtime/ports/index.ts';
import { type DeploymentRoute, modelsOfRoute } from '../../schemas/deployment-document.ts';
import type { ShadowAnswered } from '../../schemas/events.ts';
import { defaultShadow, isMirrored, type ShadowSettings } from '../../schemas/traffic.ts';
import { differencesOf } from './compare-answers.ts';
import type { ObserveShadow } from './model-server-metrics.ts';
import type { Outcome, Place } from './outcomes.ts';
import type { PredictionRequest } from './prediction-request.ts';
import type { Completed } from './predictor.ts';

export interface ShadowParts {
  /** Rejects when there is no answer. */
  readonly answer: (request: PredictionRequest, place: Place) => Promise<Outcome>;
  readonly publish: (output: IdentifiedOutput) => Promise<void>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly observe: ObserveShadow | undefined;
}

/** The answer that was given, and by which route. */
interface Given {
  readonly answer: Completed;
  readonly place: Place;
}

/** Mirrored requests under way in this process; more are dropped. */
const underWayMax = 200;

export class Shadows {
  readonly #parts: ShadowParts;
  readonly #underWay = new Set<Promise<void>>();

  constructor(parts: ShadowParts) {
    this.#parts = parts;
  }

  /** Returns at once; never throws. */
  mirror(request: PredictionRequest, answer: Completed, place: Place): void {
    const given = { answer, place };
    const { document, mirrored } = place.deployed;
    for (const route of document.routes) {
      const inRollout = mirrored?.route === route.name && place.route.name !== route.name;
      const shadow = route.shadow ?? (inRollout ? { ...defaultShadow, percent: mirrored.percent } : undefined);
      if (shadow === undefined || !isMirrored(request.predictionId, route.name, shadow.percent)) continue;
      if (this.#underWay.size >= underWayMax) {
        const dropped = `${underWayMax} mirrored requests are under way, the most allowed`;
        this.#say(request, given, route, { outcome: 'dropped', code: 'UNAVAILABLE', message: dropped });
        continue;
      }
      const task = this.#ask(request, given, route, shadow).finally(() => this.#underWay.delete(task));
      this.#underWay.add(task);
    }
  }

  /** Waits for what is under way; each has its time limit. */
  async close(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #ask(
    request: PredictionRequest,
    given: Given,
    route: DeploymentRoute,
    { timeoutMs }: ShadowSettings,
  ): Promise<void> {
    // Behind the answer that is given.
    await new Promise((resolve) => setImmediate(resolve));
    const { answer, clock } = this.#parts;
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(timeoutMs, () => reject(new MillraceError('TIMEOUT', `no answer within ${timeoutMs} ms`)));
    });
    try {
      const place = { ...given.place, route };
      const outcome = await Promise.race([
        answer({ ...request, deadlineMs: undefined, outputNames: undefined }, place),
        late,
      ]);
      if (outcome.type !== 'completed') throw new MillraceError('INTERNAL', `the route ended as ${outcome.type}`);
      const { outputs, rows, queueMs, runMs, model, modelVersion, artifactHash } = outcome.data;
      const differences = differencesOf(given.answer.data.outputs, outputs);
      this.#say(request, given, route, {
        outcome: differences.length === 0 ? 'agreed' : 'differed',
        ...{ model, modelVersion, artifactHash, outputs, rows, differences, queueMs, runMs },
      });
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'INTERNAL';
      const outcome = code === 'TIMEOUT' ? 'timeout' : 'failed';
      this.#say(request, given, route, { outcome, code, message: messageOf(error).slice(0, 2_000) });
    } finally {
      cancel();
    }
  }

  #say(
    { predictionId, entity, partition }: PredictionRequest,
    given: Given,
    route: DeploymentRoute,
    what: Partial<ShadowAnswered>,
  ): void {
    const { observe, publish, logger } = this.#parts;
    const model = modelsOfRoute(route)[0]?.model;
    const { steered, output, reward, rewardFunction } = given.place.deployed.terms;
    const data: ShadowAnswered = {
      predictionId,
      entity,
      deployment: given.place.deployed.name,
      deploymentVersion: given.place.deployed.version,
      route: given.place.route.name,
      shadow: route.name,
      model: model?.model ?? '',
      modelVersion: model?.modelVersion ?? 0,
      artifactHash: model?.artifactHash ?? '',
      outcome: 'failed',
      code: '',
      message: '',
      outputs: [],
      differences: [],
      queueMs: 0,
      runMs: 0,
      steered,
      rows: 0,
      output,
      // Evidence for whoever decides weights: without that, nobody asks.
      reward: steered ? reward : '',
      rewardFunction: steered ? rewardFunction : '',
      ...what,
    };
    observe?.(data);
    const id = `${predictionId}-shadow-${route.name}`;
    publish({ topic: 'predictions', type: 'shadow-answered', data, key: entity, partition, id }).catch(
      (error: unknown) =>
        logger.warn({ predictionId, shadow: route.name, error }, 'the answer of a shadow was not recorded'),
    );
  }
}
