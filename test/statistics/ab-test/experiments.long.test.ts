/** A thousand seeded experiments each: what is promised about errors holds, however often and whenever somebody looks. */
import { describe, expect, it } from 'vitest';
import type { InputEvent, StateView } from '../../../runtime/engine/topology.ts';
import type { ExperimentAssessed, RewardRecorded } from '../../../schemas/events.ts';
import {
  addPair,
  addTrial,
  EMPTY_SEQUENTIAL_NORMAL,
  EMPTY_SEQUENTIAL_RATE,
  sequentialHalfWidth,
} from '../../../statistics/ab-test/sequential.ts';
import { probabilityBest } from '../../../statistics/ab-test/thompson.ts';
import { sampleRatioMismatch } from '../../../statistics/ab-test/traffic-split.ts';
import { type Random, seededRandom } from '../../../statistics/random.ts';
import { experiments } from '../../../topologies/experiments.ts';

const runs = 1_000;
const alpha = 0.05;
/** Three standard errors of a rate that is alpha. */
const slack = 3 * Math.sqrt((alpha * (1 - alpha)) / runs);

/** Share of experiments for which it holds; each has a seed of its own. */
function share(name: string, holds: (random: Random) => boolean): number {
  let count = 0;
  for (let run = 0; run < runs; run++) if (holds(seededRandom(`${name} ${run}`))) count += 1;
  return count / runs;
}

/** Verdicts of an experiment of two routes with a look every 50 rewards, by the fold that makes them. */
function verdicts(
  name: string,
  rewards: number,
  errorOf: (route: number, random: Random) => number,
  /** Of the feedback of route 1. */
  kept = 1,
  /** Rows of a prediction; each differs a little from the error of the first. */
  rowsOf: (random: Random) => number = () => 1,
) {
  return Array.from({ length: runs }, (_, run): readonly ExperimentAssessed[] => {
    const random = seededRandom(`${name} ${run}`);
    const values = new Map<string, unknown>();
    const state: StateView = { get: <V>(key: string) => values.get(key) as V | undefined, range: () => [] };
    const looks: ExperimentAssessed[] = [];
    for (let i = 0; i < rewards; i++) {
      const route = kept === 1 ? random.integer(2) : Number(random.uniform() * (1 + kept) > 1);
      const shared = errorOf(route, random);
      const rows = rowsOf(random);
      let before = { rewards: 0, errors: 0, squaredErrors: 0 };
      for (let row = 0; row < rows; row++) {
        const error = row === 0 ? shared : shared + 0.3 * random.normal();
        const data: RewardRecorded = {
          ...{ deployment: 'd', deploymentVersion: 1, predictionId: `p${i}`, feedbackId: `f${i}`, route: `r${route}` },
          ...{ model: 'm', modelVersion: 1 + route, prediction: error, truth: 0, error, reward: -error * error },
          ...{
            rule: 'negative-squared-error',
            assessEvery: 50,
            alpha,
            windows: [],
            online: [],
            answer: null,
            label: null,
          },
          ...{ probabilities: [], segments: [], qualityRows: 0, qualityMaxAgeMs: 0, bounds: [] },
          row: rows === 1 ? null : row,
          before,
          planned: [
            { route: 'r0', weight: 1 },
            { route: 'r1', weight: 1 },
          ],
        };
        const event = {
          type: 'reward-recorded',
          data,
          key: 'd',
          offset: i,
          timeMs: i,
        } as unknown as InputEvent<'rewards'>;
        const { put = [], emit = [] } = experiments.fold(event, state);
        for (const [key, value] of put) values.set(key, value);
        looks.push(...emit.map((output) => output.data as ExperimentAssessed));
        before = { rewards: row + 1, errors: row + 1, squaredErrors: before.squaredErrors + error * error };
      }
    }
    return looks;
  });
}

describe('an experiment of two routes', () => {
  it('names a better one at some look in at most the promised share when both are alike', () => {
    const found = verdicts('alike', 400, (_, random) => random.normal());
    const wrong = found.filter((looks) => looks.some(({ verdict }) => verdict === 'better')).length / runs;
    console.log(`alike: better at some look of 8 in ${wrong}`);
    expect(found.every((looks) => looks.length === 8)).toBe(true);
    expect(wrong).toBeLessThanOrEqual(alpha + slack);
    // routes get their shares: 0.001 over all looks
    const withheld = found.filter((looks) => looks.some(({ verdict }) => verdict === 'withheld')).length;
    expect(withheld).toBeLessThanOrEqual(5);
  }, 600_000);

  it('keeps the promise when rows of one prediction are alike', () => {
    const found = verdicts(
      'alike rows',
      300,
      (_, random) => random.normal(),
      1,
      (random) => 1 + random.integer(9),
    );
    const wrong = found.filter((looks) => looks.some(({ verdict }) => verdict === 'better')).length / runs;
    console.log(`alike, of several rows: better at some look in ${wrong}`);
    expect(found.every((looks) => looks.length > 15)).toBe(true);
    expect(wrong).toBeLessThanOrEqual(alpha + slack);
    const withheld = found.filter((looks) => looks.some(({ verdict }) => verdict === 'withheld')).length;
    expect(withheld).toBeLessThanOrEqual(5);
  }, 600_000);

  it('is withheld when half of the feedback of one route gets lost', () => {
    const found = verdicts('lossy', 400, (route, random) => (route === 0 ? 1 : 2) * random.normal(), 1 / 2);
    const last = found.map((looks) => looks.at(-1)?.verdict);
    console.log(`lossy: withheld in ${last.filter((verdict) => verdict === 'withheld').length / runs}`);
    expect(last.filter((verdict) => verdict === 'withheld').length / runs).toBeGreaterThan(0.9);
  }, 600_000);

  it('finds the one with two thirds of the error, and hardly ever the other', () => {
    const found = verdicts('better', 400, (route, random) => (route === 0 ? 1 : 1.5) * random.normal());
    const last = found.map((looks) => looks.find(({ verdict }) => verdict === 'better')?.better);
    const right = last.filter((name) => name === 'r0').length / runs;
    console.log(`two thirds of the error: found in ${right}`);
    expect(right).toBeGreaterThan(0.9);
    expect(last.filter((name) => name === 'r1').length / runs).toBeLessThanOrEqual(alpha);
  }, 600_000);
});

