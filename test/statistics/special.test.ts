import { describe, expect, test } from 'vitest';
import { kendallTau, pearsonCorrelation, spearmanCorrelation } from '../../statistics/samples/correlation.ts';
import {
  exactSum,
  excessKurtosis,
  mean,
  medianAbsoluteDeviation,
  skewness,
  variance,
} from '../../statistics/samples/descriptive.ts';
import { quantiles } from '../../statistics/samples/quantiles.ts';
import { ascendingOrder, averageRanks } from '../../statistics/samples/ranks.ts';
import { betaQuantile, incompleteBeta, logBeta } from '../../statistics/special/beta.ts';
import { chiSquaredCdf, chiSquaredQuantile, chiSquaredSurvival } from '../../statistics/special/chi-squared.ts';
import { digamma, incompleteGamma, logGamma } from '../../statistics/special/gamma.ts';
import { integrate } from '../../statistics/special/integrate.ts';
import { kolmogorovSurvival, kolmogorovSurvivalExact } from '../../statistics/special/kolmogorov.ts';
import { erf, erfc, normalCdf, normalLogCdf, normalQuantile, normalSurvival } from '../../statistics/special/normal.ts';
import { studentQuantile, studentSurvival } from '../../statistics/special/student-t.ts';
import { expectGolden, goldenCase, goldenCases, num, nums } from './golden.ts';

describe('special functions agree with the reference', () => {
  test.each(goldenCases('special', 'beta-incomplete'))('%s', (_, golden) => {
    const a = num(golden.inputs['a']);
    const b = num(golden.inputs['b']);
    expectGolden(golden, {
      I: nums(golden.inputs['x']).map((x) => incompleteBeta(x, a, b)),
      ppf_05_50_95: [0.05, 0.5, 0.95].map((q) => betaQuantile(q, a, b)),
      lbeta: logBeta(a, b),
    });
  });

  test.each(goldenCases('special', 'gamma-incomplete'))('%s', (_, golden) => {
    const a = num(golden.inputs['a']);
    const values = nums(golden.inputs['x']).map((x) => incompleteGamma(a, x));
    expectGolden(golden, {
      P: values.map(({ lower }) => lower),
      Q: values.map(({ upper }) => upper),
      lgamma: logGamma(a),
      digamma: digamma(a),
    });
  });

  test('chi-squared', () => {
    const golden = goldenCase('special', 'chi-squared');
    const df = nums(golden.inputs['df']);
    expectGolden(golden, {
      sf: df.map((d) => nums(golden.inputs['x']).map((x) => chiSquaredSurvival(x, d))),
      ppf_95_999: df.map((d) => [0.95, 0.999].map((q) => chiSquaredQuantile(q, d))),
    });
  });

  test('error function', () => {
    const golden = goldenCase('special', 'erf');
    const x = nums(golden.inputs['x']);
    expectGolden(golden, { erf: x.map(erf), erfc: x.map(erfc) });
  });

  test('normal distribution', () => {
    const golden = goldenCase('special', 'normal');
    const x = nums(golden.inputs['x']);
    expectGolden(golden, { cdf: x.map(normalCdf), sf: x.map(normalSurvival), log_cdf: x.map(normalLogCdf) });
    const quantile = goldenCase('special', 'normal-quantile');
    expectGolden(quantile, { x: nums(quantile.inputs['q']).map(normalQuantile) });
  });

  test('Student t', () => {
    const golden = goldenCase('special', 'student-t');
    const df = nums(golden.inputs['df']);
    expectGolden(golden, {
      sf: df.map((d) => nums(golden.inputs['t']).map((t) => studentSurvival(t, d))),
      ppf_975: df.map((d) => studentQuantile(0.975, d)),
    });
  });

  test('Kolmogorov limit law', () => {
    const golden = goldenCase('special', 'kolmogorov-limit');
    expectGolden(golden, { Q: nums(golden.inputs['x']).map(kolmogorovSurvival) });
  });

  test.each(goldenCases('special', 'exact-sum'))('%s', (_, golden) => {
    const x = nums(golden.inputs['x']);
    expectGolden(golden, { sum: exactSum(x), mean: mean(x) });
  });

  test('quantiles, ranks and moments', () => {
    const golden = goldenCase('special', 'quantile-and-ranks');
    const x = nums(golden.inputs['x']);
    expectGolden(golden, {
      type7: quantiles(x, nums(golden.inputs['q'])),
      average_ranks: averageRanks(x),
      variance_ddof1: variance(x),
      skew: skewness(x),
      excess_kurtosis: excessKurtosis(x),
      mad: medianAbsoluteDeviation(x),
    });
  });

  test('orders infinities, and keeps the order of equal values', () => {
    expect([...ascendingOrder([2, Infinity, -Infinity, 2, Infinity, -Infinity])]).toEqual([2, 5, 0, 3, 1, 4]);
    expect([...averageRanks([Infinity, 0, Infinity])]).toEqual([2.5, 1, 2.5]);
  });

  test('correlation', () => {
    const golden = goldenCase('special', 'correlation');
    const x = nums(golden.inputs['x']);
    const y = nums(golden.inputs['y']);
    const pearson = pearsonCorrelation(x, y);
    const spearman = spearmanCorrelation(x, y);
    expectGolden(golden, {
      pearson: pearson.statistic,
      pearson_p: pearson.pValue,
      spearman: spearman.statistic,
      spearman_p: spearman.pValue,
      kendall_tau_b: kendallTau(x, y),
    });
  });
});

