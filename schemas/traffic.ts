/**
 * How the routes of a deployment share its traffic: settings, the weights that a document begins with, and the choice of a route, which
 * anyone can compute again from what a prediction records.
 */
import { hash } from 'node:crypto';

export interface TrafficSettings {
  /** What is hashed against the weights: `entity` gives an entity the same route as long as the weights let it. */
  readonly by: 'prediction-id' | 'entity';
  /** Weights follow rewards; not together with `rollout`. */
  readonly bandit?: BanditSettings;
  /** Weights move from one route to another in steps; not together with `bandit`. */
  readonly rollout?: RolloutSettings;
}

export interface BanditSettings {
  /** Thompson sampling gives each route the probability that it is the best; epsilon-greedy gives the best all but epsilon. */
  readonly policy: 'thompson' | 'epsilon-greedy';
  /** `bernoulli`: rewards from 0 to 1; `gaussian`: any rewards. */
  readonly likelihood: 'bernoulli' | 'gaussian';
  /** Of epsilon-greedy: share of all other routes together. */
  readonly epsilon: number;
  /** Rewards between two versions of the weights. */
  readonly updateEvery: number;
  /** Rewards after which a reward counts half; absent: all count alike. */
  readonly halfLife?: number;
  /** Least share of a route, so that one that became better is noticed. */
  readonly minShare: number;
}

export interface RolloutSettings {
  /** Route that had the traffic before. */
  readonly stable: string;
  /** Route that is to get it. */
  readonly canary: string;
  /** In order; after the last one comes all of the traffic. */
  readonly steps: readonly RolloutStep[];
  readonly criteria: RolloutCriteria;
  /** `manual`: a step that is over waits for `advance`; criteria still take it back. */
  readonly promotion: 'automatic' | 'manual';
  /**
   * Alias by which the stable route names its model: after the last step the canary's version is to get it, by the rules of the registry,
   * and the deployment, which follows it, begins anew with both routes alike. Until then the shares stay as they are.
   * @default the canary's route gets all of the traffic
   */
  readonly alias?: string;
}

export interface RolloutStep {
  /** Share of the canary; 0 only at a step with `shadow`. */
  readonly percent: number;
  /** Share of the requests of which the canary gets copies, while nobody gets its answers; what feedback says of the
   * predictions they earn too. */
  readonly shadow?: number;
  /** Least requests that the canary has answered or failed at this step. */
  readonly minRequests: number;
  /** Least time at this step. */
  readonly durationMs: number;
}

/** Each one that is broken takes the rollout back. Those that rest on feedback also hold a step until there is enough of it. */
export interface RolloutCriteria {
  /** Most by which the canary's share of failures may be above that of the stable route. */
  readonly errorRate?: number;
  /** Largest latency (waiting and running) at a quantile. */
  readonly latency?: { readonly quantile: number; readonly maxMs: number };
  /** Least difference of mean rewards, canary minus stable. */
  readonly reward?: { readonly minDifference: number; readonly minRewards: number };
  /** Least share of right answers; for deployments whose feedback rule is `equal`. */
  readonly accuracy?: { readonly min: number; readonly minRewards: number };
  /** `true`: a drift alarm takes it back. */
  readonly drift?: boolean;
}

/** Mirrors requests to a route whose answers are recorded and compared, and never given. */
export interface ShadowSettings {
  /** Share of the requests. */
  readonly percent: number;
  /** Longest time of an answer. */
  readonly timeoutMs: number;
}

export const defaultShadow: ShadowSettings = { percent: 100, timeoutMs: 5_000 };

export interface RouteWeight {
  readonly route: string;
  readonly weight: number;
}

/** Routes as far as their share of the traffic is concerned. */
export interface SharedRoute {
  readonly name: string;
  readonly weight: number;
  readonly shadow?: ShadowSettings | undefined;
  /** Of a route that is a model. */
  readonly serves?: { readonly model: string; readonly version: number } | undefined;
}

/** Request ids of rollouts that ask the registry for an alias: with the deployment, its version, and that of the weights. */
export const promotionPrefix = 'promote/';

/** What the event `traffic-configured` carries as JSON. */
export interface SteeringSettings {
  readonly routes: readonly SharedRoute[];
  readonly traffic?: TrafficSettings | undefined;
}

/** Whether weights change without a new version of the document. */
export function isSteered({ traffic }: Pick<SteeringSettings, 'traffic'>): boolean {
  return traffic?.bandit !== undefined || traffic?.rollout !== undefined;
}

