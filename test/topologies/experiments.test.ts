import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { ExperimentAssessed, RewardRecorded } from '../../schemas/events.ts';
import { meanInterval, welchTest } from '../../statistics/ab-test/welch.ts';
import { seededRandom } from '../../statistics/random.ts';
import { momentsOf } from '../../statistics/samples/running-moments.ts';
import { experiments, rewardsPerRouteMin } from '../../topologies/experiments.ts';

let driver: TopologyDriver<'rewards'>;
beforeEach(async () => {
  driver = await createTopologyDriver(experiments);
});

let serial = 0;
function reward(route: string, error: number | null, overrule: Partial<RewardRecorded> = {}): void {
  serial += 1;
  const data: RewardRecorded = {
    deployment: 'diamonds',
    deploymentVersion: 1,
    predictionId: `p${serial}`,
    feedbackId: `f${serial}`,
    route,
    model: 'diamonds',
    modelVersion: route === 'linear' ? 1 : 2,
    prediction: null,
    truth: null,
    error,
    reward: error === null ? null : -error * error,
    rule: 'negative-squared-error',
    assessEvery: 100,
    alpha: 0.05,
    windows: [],
    online: [],
    answer: null,
    label: null,
    probabilities: [],
    segments: [],
    qualityRows: 0,
    qualityMaxAgeMs: 0,
    bounds: [],
    planned: [],
    row: null,
    before: { rewards: 0, errors: 0, squaredErrors: 0 },
    ...overrule,
  };
  driver.pipe({ type: 'reward-recorded', data, key: 'diamonds' });
}

function assessments(): ExperimentAssessed[] {
  return driver.takeOutputs().map(({ topic, type, key, data }) => {
    expect([topic, type, key]).toEqual(['rewards', 'experiment-assessed', 'diamonds']);
    return data as ExperimentAssessed;
  });
}

describe('rows of one prediction', () => {
  it('that say the same twice are worth one: the verdict and the split are those of single rows', () => {
    const random = seededRandom(11);
    const errors = Array.from({ length: 100 }, (_, n) => random.normal() * (n % 5 < 3 ? 3 : 1));
    const routeOf = (n: number): string => (n % 5 < 3 ? 'linear' : 'trees');
    const planned = ['linear', 'trees'].map((route) => ({ route, weight: 1 }));
    for (const [n, error] of errors.entries()) reward(routeOf(n), error, { planned });
    const [single] = assessments();
    for (const [n, error] of errors.entries()) {
      const twice = { deployment: 'twice', assessEvery: 200, planned };
      reward(routeOf(n), error, { ...twice, row: 0 });
      const before = { rewards: 1, errors: 1, squaredErrors: error * error };
      reward(routeOf(n), error, { ...twice, row: 1, before });
    }
    const [double] = driver.takeOutputs().map(({ data }) => data as ExperimentAssessed);
    expect(double?.routes.map(({ count }) => count)).toEqual([120, 80]);
    for (const field of ['pValue', 'difference', 'differenceLow', 'differenceHigh', 'ratioPValue'] as const)
      expect(double?.[field], field).toBeCloseTo(single?.[field] as number, 10);
    expect([double?.verdict, double?.better]).toEqual(['better', 'trees']);
  });
});

