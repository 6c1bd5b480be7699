import { describe, expect, test } from 'vitest';
import {
  empiricalThreshold,
  fitMahalanobis,
  mahalanobisFromCovariance,
  mahalanobisThreshold,
  scoreMahalanobis,
} from '../../../statistics/outliers/mahalanobis.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { covarianceOf, covarianceStateOf, mergeCovariance } from '../../../statistics/outliers/running-covariance.ts';
import { pseudoInverse } from '../../../statistics/matrices/symmetric-matrix.ts';
import { expectGolden, goldenCase, goldenCases, nums, rows } from '../golden.ts';

describe('Mahalanobis distance', () => {
  test.each(goldenCases('mahalanobis').filter(([, golden]) => 'query' in golden.inputs))('%s', (name, golden) => {
    const reference = rows(golden.inputs['reference']);
    const model = JSON.parse(JSON.stringify(fitMahalanobis(reference))) as ReturnType<typeof fitMahalanobis>;
    const scores = rows(golden.inputs['query']).map((row) => scoreMahalanobis(model, row));
    const covariance = covarianceOf(covarianceStateOf(reference));
    expectGolden(
      golden,
      {
        mean: model.mean,
        covariance,
        rank: model.rank,
        mahalanobis_squared: scores.map(({ squaredDistance }) => squaredDistance),
        pvalue_chi2: scores.map(({ pValue }) => pValue),
        threshold_999: mahalanobisThreshold(model),
      },
      ['condition'],
    );
    const { condition } = golden.expected;
    if (typeof condition === 'number') expect(pseudoInverse(covariance).condition / condition).toBeCloseTo(1, 6);
    const changed = name === 'constant-column' ? [[], [], [2]] : scores.map(() => []);
    expect(scores.map(({ changedConstants }) => changedConstants)).toEqual(changed);
  });

  test('splits a distance into shares of the columns', () => {
    const random = seededRandom(3);
    const model = fitMahalanobis(Array.from({ length: 200 }, () => [random.normal(), 5 * random.normal()]));
    const { squaredDistance, contributions } = scoreMahalanobis(model, [0, 50]);
    expect((contributions[0] ?? 0) + (contributions[1] ?? 0)).toBeCloseTo(squaredDistance, 8);
    expect(contributions[1]).toBeGreaterThan(0.9 * squaredDistance);
  });

  test('keeps columns of very different units when asked to scale', () => {
    const golden = goldenCase('mahalanobis', 'scaled-columns');
    const model = fitMahalanobis(rows(golden.inputs['reference']), { scale: 'standard' });
    expect(model.rank).toBe(2);
    expect(scoreMahalanobis(model, [0, -0.05]).squaredDistance).toBeGreaterThan(20);
  });

  test('keeps the stated false positive rate on normal rows, by law and by scores', () => {
    const random = seededRandom(11);
    const row = () => {
      const shared = random.normal();
      return [shared + random.normal(), shared - random.normal(), random.normal()];
    };
    const model = fitMahalanobis(Array.from({ length: 2000 }, row));
    const scores = Array.from({ length: 4000 }, () => scoreMahalanobis(model, row()).squaredDistance);
    const rate = (limit: number) => scores.filter((score) => score > limit).length / scores.length;
    expect(rate(mahalanobisThreshold(model, 0.05))).toBeGreaterThan(0.04);
    expect(rate(mahalanobisThreshold(model, 0.05))).toBeLessThan(0.06);
    expect(rate(empiricalThreshold(scores, 0.05))).toBeCloseTo(0.05, 3);
  });

  test('refuses a row with another number of columns, and NaN', () => {
    const model = fitMahalanobis([
      [1, 2],
      [2, 1],
      [3, 3],
    ]);
    expect(() => scoreMahalanobis(model, [1])).toThrow('row must have 2 columns, got 1');
    expect(() => scoreMahalanobis(model, [1, Number.NaN])).toThrow('row[1] must be a finite number, got NaN');
    expect(() => fitMahalanobis([[1, 2]])).toThrow('rows must hold at least 2');
  });
});

describe('running covariance', () => {
  test('welford-online-covariance', () => {
    const golden = goldenCase('mahalanobis', 'welford-online-covariance');
    const all = rows(golden.inputs['rows']);
    const states = nums(golden.inputs['after_rows']).map((n) => covarianceStateOf(all.slice(0, n)));
    expectGolden(golden, { means: states.map(({ mean }) => mean), covariances: states.map(covarianceOf) });
  });

  test('welford-large-offset', () => {
    const golden = goldenCase('mahalanobis', 'welford-large-offset');
    const state = covarianceStateOf(rows(golden.inputs['rows']));
    expectGolden(golden, { mean: state.mean, covariance: covarianceOf(state) });
  });

  test('merges the states of two parts into the state of the whole', () => {
    const golden = goldenCase('mahalanobis', 'welford-online-covariance');
    const all = rows(golden.inputs['rows']);
    const merged = mergeCovariance(covarianceStateOf(all.slice(0, 17)), covarianceStateOf(all.slice(17)));
    const whole = covarianceStateOf(all);
    expect(merged.count).toBe(whole.count);
    covarianceOf(merged).forEach((line, i) =>
      line.forEach((value, j) => expect(value).toBeCloseTo(covarianceOf(whole)[i]![j]!, 12)),
    );
    expect(mahalanobisFromCovariance(merged).rank).toBe(3);
  });
});