describe('special functions agree with themselves', () => {
  test('the finite Kolmogorov law joins its methods without a step', () => {
    // n = 140 is the last computed exactly by the matrix, n = 141 the first by the expansion.
    for (const z of [0.4, 0.6, 0.83, 1, 1.3, 1.45]) {
      const at = (n: number) => kolmogorovSurvivalExact(z / Math.sqrt(n), n);
      // Second difference of a smooth function of n: far below the first.
      expect(Math.abs(at(141) - 2 * at(140) + at(139))).toBeLessThan(5e-6);
    }
    // n d² = 4 (small n) or 2.2 (large n) is where the doubled one-sided tail takes over.
    for (const [n, join] of [
      [50, 4],
      [300, 2.2],
      [2000, 2.2],
    ] as const) {
      const below = kolmogorovSurvivalExact((Math.sqrt(join) - 1e-9) / Math.sqrt(n), n);
      const above = kolmogorovSurvivalExact((Math.sqrt(join) + 1e-9) / Math.sqrt(n), n);
      expect(Math.abs(below - above) / above).toBeLessThan(1e-4);
    }
  });

  test('quantiles invert distribution functions over many orders of magnitude', () => {
    for (const q of [1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.999999]) {
      expect(normalCdf(normalQuantile(q)) / q).toBeCloseTo(1, 11);
      for (const [a, b] of [
        [0.3, 0.4],
        [2, 5],
        [50, 0.7],
        [3000, 900],
      ] as const) {
        expect(incompleteBeta(betaQuantile(q, a, b), a, b) / q).toBeCloseTo(1, 7);
      }
      for (const df of [0.5, 3, 1000]) {
        expect(chiSquaredCdf(chiSquaredQuantile(q, df), df) / q).toBeCloseTo(1, 8);
        expect(studentSurvival(-studentQuantile(q, df), df) / q).toBeCloseTo(1, 8);
      }
    }
  });

  test('integrates a density that is singular at both ends', () => {
    const area = integrate((_, a, b) => 1 / Math.sqrt(a * b), 0, 1);
    expect(area).toBeCloseTo(Math.PI, 9);
  });

  test.each([
    ['logGamma', () => logGamma(0)],
    ['incompleteBeta', () => incompleteBeta(1.5, 1, 1)],
    ['incompleteGamma', () => incompleteGamma(1, Number.NaN)],
    ['normalQuantile', () => normalQuantile(2)],
    ['mean', () => mean([])],
    ['mean', () => mean([1, Number.NaN])],
    ['quantiles', () => quantiles([1, Number.NaN], [0.5])],
  ])('%s refuses what it is not defined for', (_, call) => {
    expect(call).toThrow(RangeError);
  });
});