describe('an assessment', () => {
  it('says per route what the errors say, and compares by Welch', () => {
    const random = seededRandom(7);
    const errors = { linear: [] as number[], trees: [] as number[] };
    for (let i = 0; i < 100; i++) {
      const route = i % 2 === 0 ? 'linear' : 'trees';
      const error = random.normal() * (route === 'linear' ? 3 : 1);
      errors[route].push(error);
      reward(route, error);
    }
    const [assessed, ...more] = assessments();
    expect(more).toEqual([]);
    const squares = (list: number[]) => momentsOf(list.map((error) => error * error));
    const welch = welchTest(squares(errors.trees), squares(errors.linear), 0.95);
    expect(assessed?.routes.map(({ route, count }) => [route, count])).toEqual([
      ['linear', 50],
      ['trees', 50],
    ]);
    expect(assessed?.routes[0]?.meanSquaredError).toBeCloseTo(squares(errors.linear).mean, 10);
    expect(assessed?.routes[0]?.meanSquaredErrorLow).toBeCloseTo(meanInterval(squares(errors.linear), 0.95)[0], 10);
    expect(assessed?.routes[1]?.meanReward).toBeCloseTo(-squares(errors.trees).mean, 10);
    expect(assessed).toMatchObject({
      assessment: 1,
      rewards: 100,
      threshold: 0.025,
      verdict: 'better',
      better: 'trees',
    });
    expect(assessed?.difference).toBeCloseTo(welch.difference, 10);
    expect(assessed?.differenceHigh).toBeCloseTo(welch.interval[1], 10);
    expect(assessed?.pValue).toBeCloseTo(welch.pValue, 10);
  });

  it('is made every assessEvery rewards, each with a stricter threshold, together at most alpha', () => {
    for (let i = 0; i < 350; i++) reward(i % 2 === 0 ? 'linear' : 'trees', i % 7);
    const made = assessments();
    expect(made.map(({ assessment, rewards }) => [assessment, rewards])).toEqual([
      [1, 100],
      [2, 200],
      [3, 300],
    ]);
    expect(made.map(({ threshold }) => threshold)).toEqual([0.05 / 2, 0.05 / 6, 0.05 / 12]);
  });

  it('is never made when the deployment asks for none', () => {
    for (let i = 0; i < 300; i++) reward('linear', 1, { assessEvery: 0 });
    expect(assessments()).toEqual([]);
  });

  it('picks the route with the smaller error although the mean reward is higher elsewhere', () => {
    const random = seededRandom(11);
    for (let i = 0; i < 1000; i++) {
      const lucky = i % 2 === 0;
      // 1 / error², of which a single near hit rules the mean.
      const error = lucky && i === 500 ? 1e-4 : random.normal() * (lucky ? 2 : 1) + 0.5;
      reward(lucky ? 'lucky' : 'good', error, { reward: 1 / (error * error), assessEvery: 1000 });
    }
    const [assessed] = assessments();
    const [good, lucky] = assessed?.routes ?? [];
    expect(lucky?.meanReward).toBeGreaterThan(good?.meanReward ?? 0);
    expect(assessed).toMatchObject({ verdict: 'better', better: 'good' });
  });
});

