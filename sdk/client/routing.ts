import type { RouteExplanation, ShownRollout, ShownRoutes } from '../../schemas/api/deployments.ts';
import { type HttpCaller, path } from './http-caller.ts';

export type RolloutAction = 'advance' | 'promote' | 'rollback' | 'pause' | 'resume';

/** Weights of routes, rollouts, and why a prediction took its route. */
export class RoutingCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  /** The weights in force and what justifies them. */
  async show(deployment: string): Promise<ShownRoutes> {
    return (await this.#caller.call({
      method: 'GET',
      path: path`/api/v1/deployments/${deployment}/routes`,
    })) as ShownRoutes;
  }

  /** NOT_FOUND when the deployment has none. */
  async rollout(deployment: string): Promise<ShownRollout> {
    return (await this.#caller.call({
      method: 'GET',
      path: path`/api/v1/deployments/${deployment}/rollout`,
    })) as ShownRollout;
  }

  /** `advance`: to the next step; `promote`: all of the traffic to the canary. Resolves once it is decided. */
  async move(
    deployment: string,
    action: RolloutAction,
    options: { readonly reason?: string | undefined; readonly idempotencyKey?: string | undefined } = {},
  ): Promise<ShownRollout> {
    const { reason, idempotencyKey } = options;
    return (await this.#caller.call({
      method: 'POST',
      path: path`/api/v1/deployments/${deployment}/rollout`,
      body: { action, ...(reason === undefined ? {} : { reason }) },
      headers: { 'idempotency-key': idempotencyKey },
    })) as ShownRollout;
  }

  /** The weights in force, what justified them, and both computed again. */
  async explain(predictionId: string): Promise<RouteExplanation> {
    return (await this.#caller.call({
      method: 'GET',
      path: path`/api/v1/predictions/${predictionId}/route`,
    })) as RouteExplanation;
  }
}
