import { describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import { predictionId } from '../../schemas/derived-ids.ts';
import type { RouterRow, WeightsChanged } from '../../schemas/events.ts';
import { chooseRoute, initialWeights, type RouteWeight, type SteeringSettings } from '../../schemas/traffic.ts';
import { seededRandom } from '../../statistics/random.ts';
import { routeWeights } from '../../topologies/route-weights.ts';
import { banditWeights } from '../../topologies/route-weights/bandit.ts';
import { judgeRollout } from '../../topologies/route-weights/judge-rollout.ts';
import { filledTraffic } from '../../sdk/deployment/traffic-options.ts';

const routes = ['a', 'b', 'c'].map((name) => ({ name, weight: 1 }));
const deployment = 'iris';

function settingsOf(traffic: object, list: SteeringSettings['routes'] = routes): SteeringSettings {
  return { routes: list, traffic: filledTraffic(traffic, 'equal') as NonNullable<SteeringSettings['traffic']> };
}

function configure(driver: TopologyDriver<'route-evidence'>, settings: SteeringSettings, version = 1): void {
  const data = { deployment, deploymentVersion: version, settings: JSON.stringify(settings) };
  driver.pipe({ type: 'traffic-configured', data, key: deployment });
}

function reward(
  driver: TopologyDriver<'route-evidence'>,
  route: string,
  value: number,
  version = 1,
  shadow = false,
): void {
  const of = { deployment, deploymentVersion: version, predictionId: 'p', route };
  const data = { ...of, reward: value, rule: 'equal', shadow, row: null };
  driver.pipe({ type: 'reward-observed', data, key: deployment });
}

describe('a bandit', () => {
  /** Traffic by the weights in force, rewards by fixed rates; answers the regret and the last weights. */
  async function play(
    bandit: object,
    rates: (round: number) => Readonly<Record<string, number>>,
    rounds: number,
    seed: string,
  ): Promise<{ readonly regret: number; readonly weights: readonly RouteWeight[] }> {
    const driver = await createTopologyDriver(routeWeights);
    const settings = settingsOf({ bandit });
    configure(driver, settings);
    const random = seededRandom(seed);
    let weights = initialWeights(settings);
    let regret = 0;
    for (let round = 0; round < rounds; round++) {
      const request = { deployment, predictionId: predictionId(0, seed, round), entity: '' };
      const { route } = chooseRoute(request, weights, 'prediction-id')!;
      const known = rates(round);
      regret += Math.max(...Object.values(known)) - known[route]!;
      reward(driver, route, random.uniform() < known[route]! ? 1 : 0);
      for (const output of driver.takeOutputs()) if (output.type === 'router-row') weights = output.data.weights;
    }
    return { regret, weights };
  }
  const rounds = 1_000;
  const fixed = () => ({ a: 0.2, b: 0.6, c: 0.4 });
  const uniformRegret = rounds * ((0.4 + 0 + 0.2) / 3);
  const shareOf = (weights: readonly RouteWeight[], route: string): number =>
    weights.find((weight) => weight.route === route)!.weight;

  it.each([
    ['thompson', 0.5],
    ['epsilon-greedy', 0.7],
  ])('%s finds the right arm with far less regret than an even split', async (policy, part) => {
    for (const seed of ['one', 'two']) {
      const { regret, weights } = await play({ policy }, fixed, rounds, seed);
      expect.soft(regret, `regret with seed ${seed}`).toBeLessThan(part * uniformRegret);
      expect.soft(shareOf(weights, 'b'), `share of b with seed ${seed}`).toBeGreaterThan(0.75);
    }
  });

  it('with decay follows when another arm becomes the best, without it does not', async () => {
    const turning = (round: number): Readonly<Record<string, number>> =>
      round < 800 ? { a: 0.3, b: 0.8, c: 0.3 } : { a: 0.8, b: 0.3, c: 0.3 };
    const decaying = await play({ policy: 'thompson', halfLife: 100 }, turning, 1_400, 'turn');
    const lasting = await play({ policy: 'thompson' }, turning, 1_400, 'turn');
    expect(shareOf(decaying.weights, 'a')).toBeGreaterThan(0.8);
    expect(decaying.regret).toBeLessThan(0.7 * lasting.regret);
  });

  it('says with each version of the weights the counts that justify it, from which anyone computes it again', async () => {
    const driver = await createTopologyDriver(routeWeights);
    const settings = settingsOf({ bandit: { updateEvery: 4, halfLife: 50, likelihood: 'gaussian' } });
    configure(driver, settings);
    const random = seededRandom('gaussian');
    for (let i = 0; i < 40; i++) reward(driver, 'abc'[i % 3]!, (i % 3) + random.normal());
    const facts = driver.takeOutputs().filter(({ type }) => type === 'weights-changed');
    expect(facts.map(({ data }) => (data as WeightsChanged).weightsVersion)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const { data } of facts as { data: WeightsChanged }[]) {
      const rewards = data.evidence.map(
        ({ route, rewardsSeen: seen, rewards: count, rewardSum: sum, rewardSquares: squares }) =>
          [route, { seen, count, sum, squares }] as const,
      );
      const computed = banditWeights(routes, settings.traffic!.bandit!, Object.fromEntries(rewards), data.seed);
      expect(computed).toEqual(data.weights);
    }
  });

  it('gives the same weights when the records are folded again, from the start or from the middle', async () => {
    const whole = await createTopologyDriver(routeWeights);
    configure(whole, settingsOf({ bandit: { updateEvery: 5 } }));
    const feed = (driver: TopologyDriver<'route-evidence'>, from: number, to: number): void => {
      for (let i = from; i < to; i++) reward(driver, 'abc'[i % 3]!, i % 3 === 1 ? 1 : 0);
    };
    feed(whole, 0, 20);
    const snapshot = whole.snapshot();
    whole.takeOutputs();
    feed(whole, 20, 40);
    const said = whole.takeOutputs();
    const later = await createTopologyDriver(routeWeights, { snapshot });
    feed(later, 20, 40);
    expect(later.takeOutputs()).toEqual(said);
    expect(later.snapshot()).toEqual(whole.snapshot());
  });

  it('begins anew with a version, goes on numbering, and drops what is not usable', async () => {
    const driver = await createTopologyDriver(routeWeights);
    configure(driver, settingsOf({ bandit: { updateEvery: 2 } }));
    for (const value of [1, 7, Number.NaN, 1]) reward(driver, 'a', value);
    reward(driver, 'unknown', 1);
    expect(driver.counters()).toMatchObject({ rewards: 2, rewardsUnusable: 2, rewardsOfOtherRoutes: 1 });
    configure(driver, settingsOf({ bandit: { updateEvery: 1 } }), 2);
    reward(driver, 'a', 1, 1);
    expect(driver.counters()).toMatchObject({ evidenceOfOtherVersions: 1 });
    driver.takeOutputs();
    reward(driver, 'a', 1, 2);
    expect(driver.takeOutputs()[0]).toMatchObject({ data: { weightsVersion: 2, evidence: [{ rewards: 1 }, {}, {}] } });
    driver.pipe({
      type: 'traffic-configured',
      data: { deployment, deploymentVersion: 3, settings: '' },
      key: deployment,
    });
    expect(driver.takeOutputs()).toMatchObject([{ topic: 'routers', type: 'tombstone', key: deployment }]);
  });

  it.each([
    ['bandit', { bandit: { likelihood: 'gaussian', updateEvery: 10 } }],
    ['rollout', { rollout: { stable: 'a', canary: 'b', steps: [10], criteria: {} } }],
  ])('as a %s is not ruled by a reward that nothing can earn', async (_, traffic) => {
    const driver = await createTopologyDriver(routeWeights);
    const two = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 'bandit' in traffic ? 1 : 0 },
    ];
    configure(driver, settingsOf(traffic, two));
    for (const value of [1e200, Number.NEGATIVE_INFINITY, Number.NaN, -1e26]) reward(driver, 'b', value);
    for (let i = 0; i < 20; i++) reward(driver, 'ab'[i % 2]!, i % 3);
    expect(driver.counters()).toMatchObject({ rewardsUnusable: 4 });
    expect(driver.takeDeadLetters()).toEqual([]);
    const sums = JSON.stringify(driver.state(`w/${deployment}`));
    expect(sums).toContain('"a"');
    expect(sums).not.toMatch(/e\+|"(mean|squaredDeviations|sum|squares)":null/);
  });
});

