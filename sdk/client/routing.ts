import { type HttpCaller, path } from './http-caller.ts';

export interface RouteShare {
  readonly route: string;
  /** Share = weight / sum of weights. */
  readonly weight: number;
}

/** What is known of a route where its weight was decided. */
export interface RouteEvidenceShown {
  readonly route: string;
  readonly requests: number;
  readonly failures: number;
  /** At the quantile that the rollout judges; null: none. */
  readonly latencyMs: number | null;
  readonly rewards: number;
  readonly rewardSum: number;
  readonly rewardSquares: number;
}

export interface ShownRoutes {
  readonly deployment: string;
  readonly version: number;
  /** 0: those that the document begins with. */
  readonly weightsVersion: number;
  readonly weights: readonly RouteShare[];
  /** document, bandit or rollout. */
  readonly cause: string;
  readonly reason: string;
  readonly evidence: readonly RouteEvidenceShown[];
  readonly updatedAt: number | null;
  /** Mirrored requests by what came of them, newest version first. */
  readonly shadows: readonly {
    readonly version: number;
    readonly shadow: string;
    readonly outcome: string;
    readonly answers: number;
  }[];
}

export interface ShownRollout {
  readonly deployment: string;
  readonly version: number;
  readonly stable: string;
  readonly canary: string;
  /** running, paused, promoted or rolled-back. */
  readonly phase: string;
  readonly step: number;
  readonly steps: number;
  /** Share of the canary. */
  readonly percent: number;
  readonly sinceMs: number;
  /** Why it is where it is, or what it waits for. */
  readonly reason: string;
  readonly evidence: readonly RouteEvidenceShown[];
}

export type RolloutAction = 'advance' | 'promote' | 'rollback' | 'pause' | 'resume';

export interface RouteExplanation {
  readonly predictionId: string;
  readonly entity: string;
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly route: string;
  /** prediction-id, entity or header. */
  readonly routedBy: string;
  readonly weightsVersion: number;
  readonly weights: readonly RouteShare[];
  readonly cause: string;
  readonly reason: string;
  readonly evidence: readonly RouteEvidenceShown[];
  readonly decidedAt: number | null;
  readonly at: string | null;
  readonly checks: readonly { readonly check: string; readonly problem: string | null }[];
  readonly verified: boolean;
  readonly shadows: readonly {
    readonly shadow: string;
    readonly mirrored: boolean;
    readonly outcome: string | null;
    readonly message: string;
    readonly differences: readonly object[];
  }[];
}

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