describe('a verdict', () => {
  it('is undecided when the routes do alike', () => {
    for (let i = 0; i < 100; i++) reward(i % 2 === 0 ? 'linear' : 'trees', (i >> 1) % 5);
    expect(assessments()[0]).toMatchObject({ verdict: 'undecided', better: null, difference: 0 });
  });

  it('is not-enough below the least number of errors, and for one route alone', () => {
    for (let i = 0; i < 100; i++) reward(i < rewardsPerRouteMin - 1 ? 'trees' : 'linear', i % 3);
    for (let i = 0; i < 100; i++) reward('alone', i % 3, { deployment: 'other' });
    const [few, alone] = driver.takeOutputs().map(({ data }) => data as ExperimentAssessed);
    expect(few).toMatchObject({ verdict: 'not-enough', better: null });
    expect(alone).toMatchObject({ verdict: 'not-enough', better: null, pValue: Number.NaN });
  });

  it('is withheld when rewards surely do not lie on the routes as planned, and says how they lie', () => {
    const planned = [
      { route: 'linear', weight: 3 },
      { route: 'trees', weight: 1 },
    ];
    for (let i = 0; i < 200; i++)
      reward(i % 2 === 0 ? 'linear' : 'trees', i % 2 === 0 ? 5 + (i % 3) : i % 3, { planned, assessEvery: 200 });
    expect(assessments()).toMatchObject([
      {
        ...{ verdict: 'withheld', better: null },
        reason: expect.stringContaining("'linear' 100 for 150, 'trees' 100 for 50") as string,
      },
    ]);
  });

  it('is withheld also where the last reward before it is of a route that the request named', () => {
    const planned = [
      { route: 'linear', weight: 3 },
      { route: 'trees', weight: 1 },
    ];
    for (let i = 0; i < 199; i++) reward(i % 2 === 0 ? 'linear' : 'trees', i % 3, { planned, assessEvery: 200 });
    reward('trees', 1, { planned: [], assessEvery: 200 });
    expect(assessments()).toMatchObject([
      {
        verdict: 'withheld',
        reason: expect.stringContaining("'linear' 100 for 149, 'trees' 99 for 50") as string,
      },
    ]);
  });

  it('stands when the shares are as planned, and nothing is held against routes that requests named themselves', () => {
    const planned = [
      { route: 'linear', weight: 1 },
      { route: 'trees', weight: 1 },
    ];
    for (let i = 0; i < 300; i++) {
      const route = i % 2 === 0 ? 'linear' : 'trees';
      reward(route, (i % 3) + (route === 'linear' ? 5 : 0), { planned, assessEvery: 400 });
    }
    for (let i = 0; i < 100; i++) reward('trees', i % 3, { planned: i < 99 ? [] : planned, assessEvery: 400 });
    const [assessed] = assessments();
    expect(assessed).toMatchObject({ verdict: 'better', better: 'trees', reason: '' });
    expect(assessed?.ratioPValue).toBeGreaterThan(0.9);
  });

  it('is undecided without any spread', () => {
    for (let i = 0; i < 100; i++) reward(i % 2 === 0 ? 'linear' : 'trees', 1);
    expect(assessments()[0]).toMatchObject({ verdict: 'undecided', pValue: Number.NaN });
  });

  it('judges labels by the share of wrong answers', () => {
    for (let i = 0; i < 400; i++) {
      const right = i % 2 === 0 ? i % 4 === 0 : i % 20 !== 1;
      reward(i % 2 === 0 ? 'linear' : 'trees', null, { rule: 'equal', reward: right ? 1 : 0, assessEvery: 400 });
    }
    const [assessed] = assessments();
    expect(assessed?.routes[0]?.meanSquaredError).toBeCloseTo(0.5, 12);
    expect(assessed?.routes[1]?.meanSquaredError).toBeCloseTo(0.1, 12);
    expect(assessed).toMatchObject({ verdict: 'better', better: 'trees' });
  });

  it('for three routes asks the best to beat each of the others', () => {
    const random = seededRandom(3);
    const squares: number[][] = [[], [], []];
    for (let i = 0; i < 600; i++) {
      const route = ['a', 'b', 'c'][i % 3] as string;
      // b and c are nearly alike: neither is surely the best.
      const error = random.normal() * (route === 'a' ? 5 : route === 'b' ? 1.2 : 1);
      squares[i % 3]?.push(error * error);
      reward(route, error, { assessEvery: 600 });
    }
    const [assessed] = assessments();
    expect(assessed).toMatchObject({ verdict: 'undecided', better: null });
    // The closer of the two comparisons, corrected for two.
    const [, b = [], c = []] = squares;
    expect(assessed?.pValue).toBeCloseTo(2 * welchTest(momentsOf(c), momentsOf(b)).pValue, 10);
    expect(assessed?.pValue).toBeLessThan(1);
  });
});

describe('what does not count', () => {
  it('rewards of an older version, after a newer one began', () => {
    for (let i = 0; i < 50; i++) reward('linear', 1);
    reward('linear', 1, { deploymentVersion: 2 });
    for (let i = 0; i < 98; i++) reward('linear', 5);
    for (let i = 0; i < 99; i++) reward('trees', 1, { deploymentVersion: 2 });
    expect(assessments()).toMatchObject([
      { deploymentVersion: 2, assessment: 1, routes: [{ count: 1 }, { count: 99 }] },
    ]);
    expect(driver.counters()['rewardsOfOldVersions']).toBe(98);
  });

  it('errors that are not there or overflow, which still count as rewards', () => {
    for (let i = 0; i < 98; i++) reward('linear', 1);
    reward('linear', null, { reward: 3 });
    reward('linear', 1e200, { reward: 3 });
    const route = assessments()[0]?.routes[0];
    expect(route?.count).toBe(98);
    expect(route?.meanReward).toBeCloseTo((6 - 98) / 100, 12);
    expect(driver.takeDeadLetters()).toEqual([]);
  });

  it('its own assessments and closed feedback', () => {
    for (let i = 0; i < 100; i++) reward(i % 2 === 0 ? 'linear' : 'trees', i % 5);
    const [assessed] = assessments();
    driver.pipe({ type: 'experiment-assessed', data: assessed as ExperimentAssessed, key: 'diamonds' });
    driver.pipe({
      type: 'feedback-closed',
      data: { feedbackId: 'f', predictionId: 'p', deployment: 'diamonds', outcome: 'late', reason: '', row: null },
      key: 'diamonds',
    });
    expect(driver.takeOutputs()).toEqual([]);
  });
});
