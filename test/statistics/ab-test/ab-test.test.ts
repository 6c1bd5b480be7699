import { describe, expect, test } from 'vitest';
import { sampleSizePerArm } from '../../../statistics/ab-test/sample-size.ts';
import {
  addPair,
  addTrial,
  EMPTY_SEQUENTIAL_NORMAL,
  EMPTY_SEQUENTIAL_RATE,
  sequentialHalfWidth,
  sequentialLogRatio,
  sequentialRateLogRatio,
} from '../../../statistics/ab-test/sequential.ts';
import { expectedLoss, probabilityBest, thompsonPick } from '../../../statistics/ab-test/thompson.ts';
import { expectedSplit, sampleRatioMismatch } from '../../../statistics/ab-test/traffic-split.ts';
import {
  clopperPearsonInterval,
  twoProportionTest,
  wilsonInterval,
} from '../../../statistics/ab-test/two-proportion.ts';
import { addToClusters, clusterMoments, EMPTY_CLUSTERS } from '../../../statistics/ab-test/clustered.ts';
import { meanInterval, welchTest } from '../../../statistics/ab-test/welch.ts';
import { seededRandom } from '../../../statistics/random.ts';
import {
  addToMoments,
  EMPTY_MOMENTS,
  mergeMoments,
  momentsOf,
  type RunningMoments,
  varianceOf,
} from '../../../statistics/samples/running-moments.ts';
import { chiSquaredQuantile } from '../../../statistics/special/chi-squared.ts';
import { expectGolden, goldenCase, goldenCases, num, nums, rows } from '../golden.ts';

describe('Welch comparison of two means', () => {
  test.each(goldenCases('ab-test', 'welch').filter(([name]) => name !== 'welch-both-constant'))(
    '%s',
    (name, reference) => {
      // At an offset of 1e9 a mean in doubles is good to 1.2e−7 only, the reference's own included: its difference is
      // −0.65369678 where rational arithmetic gives −0.65369667.
      const loose = { abs: 0, rel: 3e-6 };
      const golden = name === 'welch-huge-offset' ? { ...reference, tolerance: { default: loose } } : reference;
      const result = welchTest(momentsOf(nums(golden.inputs['x'])), momentsOf(nums(golden.inputs['y'])));
      expectGolden(golden, {
        t: result.statistic,
        df: result.degreesOfFreedom,
        pvalue: result.pValue,
        pvalue_less: result.pValueLess,
        diff: result.difference,
        ci95_diff: result.interval,
        cohens_d_average_sd: result.effectSize,
        student_t: result.pooledStatistic,
      });
    },
  );

  test('is undefined, not zero, when neither arm varies or an arm has one value', () => {
    const golden = goldenCase('ab-test', 'welch-both-constant');
    const constant = momentsOf(nums(golden.inputs['x']));
    expect(welchTest(constant, momentsOf(nums(golden.inputs['y']))).pValue).toBeNaN();
    expect(welchTest(momentsOf([1]), momentsOf([1, 2, 3])).pValue).toBeNaN();
    expect(meanInterval(momentsOf([1]))[0]).toBeNaN();
  });
});

describe('a mean of rows that come in clusters', () => {
  test.each(goldenCases('clustered'))('%s', (_, golden) => {
    const clusters = nums(golden.inputs['cluster']);
    const before = new Map<number, { readonly rows: number; readonly sum: number }>();
    let [moments, within] = [EMPTY_MOMENTS, EMPTY_CLUSTERS];
    for (const [at, x] of nums(golden.inputs['x']).entries()) {
      const cluster = clusters[at] ?? 0;
      const known = before.get(cluster) ?? { rows: 0, sum: 0 };
      moments = addToMoments(moments, x);
      within = addToClusters(within, x, known);
      before.set(cluster, { rows: known.rows + 1, sum: known.sum + x });
    }
    const together = clusterMoments(moments, within);
    const { count, mean } = together;
    expect(count).toBe(before.size);
    expectGolden(golden, {
      mean,
      standard_error: Math.sqrt(varianceOf(together) / count),
      ci95: meanInterval(together),
    });
  });
});

describe('running moments', () => {
  const values = Array.from(
    { length: 300 },
    (
      (random) => () =>
        100 + random.normal()
    )(seededRandom(2)),
  );
  const fold = (part: number[]) => part.reduce<RunningMoments>(addToMoments, EMPTY_MOMENTS);

  test('added one by one equal the moments of the whole sample', () => {
    const whole = momentsOf(values);
    const added = JSON.parse(JSON.stringify(fold(values))) as RunningMoments;
    expect(added.count).toBe(300);
    expect(added.mean).toBeCloseTo(whole.mean, 10);
    expect(varianceOf(added)).toBeCloseTo(varianceOf(whole), 10);
  });

  test('merge in any split and order', () => {
    const whole = momentsOf(values);
    for (const cut of [0, 1, 77, 299, 300]) {
      const merged = mergeMoments(fold(values.slice(cut)), fold(values.slice(0, cut)));
      expect(merged.count).toBe(300);
      expect(merged.mean).toBeCloseTo(whole.mean, 10);
      expect(varianceOf(merged)).toBeCloseTo(varianceOf(whole), 10);
    }
  });

  test('refuse NaN', () => {
    expect(() => addToMoments(EMPTY_MOMENTS, Number.NaN)).toThrow('value must be a finite number, got NaN');
  });
});