describe('a rollout', () => {
  const two = [
    { name: 'a', weight: 1 },
    { name: 'b', weight: 0 },
  ];
  const steps = [
    { percent: 10, minRequests: 20, durationMs: 60_000 },
    { percent: 50, minRequests: 20, durationMs: 60_000 },
  ];

  async function begin(rollout: object = {}) {
    const driver = await createTopologyDriver(routeWeights);
    configure(driver, settingsOf({ rollout: { stable: 'a', canary: 'b', steps, ...rollout } }, two));
    return driver;
  }
  function outcomes(
    driver: TopologyDriver<'route-evidence'>,
    route: string,
    completed: number,
    failed: number,
    latencyMs = 1,
    shadow = false,
  ): void {
    const latenciesMs = Array.from({ length: completed }, () => latencyMs);
    const seen = { route, completed, failed, latenciesMs, shadow };
    const data = { deployment, deploymentVersion: 1, partition: 0, routes: [seen] };
    driver.pipe({ type: 'outcomes-observed', data, key: deployment });
  }
  const ask = (driver: TopologyDriver<'route-evidence'>, action: string, requestId = action): void => {
    const data = { deployment, requestId, action, reason: '', actor: 'ada' };
    driver.pipe({ type: 'rollout-control-requested', data, key: deployment });
  };
  /** `action phase step percent` of each move since the last call. */
  const moves = (driver: TopologyDriver<'route-evidence'>): string[] =>
    driver
      .takeOutputs()
      .flatMap((output) =>
        output.type === 'rollout-moved'
          ? [
              `${output.data.action} ${output.data.rollout.phase} ${output.data.rollout.step} ${output.data.rollout.percent}`,
            ]
          : [],
      );

  it('begins in the shadow, where only mirrored requests count', async () => {
    const criteria = { errorRate: 0.05 };
    const shadow = { percent: 0, shadow: 100, minRequests: 20, durationMs: 0 };
    const driver = await begin({ steps: [shadow, ...steps], criteria });
    const row = driver.takeOutputs().find(({ type }) => type === 'router-row');
    expect(row).toMatchObject({
      data: { weights: [{ weight: 100 }, { weight: 0 }], rollout: { percent: 0, shadowPercent: 100 } },
    });
    outcomes(driver, 'a', 100, 0);
    outcomes(driver, 'b', 100, 0);
    expect(moves(driver), 'answers that somebody got are none of the shadow').toEqual([]);
    outcomes(driver, 'b', 20, 0, 1, true);
    expect(moves(driver)).toEqual(['advance running 2 10']);
    outcomes(driver, 'b', 20, 20, 1, true);
    driver.advance(60_000);
    expect(moves(driver), 'copies that are answered late are none of the canary').toEqual([]);
  });

  it('waits in the shadow for what answers that nobody got would have earned, and is judged by that', async () => {
    const criteria = { reward: { minDifference: -0.1, minRewards: 10 }, accuracy: { min: 0.5, minRewards: 10 } };
    const steps = [
      { percent: 0, shadow: 100, minRequests: 20, durationMs: 0 },
      { percent: 50, minRequests: 20, durationMs: 0 },
    ];
    const play = async (right: number) => {
      const driver = await begin({ steps, criteria });
      moves(driver);
      outcomes(driver, 'a', 20, 0);
      outcomes(driver, 'b', 20, 0, 1, true);
      for (let i = 0; i < 10; i++) {
        reward(driver, 'a', 1);
        reward(driver, 'b', 0);
      }
      expect(moves(driver), 'what answers that somebody got have earned is none of the shadow').toEqual([]);
      for (let i = 0; i < 10; i++) reward(driver, 'b', i < right ? 1 : 0, 1, true);
      return moves(driver);
    };
    expect(await play(10)).toEqual(['advance running 2 50']);
    expect(await play(4)).toEqual(['rollback rolled-back 1 0']);
  });

  it('is taken back from the shadow, before anybody got an answer', async () => {
    const shadow = { percent: 0, shadow: 100, minRequests: 20, durationMs: 0 };
    const driver = await begin({ steps: [shadow, ...steps], criteria: { errorRate: 0.05 } });
    moves(driver);
    outcomes(driver, 'b', 17, 3, 1, true);
    expect(moves(driver)).toEqual(['rollback rolled-back 1 0']);
  });

  describe('with an alias', () => {
    const serving = (stable: number, canary: number) => [
      { name: 'a', weight: 1, serves: { model: 'wine', version: stable } },
      { name: 'b', weight: 0, serves: { model: 'wine', version: canary } },
    ];
    const settings = { stable: 'a', canary: 'b', steps: steps.slice(1), criteria: {}, alias: 'champion' };
    const requestId = `promote/${deployment}/1/1`;

    async function promoted() {
      const driver = await createTopologyDriver(routeWeights);
      configure(driver, settingsOf({ rollout: settings }, serving(1, 2)));
      outcomes(driver, 'b', 20, 0);
      driver.takeOutputs();
      driver.advance(60_000);
      return driver;
    }

    it('rests while both routes serve the same version, and begins when the canary gets another', async () => {
      const driver = await createTopologyDriver(routeWeights);
      configure(driver, settingsOf({ rollout: settings }, serving(1, 1)));
      expect(moves(driver)).toEqual(['begin idle 1 0']);
      outcomes(driver, 'b', 100, 0);
      driver.advance(600_000);
      ask(driver, 'promote');
      expect(driver.takeOutputs()).toMatchObject([{ type: 'rollout-refused' }]);
      configure(driver, settingsOf({ rollout: settings }, serving(1, 2)), 2);
      expect(moves(driver)).toEqual(['begin running 1 50']);
    });

    it('asks the registry for it in the end, once, and keeps the shares until it has it', async () => {
      const driver = await promoted();
      const outputs = driver.takeOutputs();
      expect(outputs).toMatchObject([
        { type: 'rollout-moved', data: { action: 'promote', rollout: { phase: 'promoting', percent: 50 } } },
        {
          type: 'weights-changed',
          data: { weights: [{ weight: 50 }, { weight: 50 }], evidence: [{}, { requests: 20 }] },
        },
        { type: 'router-row' },
        {
          topic: 'registry',
          type: 'alias-requested',
          key: 'wine',
          data: { model: 'wine', alias: 'champion', version: 2 },
        },
      ]);
      expect(outputs.at(-1)).toMatchObject({ data: { requestId, actor: `rollout of ${deployment}` } });
      outcomes(driver, 'b', 100, 0);
      driver.advance(600_000);
      expect(driver.takeOutputs().filter(({ topic }) => topic === 'registry')).toEqual([]);
    });

    it('says what stands against it, asks again when somebody wants that, and can still be taken back', async () => {
      const driver = await promoted();
      driver.takeOutputs();
      const refuse = (id: string, reason: string): void => {
        const data = { deployment, deploymentVersion: 1, requestId: id, reason };
        driver.pipe({ type: 'promotion-refused', data, key: deployment });
      };
      refuse('promote/other/1/1', 'somebody else');
      expect(driver.takeOutputs(), 'the answer to another request').toEqual([]);
      refuse(requestId, 'needs a second person');
      expect(driver.takeOutputs()).toMatchObject([
        { topic: 'routers', data: { rollout: { phase: 'promoting', reason: 'waits: needs a second person' } } },
      ]);
      ask(driver, 'promote');
      expect(driver.takeOutputs().filter(({ topic }) => topic === 'registry')).toMatchObject([
        { data: { requestId: `promote/${deployment}/1/2` } },
      ]);
      ask(driver, 'rollback');
      expect(moves(driver)).toEqual(['rollback rolled-back 1 0']);
    });
  });

  it('goes step by step when there were enough good requests and enough time, and ends with all of the traffic', async () => {
    const driver = await begin();
    expect(moves(driver)).toEqual(['begin running 1 10']);
    driver.advance(60_000);
    expect(moves(driver), 'time alone is not enough').toEqual([]);
    outcomes(driver, 'b', 20, 0);
    expect(moves(driver)).toEqual(['advance running 2 50']);
    outcomes(driver, 'b', 20, 0);
    expect(moves(driver), 'requests alone are not enough').toEqual([]);
    driver.advance(60_000);
    const outputs = driver.takeOutputs();
    expect(outputs).toMatchObject([
      {
        type: 'rollout-moved',
        data: { action: 'promote', actor: 'criteria', rollout: { phase: 'promoted', percent: 100 } },
      },
      {
        type: 'weights-changed',
        data: {
          cause: 'rollout',
          weightsVersion: 3,
          weights: [{ weight: 0 }, { weight: 100 }],
          evidence: [{}, { requests: 20 }],
        },
      },
      { topic: 'routers', data: { rollout: { phase: 'promoted' } } },
    ]);
  });

  it.each([
    [
      'failures above those of the stable route',
      { errorRate: 0.05 },
      (d: TopologyDriver<'route-evidence'>) => (outcomes(d, 'a', 90, 10), outcomes(d, 'b', 17, 4)),
      'error rate',
    ],
    [
      'failures before the minimum, once they are too many for it',
      { errorRate: 0.05 },
      (d: TopologyDriver<'route-evidence'>) => outcomes(d, 'b', 0, 2),
      'error rate',
    ],
    [
      'slow answers',
      { latency: { quantile: 0.9, maxMs: 10 } },
      (d: TopologyDriver<'route-evidence'>) => (outcomes(d, 'b', 17, 0), outcomes(d, 'b', 3, 0, 50)),
      'latency',
    ],
    [
      'worse rewards',
      { reward: { minDifference: 0, minRewards: 10 } },
      (d: TopologyDriver<'route-evidence'>) => {
        for (let i = 0; i < 20; i++) {
          reward(d, 'a', i % 10 === 0 ? 0 : 1);
          reward(d, 'b', i % 10 === 0 ? 1 : 0);
        }
      },
      'reward',
    ],
    [
      'wrong answers',
      { accuracy: { min: 0.8, minRewards: 10 } },
      (d: TopologyDriver<'route-evidence'>) => {
        for (let i = 0; i < 10; i++) reward(d, 'b', i < 7 ? 1 : 0);
      },
      'accuracy',
    ],
    [
      'a drift alarm',
      { drift: true },
      (d: TopologyDriver<'route-evidence'>) => {
        const data = { deployment, deploymentVersion: 1, alertId: 'x', message: 'petal moved' };
        d.pipe({ type: 'drift-observed', data, key: deployment });
      },
      'drift: petal moved',
    ],
  ])('is taken back by %s', async (_, criteria, happen, reason) => {
    const driver = await begin({ criteria });
    driver.takeOutputs();
    happen(driver);
    const outputs = driver.takeOutputs();
    const changed = outputs.find(({ type }) => type === 'weights-changed')!.data as WeightsChanged;
    expect(changed.weights).toEqual([
      { route: 'a', weight: 100 },
      { route: 'b', weight: 0 },
    ]);
    expect(changed.reason).toContain(reason);
    outcomes(driver, 'b', 100, 0);
    driver.advance(600_000);
    expect(moves(driver), 'it stays back').toEqual([]);
  });

  it.each([
    [
      'the same failures as on the stable route',
      { errorRate: 0.05 },
      (d: TopologyDriver<'route-evidence'>) => (outcomes(d, 'a', 80, 20), outcomes(d, 'b', 16, 4)),
    ],
    [
      'quick answers',
      { latency: { quantile: 0.9, maxMs: 10 } },
      (d: TopologyDriver<'route-evidence'>) => (outcomes(d, 'b', 19, 0), outcomes(d, 'b', 1, 0, 50)),
    ],
  ])('goes on with %s', async (_, criteria, happen) => {
    const driver = await begin({ criteria });
    driver.takeOutputs();
    happen(driver);
    driver.advance(60_000);
    expect(moves(driver)).toEqual(['advance running 2 50']);
  });

  it('waits for rewards that a criterion needs, and says on its row what it waits for', async () => {
    const driver = await begin({ criteria: { reward: { minDifference: 0, minRewards: 5 } } });
    outcomes(driver, 'b', 20, 0);
    driver.advance(60_000);
    outcomes(driver, 'b', 1, 0);
    const row = driver.takeOutputs().findLast(({ topic }) => topic === 'routers')!.data as RouterRow;
    expect(row.rollout?.reason).toBe('waits: 0 of 5 rewards of each route');
    for (let i = 0; i < 5; i++) for (const route of ['a', 'b']) reward(driver, route, 1);
    expect(moves(driver)).toEqual(['advance running 2 50']);
  });

  it('is moved by hand, each request once, and refuses what makes no sense', async () => {
    const driver = await begin({ promotion: 'manual' });
    outcomes(driver, 'b', 20, 0);
    driver.advance(60_000);
    const waiting = driver.takeOutputs();
    expect(waiting.filter(({ type }) => type === 'rollout-moved')).toMatchObject([{ data: { action: 'begin' } }]);
    expect(waiting.findLast(({ type }) => type === 'router-row')).toMatchObject({
      data: { rollout: { step: 1, reason: expect.stringContaining('waits: to be advanced by hand (20 requests') } },
    });
    ask(driver, 'advance');
    ask(driver, 'advance');
    expect(moves(driver)).toEqual(['advance running 2 50']);
    ask(driver, 'pause');
    ask(driver, 'pause', 'again');
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'rollout-moved', data: { action: 'pause', actor: 'ada', rollout: { phase: 'paused', percent: 50 } } },
      { topic: 'routers', data: { rollout: { phase: 'paused' } } },
      {
        type: 'rollout-refused',
        data: { requestId: 'again', reason: "the rollout of 'iris' is paused: pause changes nothing" },
      },
    ]);
    for (const action of ['resume', 'promote', 'rollback', 'rollback', 'jump'])
      ask(driver, action, `${action}-${driver.position}`);
    expect(driver.takeOutputs().filter(({ topic }) => topic === 'deployment-events')).toMatchObject([
      { data: { action: 'resume' } },
      { data: { action: 'promote', rollout: { phase: 'promoted' } } },
      { data: { weights: [{ weight: 0 }, { weight: 100 }] } },
      { data: { action: 'rollback', rollout: { phase: 'rolled-back' } } },
      { data: { weights: [{ weight: 100 }, { weight: 0 }] } },
      { type: 'rollout-refused' },
      { type: 'rollout-refused', data: { reason: expect.stringContaining("got 'jump'") } },
    ]);
  });

  it('held by hand does not go on, but is still taken back', async () => {
    const driver = await begin({ criteria: { errorRate: 0.05 } });
    ask(driver, 'pause');
    outcomes(driver, 'b', 20, 0);
    driver.advance(120_000);
    driver.takeOutputs();
    outcomes(driver, 'b', 0, 10);
    expect(moves(driver)).toEqual(['rollback rolled-back 1 0']);
  });

  it('goes on where its owner stopped', async () => {
    const first = await begin();
    outcomes(first, 'b', 20, 0);
    const second = await createTopologyDriver(routeWeights, { snapshot: first.snapshot() });
    second.advance(60_000);
    expect(moves(second)).toEqual(['advance running 2 50']);
  });

  it('refuses to move what is not there', async () => {
    const driver = await createTopologyDriver(routeWeights);
    ask(driver, 'pause');
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'rollout-refused', data: { reason: "deployment 'iris' has no rollout" } },
    ]);
  });

  it('is judged by the whole latency ladder to within a tenth', () => {
    const seen = {
      requests: 1,
      failures: 0,
      latencies: { '49': 1 },
      rewards: { count: 0, mean: 0, squaredDeviations: 0 },
      judged: 0,
      right: 0,
    };
    const rollout = {
      phase: 'running',
      step: 0,
      sinceMs: 0,
      reason: '',
      seen: { b: seen },
      drift: null,
      shownMs: 0,
    } as const;
    const settings = {
      stable: 'a',
      canary: 'b',
      steps: [{ percent: 1, minRequests: 1, durationMs: 0 }],
      promotion: 'automatic',
    } as const;
    const judge = (maxMs: number) =>
      judgeRollout({ ...settings, criteria: { latency: { quantile: 0.5, maxMs } } }, rollout, 0).verdict;
    expect([judge(1.05), judge(1.1)]).toEqual(['back', 'over']);
  });
});
