import { describe, expect, it } from 'vitest';
import {
  chooseRoute,
  initialWeights,
  isMirrored,
  pinnedRoute,
  type RouteWeight,
  type SharedRoute,
  type TrafficSettings,
} from '../../schemas/traffic.ts';
import { trafficProblems } from '../../schemas/traffic-problems.ts';
import { predictionId } from '../../schemas/derived-ids.ts';

const request = (n: number, pinned?: string) => ({
  deployment: 'iris',
  predictionId: predictionId(0, n),
  entity: `flower-${n}`,
  pinned,
});
const numbers = Array.from({ length: 3_000 }, (_, n) => n);
const share = (weights: readonly RouteWeight[], by: TrafficSettings['by'], route: string): number =>
  numbers.filter((n) => chooseRoute(request(n), weights, by)?.route === route).length / numbers.length;
const weights = (a: number, b: number, c: number): RouteWeight[] => [
  { route: 'a', weight: a },
  { route: 'b', weight: b },
  { route: 'c', weight: c },
];

describe('the route of a request', () => {
  it.each(['prediction-id', 'entity'] as const)('shares traffic out by %s as the weights say', (by) => {
    expect(Math.abs(share(weights(2, 5, 3), by, 'a') - 0.2)).toBeLessThan(0.03);
    expect(Math.abs(share(weights(2, 5, 3), by, 'b') - 0.5)).toBeLessThan(0.03);
    expect(share(weights(1, 1, 0), by, 'c')).toBe(0);
  });

  it('stays with an entity, and moves only entities that a change of weights is about', () => {
    const before = (n: number) => chooseRoute(request(n), weights(50, 50, 0), 'entity')?.route;
    const after = (n: number) => chooseRoute(request(n), weights(50, 50, 25), 'entity')?.route;
    const moved = numbers.filter((n) => before(n) !== after(n));
    expect(moved.every((n) => after(n) === 'c')).toBe(true);
    expect(Math.abs(moved.length / numbers.length - 0.2)).toBeLessThan(0.03);
  });

  it('is the one that the request names, as long as it has traffic', () => {
    expect(chooseRoute(request(1, 'b'), weights(98, 2, 0), 'entity')).toEqual({ route: 'b', by: 'header' });
    expect(chooseRoute(request(1, 'c'), weights(100, 0, 0), 'entity')).toEqual({ route: 'a', by: 'entity' });
    expect(chooseRoute(request(1, 'gone'), weights(100, 0, 0), 'prediction-id')?.route).toBe('a');
    expect([':b:', 'b', ':a::b:', ' b ', '::', ''].map(pinnedRoute)).toEqual([
      'b',
      'b',
      'b',
      'b',
      undefined,
      undefined,
    ]);
  });

  it('mirrors the share of requests that it should, each by itself', () => {
    const mirrored = numbers.filter((n) => isMirrored(predictionId(0, n), 's', 20)).length;
    expect(Math.abs(mirrored / numbers.length - 0.2)).toBeLessThan(0.03);
    expect(numbers.every((n) => isMirrored(predictionId(0, n), 's', 100))).toBe(true);
  });
});

describe('what is wrong with traffic settings', () => {
  const routes: SharedRoute[] = [
    { name: 'a', weight: 1 },
    { name: 'b', weight: 0 },
  ];
  const criteria = {};
  const rollout = {
    stable: 'a',
    canary: 'b',
    steps: [{ percent: 10, minRequests: 1, durationMs: 1 }],
    criteria,
    promotion: 'automatic',
  } as const;
  const bandit = { policy: 'thompson', likelihood: 'bernoulli', epsilon: 0.1, updateEvery: 1, minShare: 0 } as const;
  const by = 'entity' as const;

  it.each<[string, SharedRoute[], TrafficSettings, string]>([
    ['both', [...routes, { name: 'c', weight: 1 }], { by, bandit, rollout }, 'cannot both decide'],
    ['one arm', routes, { by, bandit }, 'needs at least 2 routes with a weight, got 1'],
    ['a canary that is no route', routes, { by, rollout: { ...rollout, canary: 'x' } }, "routes a, b, got 'x'"],
    ['a canary that is stable', routes, { by, rollout: { ...rollout, canary: 'a' } }, 'another route than stable'],
    [
      'steps that go back',
      routes,
      { by, rollout: { ...rollout, steps: [...rollout.steps, { percent: 5, minRequests: 1, durationMs: 1 }] } },
      'steps.1.percent must be above 10, got 5',
    ],
    ['traffic besides', [...routes, { name: 'c', weight: 1 }], { by, rollout }, "route 'c' must have weight 0"],
    [
      'a shadow with a weight',
      [...routes, { name: 's', weight: 1, shadow: { percent: 1, timeoutMs: 1 } }],
      { by },
      "routes.2.weight must be 0, for route 's' is a shadow, got 1",
    ],
  ])('%s', (_, list, traffic, problem) => {
    expect(trafficProblems(list, traffic).join('; ')).toContain(problem);
  });

  it('is nothing where there is nothing, and the document begins as it says', () => {
    expect(trafficProblems(routes, { by, rollout })).toEqual([]);
    expect(initialWeights({ routes, traffic: { by, rollout } })).toEqual([
      { route: 'a', weight: 100 },
      { route: 'b', weight: 0 },
    ]);
  });
});

it('a bandit of unbounded rewards remembers enough of each route to judge it', () => {
  const routes = ['a', 'b', 'c'].map((name) => ({ name, weight: 1 }));
  const problems = (halfLife: number, likelihood: 'gaussian' | 'bernoulli') => {
    const bandit = { policy: 'thompson', likelihood, epsilon: 0.1, updateEvery: 1, halfLife, minShare: 0 } as const;
    return trafficProblems(routes, { by: 'prediction-id', bandit });
  };
  expect(problems(14, 'gaussian')).toEqual([
    expect.stringContaining('traffic.bandit.halfLife must be at least 15 rewards'),
  ]);
  expect([...problems(15, 'gaussian'), ...problems(2, 'bernoulli')]).toEqual([]);
});