/** Routes that a bandit learns about. */
export function armsOf(routes: readonly SharedRoute[]): readonly string[] {
  return routes.filter(({ weight, shadow }) => weight > 0 && shadow === undefined).map(({ name }) => name);
}

/** Weights version 0: those of the document; with a bandit all alike; with a rollout all of the traffic on the stable route. */
export function initialWeights({ routes, traffic }: SteeringSettings): readonly RouteWeight[] {
  if (traffic?.rollout !== undefined) return rolloutWeights(routes, traffic.rollout, 0);
  return routes.map(({ name, weight, shadow }) => {
    if (shadow !== undefined) return { route: name, weight: 0 };
    return { route: name, weight: traffic?.bandit === undefined ? weight : Math.sign(weight) };
  });
}

export function rolloutWeights(
  routes: readonly SharedRoute[],
  { stable, canary }: Pick<RolloutSettings, 'stable' | 'canary'>,
  percent: number,
): readonly RouteWeight[] {
  return routes.map(({ name }) => ({
    route: name,
    weight: name === canary ? percent : name === stable ? 100 - percent : 0,
  }));
}

export interface RoutedRequest {
  readonly deployment: string;
  readonly predictionId: string;
  readonly entity: string;
  /** Route that the request names: the value of `x-seldon-route` or `millrace-route`. */
  readonly pinned?: string | undefined;
}

export interface RouteChoice {
  readonly route: string;
  /** What decided. */
  readonly by: 'prediction-id' | 'entity' | 'header';
}

/**
 * The route of a request. One that the request names is taken as long as it has traffic: after a roll-back its holders are shared out
 * anew, like everybody. undefined when no route has a weight.
 */
export function chooseRoute(
  request: RoutedRequest,
  weights: readonly RouteWeight[],
  by: TrafficSettings['by'],
): RouteChoice | undefined {
  const { pinned } = request;
  if (pinned !== undefined && weights.some(({ route, weight }) => route === pinned && weight > 0))
    return { route: pinned, by: 'header' };
  const [only] = weights;
  if (weights.length === 1 && only !== undefined && only.weight > 0) return { route: only.route, by };
  const chosen = by === 'entity' ? routeOfEntity(request, weights) : routeOf(request.predictionId, weights);
  return chosen === undefined ? undefined : { route: chosen.route, by };
}

/** `x-seldon-route` as Seldon writes it, `:name:`, or the plain name. Of several (`:a::b:`) the last. */
export function pinnedRoute(text: string | undefined): string | undefined {
  const name = text
    ?.split(':')
    .filter((part) => part !== '')
    .at(-1)
    ?.trim();
  return name === '' ? undefined : name;
}

/**
 * By a hash of the prediction id: its first 8 hex characters after the partition, as a fraction of 2^32, fall into the cumulative weights
 * in document order.
 */
export function routeOf<R extends { readonly weight: number }>(
  predictionId: string,
  routes: readonly R[],
): R | undefined {
  const total = routes.reduce((sum, route) => sum + route.weight, 0);
  let rest = (Number.parseInt(predictionId.slice(4, 12), 16) / 2 ** 32) * total;
  for (const route of routes) {
    rest -= route.weight;
    if (rest < 0) return route;
  }
  return routes.findLast((route) => route.weight > 0);
}

/**
 * Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): each route draws by the entity, the largest draw wins. When weights
 * change, entities move only to routes that gained or from routes that lost, and no more of them than the change is worth.
 */
function routeOfEntity(
  { deployment, entity }: RoutedRequest,
  weights: readonly RouteWeight[],
): RouteWeight | undefined {
  let best: RouteWeight | undefined;
  let bestScore = 0;
  for (const candidate of weights) {
    if (!(candidate.weight > 0)) continue;
    const score = -candidate.weight / Math.log(fraction('entity', deployment, entity, candidate.route));
    if (best === undefined || score > bestScore) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}

/** Whether a request is mirrored to a shadow route: by a hash of both. */
export function isMirrored(predictionId: string, route: string, percent: number): boolean {
  return fraction('shadow', predictionId, route) * 100 < percent;
}

/** Within (0, 1): 48 bits of a sha256. */
function fraction(...parts: readonly string[]): number {
  return (Number.parseInt(hash('sha256', parts.join('\u0000'), 'hex').slice(0, 12), 16) + 0.5) / 2 ** 48;
}