describe('the sequential test', () => {
  const options = { variance: 2, tau: 0.5 };
  it('may be looked at after every pair', () => {
    const rate = share('sequential, alike', (random) => {
      let state = EMPTY_SEQUENTIAL_NORMAL;
      for (let i = 0; i < 500; i++) state = addPair(state, random.normal(), random.normal(), options);
      return state.pValue <= alpha;
    });
    console.log(`sequential, alike: ${rate}`);
    expect(rate).toBeLessThanOrEqual(alpha + slack);
  });

  it('has an interval that holds the difference at every look', () => {
    const rate = share('sequential, interval', (random) => {
      let state = EMPTY_SEQUENTIAL_NORMAL;
      let missed = false;
      for (let i = 0; i < 300; i++) {
        state = addPair(state, random.normal(), 0.3 + random.normal(), options);
        missed ||= Math.abs(state.meanDifference - 0.3) > sequentialHalfWidth(state, options, alpha);
      }
      return missed;
    });
    console.log(`sequential, interval missed: ${rate}`);
    expect(rate).toBeLessThanOrEqual(alpha + slack);
  });

  it('finds a difference', () => {
    const rate = share('sequential, different', (random) => {
      let state = EMPTY_SEQUENTIAL_NORMAL;
      for (let i = 0; i < 500; i++) state = addPair(state, random.normal(), 0.4 + random.normal(), options);
      return state.pValue <= alpha;
    });
    expect(rate).toBeGreaterThan(0.9);
  });

  it('of a rate may be looked at after every trial', () => {
    const rate = share('sequential rate, alike', (random) => {
      let state = EMPTY_SEQUENTIAL_RATE;
      for (let i = 0; i < 500; i++) state = addTrial(state, random.uniform() < 0.3, { nullRate: 0.3 });
      return state.pValue <= alpha;
    });
    console.log(`sequential rate, alike: ${rate}`);
    expect(rate).toBeLessThanOrEqual(alpha + slack);
  });
});

describe('the probability to be the best', () => {
  it('is the share in which the arm is the best, also when it decides when to stop', () => {
    let decided = 0;
    let wrong = 0;
    let promised = 0;
    for (let run = 0; run < runs; run++) {
      const random = seededRandom(`bayes ${run}`);
      const rates = [random.uniform(), random.uniform()];
      const arms = [
        { alpha: 1, beta: 1 },
        { alpha: 1, beta: 1 },
      ];
      for (let look = 0; look < 5; look++) {
        for (let i = 0; i < 40; i++) {
          const arm = arms[i % 2]!;
          if (random.uniform() < rates[i % 2]!) arm.alpha += 1;
          else arm.beta += 1;
        }
        const best = probabilityBest(arms);
        const chosen = best[0]! > best[1]! ? 0 : 1;
        if (best[chosen]! < 0.95 && look < 4) continue;
        if (best[chosen]! < 0.95) break;
        decided += 1;
        promised += 1 - best[chosen]!;
        if (rates[chosen]! < rates[1 - chosen]!) wrong += 1;
        break;
      }
    }
    const [rate, expected] = [wrong / decided, promised / decided];
    console.log(`bayes: ${decided} decided, ${rate} of them wrong, ${expected} promised`);
    expect(decided).toBeGreaterThan(600);
    expect(expected).toBeLessThan(0.05);
    expect(Math.abs(rate - expected)).toBeLessThan(3 * Math.sqrt((expected * (1 - expected)) / decided) + 0.002);
  }, 300_000);
});

describe('the sample ratio check', () => {
  const split = (random: Random, kept: number): readonly [number, number] => {
    let [first, second] = [0, 0];
    for (let i = 0; i < 4_000; i++) {
      if (random.uniform() < 0.5) first += 1;
      else if (random.uniform() < kept) second += 1;
    }
    return [first, second];
  };

  it('alarms in the promised share when the split is as planned', () => {
    const rate = share('ratio, planned', (random) => sampleRatioMismatch(split(random, 1), [1, 1]).pValue <= alpha);
    console.log(`sample ratio, as planned: ${rate}`);
    expect(rate).toBeLessThanOrEqual(alpha + slack);
    expect(rate).toBeGreaterThanOrEqual(alpha - slack);
  });

  it('finds an arm that loses a tenth of its requests', () => {
    expect(
      share('ratio, lossy', (random) => sampleRatioMismatch(split(random, 0.9), [1, 1]).pValue <= alpha),
    ).toBeGreaterThan(0.85);
  });
});