describe('comparison of two rates', () => {
  test.each(goldenCases('ab-test', 'two-proportion'))('%s', (_, golden) => {
    const arm = (key: string) => {
      const [successes = 0, trials = 0] = nums(golden.inputs[key]);
      return { successes, trials };
    };
    const result = twoProportionTest(arm('control'), arm('treatment'));
    expectGolden(golden, {
      z_pooled: result.statistic,
      pvalue: result.pValue,
      diff: result.difference,
      ci95_newcombe: result.interval,
      ci95_wald: result.waldInterval,
      wilson_control: wilsonInterval(arm('control')),
      wilson_treatment: wilsonInterval(arm('treatment')),
      clopper_pearson_treatment: clopperPearsonInterval(arm('treatment')),
      relative_lift: result.relativeLift,
    });
  });

  test('refuses more successes than trials', () => {
    expect(() => wilsonInterval({ successes: 3, trials: 2 })).toThrow('successes must not exceed trials 2, got 3');
  });
});

describe('planning and traffic', () => {
  test('sample-size', () => {
    const golden = goldenCase('ab-test', 'sample-size');
    const { effect_size_d, alpha, power } = golden.inputs;
    const plan = { effectSize: num(effect_size_d), alpha: num(alpha), power: num(power) };
    expectGolden(golden, {
      n_per_arm_t_test: sampleSizePerArm(plan),
      n_per_arm_normal: sampleSizePerArm({ ...plan, law: 'normal' }),
    });
  });

  test.each(goldenCases('ab-test', 'sample-ratio'))('%s', (_, golden) => {
    const { statistic, pValue } = sampleRatioMismatch(nums(golden.inputs['observed']), nums(golden.inputs['planned']));
    expectGolden(golden, { statistic, pvalue: pValue });
  });

  test('traffic-split-counts', () => {
    const golden = goldenCase('ab-test', 'traffic-split-counts');
    const weights = nums(golden.inputs['weights']);
    expectGolden(golden, {
      expected: expectedSplit(weights, num(golden.inputs['n'])),
      'chi2_limit_p_1e-6': chiSquaredQuantile(1 - 1e-6, weights.length - 1),
    });
  });
});

describe('sequential comparison', () => {
  test.each(goldenCases('ab-test', 'msprt'))('%s', (_, golden) => {
    const control = nums(golden.inputs['control']);
    const treatment = nums(golden.inputs['treatment']);
    const options = {
      variance: num(golden.inputs['sigma_x']) ** 2 + num(golden.inputs['sigma_y']) ** 2,
      tau: num(golden.inputs['tau']),
    };
    const alpha = num(golden.inputs['alpha']);
    const at: Record<string, Record<string, number>> = { log_lambda: {}, pvalue: {}, half_width: {} };
    let state = EMPTY_SEQUENTIAL_NORMAL;
    let stop: number | null = null;
    control.forEach((value, i) => {
      state = addPair(state, value, treatment[i] ?? 0, options);
      if (stop === null && state.pValue <= alpha) stop = state.pairs;
      at['log_lambda']![state.pairs] = sequentialLogRatio(state, options);
      at['pvalue']![state.pairs] = state.pValue;
      at['half_width']![state.pairs] = sequentialHalfWidth(state, options, alpha);
    });
    expectGolden(golden, { ...at, stop_after_pairs: stop });
  });

  test.each(goldenCases('ab-test', 'beta-mixture'))('%s', (_, golden) => {
    const options = {
      nullRate: num(golden.inputs['p0']),
      a: num(golden.inputs['a']),
      b: num(golden.inputs['b']),
    };
    let state = EMPTY_SEQUENTIAL_RATE;
    let first: number | null = null;
    let at50 = Number.NaN;
    for (const x of nums(golden.inputs['x'])) {
      state = addTrial(state, x === 1, options);
      if (first === null && state.pValue < 0.05) first = state.trials;
      if (state.trials === 50) at50 = sequentialRateLogRatio(state, options);
    }
    expectGolden(golden, {
      log_lambda_last: sequentialRateLogRatio(state, options),
      log_lambda_50: at50,
      pvalue_last: state.pValue,
      first_n_below_05: first,
    });
  });
});

describe('Thompson sampling', () => {
  test.each(goldenCases('ab-test', 'thompson'))('%s', (_, golden) => {
    const arms = rows(golden.inputs['alpha_beta']).map(([alpha = 0, beta = 0]) => ({ alpha, beta }));
    const best = probabilityBest(arms);
    expectGolden(golden, {
      probability_best: best,
      means: arms.map(({ alpha, beta }) => alpha / (alpha + beta)),
      probability_second_beats_first: best[1],
      expected_loss_choosing_second: expectedLoss(arms[1]!, arms[0]!),
    });
    const random = seededRandom(31);
    const draws = 2000;
    const picks = arms.map(() => 0);
    for (let i = 0; i < draws; i++) picks[thompsonPick(arms, random)]! += 1;
    picks.forEach((count, i) => {
      const p = best[i]!;
      expect(Math.abs(count / draws - p)).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / draws) + 1e-12);
    });
  });
});
