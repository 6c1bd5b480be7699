/** Schema of how the traffic is shared, and what a schema cannot say about it. */
import { Type } from 'typebox';
import { armsOf, type SharedRoute, type TrafficSettings } from './traffic.ts';

const closed = { additionalProperties: false };
const count = Type.Integer({ minimum: 1, maximum: 1_000_000 });
const durationMs = Type.Integer({ minimum: 0, maximum: 366 * 86_400_000 });
const share = Type.Number({ minimum: 0, maximum: 1 });
const percent = Type.Number({ exclusiveMinimum: 0, maximum: 100 });
const routeName = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });

export const shadowSchema = Type.Object(
  { percent, timeoutMs: Type.Integer({ minimum: 1, maximum: 600_000, description: 'default 5000' }) },
  closed,
);

export const banditSchema = Type.Object(
  {
    policy: Type.Enum(['thompson', 'epsilon-greedy']),
    likelihood: Type.Enum(['bernoulli', 'gaussian']),
    epsilon: share,
    updateEvery: count,
    halfLife: Type.Optional(count),
    minShare: Type.Number({ minimum: 0, maximum: 0.5 }),
  },
  closed,
);

export const stepSchema = Type.Object(
  {
    percent: Type.Number({ minimum: 0, maximum: 100 }),
    shadow: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 100, description: 'share of mirrored requests' }),
    ),
    minRequests: Type.Integer({ minimum: 0, maximum: 1_000_000_000 }),
    durationMs,
  },
  closed,
);

export const criteriaSchema = Type.Object(
  {
    errorRate: Type.Optional(share),
    latency: Type.Optional(
      Type.Object(
        {
          quantile: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }),
          maxMs: Type.Number({ exclusiveMinimum: 0 }),
        },
        closed,
      ),
    ),
    reward: Type.Optional(Type.Object({ minDifference: Type.Number(), minRewards: count }, closed)),
    accuracy: Type.Optional(Type.Object({ min: share, minRewards: count }, closed)),
    drift: Type.Optional(Type.Boolean()),
  },
  closed,
);

export const rolloutSchema = Type.Object(
  {
    stable: routeName,
    canary: routeName,
    steps: Type.Array(stepSchema, { minItems: 1, maxItems: 100 }),
    criteria: criteriaSchema,
    promotion: Type.Enum(['automatic', 'manual']),
    alias: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        description: "alias that the canary's version gets after the last step",
      }),
    ),
  },
  closed,
);

export const trafficSchema = Type.Object(
  {
    by: Type.Enum(['prediction-id', 'entity']),
    bandit: Type.Optional(banditSchema),
    rollout: Type.Optional(rolloutSchema),
  },
  closed,
);

/** A route whose rewards have no bounds is not judged by fewer. */
const rewardsOfRouteMin = 5;

/** Looks only at parts that have their shape. */
export function trafficProblems(routes: readonly SharedRoute[], traffic: TrafficSettings | undefined): string[] {
  const problems = routes.flatMap((route, index) =>
    route?.shadow !== undefined && route.weight !== 0
      ? [`routes.${index}.weight must be 0, for route '${route.name}' is a shadow, got ${route.weight}`]
      : [],
  );
  const { bandit, rollout } = traffic ?? {};
  if (bandit !== undefined && rollout !== undefined)
    problems.push('traffic.bandit and traffic.rollout cannot both decide the weights: leave one of them out');
  if (bandit !== undefined) {
    const arms = armsOf(routes).length;
    if (arms < 2) problems.push(`traffic.bandit needs at least 2 routes with a weight, got ${arms}`);
    else if (!(bandit.minShare * arms < 1))
      problems.push(`traffic.bandit.minShare must be below 1 / ${arms} (routes), got ${bandit.minShare}`);
    const { policy, likelihood, halfLife } = bandit;
    // Less memory than that, and no route is ever told from another.
    const least = rewardsOfRouteMin * arms;
    if (policy === 'thompson' && likelihood === 'gaussian' && halfLife !== undefined && halfLife < least)
      problems.push(
        `traffic.bandit.halfLife must be at least ${least} rewards (${rewardsOfRouteMin} of each of ${arms} routes) for likelihood gaussian, got ${halfLife}`,
      );
  }
  return rollout === undefined || !Array.isArray(rollout.steps)
    ? problems
    : [...problems, ...ofRollout(routes, rollout)];
}

function ofRollout(routes: readonly SharedRoute[], rollout: NonNullable<TrafficSettings['rollout']>): string[] {
  const problems: string[] = [];
  const { stable, canary, steps } = rollout;
  if (stable === canary)
    problems.push(`traffic.rollout.canary must be another route than stable, got '${canary}' twice`);
  for (const [part, name] of [
    ['stable', stable],
    ['canary', canary],
  ] as const) {
    const found = routes.find((route) => route?.name === name);
    if (found === undefined || found.shadow !== undefined) {
      const names = routes.filter((route) => route?.shadow === undefined).map((route) => route?.name);
      problems.push(`traffic.rollout.${part} must be one of the routes ${names.join(', ')}, got '${name}'`);
    }
  }
  for (const [index, step] of steps.entries()) {
    const before = steps[index - 1]?.percent ?? 0;
    if (step?.shadow !== undefined && (step.percent !== 0 || before !== 0))
      problems.push(
        `traffic.rollout.steps.${index}: a step with shadow has no percent, and comes before all that have`,
      );
    if (step?.shadow === undefined && step?.percent <= before)
      problems.push(`traffic.rollout.steps.${index}.percent must be above ${before}, got ${step.percent}`);
  }
  for (const { name, weight } of routes) {
    if (name !== stable && name !== canary && weight > 0)
      problems.push(
        `route '${name}' must have weight 0: the rollout gives all of the traffic to '${stable}' and '${canary}'`,
      );
  }
  return problems;
}
