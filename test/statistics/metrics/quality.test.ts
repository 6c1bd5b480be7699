import { describe, expect, it } from 'vitest';
import { meanInterval } from '../../../statistics/ab-test/welch.ts';
import {
  classificationQuality,
  type QualityValue,
  regressionQuality,
  rewardQuality,
} from '../../../statistics/metrics/quality.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { momentsOf } from '../../../statistics/samples/running-moments.ts';
import { normalCdf } from '../../../statistics/special/normal.ts';
import { expectGolden, goldenCase, nums } from '../golden.ts';

describe('quality is what scikit-learn computes', () => {
  const valuesOf = (metrics: readonly QualityValue[]) =>
    Object.fromEntries(metrics.map(({ name, value }) => [name, value]));

  it('of numbers', () => {
    const golden = goldenCase('quality', 'regression');
    const { truth, prediction } = golden.inputs;
    expectGolden(golden, valuesOf(regressionQuality(nums(truth), nums(prediction))));
  });

  it('of two classes, with their calibration', () => {
    const golden = goldenCase('quality', 'binary');
    const labels = nums(golden.inputs['label']);
    const scores = nums(golden.inputs['score']);
    const rows = scores.map((score, row) => ({
      answer: score >= 0.5 ? '1' : '0',
      label: String(labels[row]),
      probabilities: [1 - score, score],
    }));
    const { metrics, calibration } = classificationQuality(rows);
    expectGolden(golden, { ...valuesOf(metrics), calibration });
  });

  it('of several classes', () => {
    const golden = goldenCase('quality', 'multiclass');
    const labels = nums(golden.inputs['label']);
    const given = (golden.inputs['probabilities'] as unknown[]).map(nums);
    const rows = given.map((probabilities, row) => ({
      answer: String(probabilities.indexOf(Math.max(...probabilities))),
      label: String(labels[row]),
      probabilities,
    }));
    expectGolden(golden, valuesOf(classificationQuality(rows).metrics));
  });
});

describe('the intervals of quality', () => {
  it('of means are those of Student', () => {
    const random = seededRandom('quality intervals');
    const truth = Array.from({ length: 50 }, () => random.normal());
    const predicted = truth.map((value) => value + 0.3 * random.normal());
    const errors = predicted.map((value, index) => value - truth[index]!);
    const named = new Map(regressionQuality(truth, predicted).map((one) => [one.name, one]));
    const [low, high] = meanInterval(momentsOf(errors.map(Math.abs)));
    expect(named.get('mae')!.low).toBeCloseTo(low, 12);
    expect(named.get('mae')!.high).toBeCloseTo(high, 12);
    expect(named.get('mean_error')!.low).toBeCloseTo(meanInterval(momentsOf(errors))[0], 12);
  });

  it('of the area under the curve, of accuracy and of the median hold the truth as often as they say', () => {
    const runs = 300;
    const missed = { auc: 0, accuracy: 0, median: 0 };
    const area = normalCdf(1 / Math.SQRT2);
    for (let run = 0; run < runs; run++) {
      const random = seededRandom(`quality coverage ${run}`);
      const rows = Array.from({ length: 120 }, (_, index) => {
        const score = normalCdf(random.normal() + (index % 2));
        return {
          answer: random.uniform() < 0.8 ? String(index % 2) : 'x',
          label: String(index % 2),
          probabilities: [score],
        };
      });
      const { metrics } = classificationQuality(rows);
      const outside = (name: string, value: number): number => {
        const found = metrics.find((one) => one.name === name)!;
        return value < found.low || value > found.high ? 1 : 0;
      };
      missed.auc += outside('auc', area);
      missed.accuracy += outside('accuracy', 0.8);
      const { medianLow, medianHigh } = rewardQuality(Array.from({ length: 101 }, () => random.exponential()));
      missed.median += Math.LN2 < medianLow || Math.LN2 > medianHigh ? 1 : 0;
    }
    // four standard errors above 5 %
    for (const count of Object.values(missed)) expect(count / runs).toBeLessThan(0.1);
  });
});

describe('rewards', () => {
  it('without a bound are judged by their median, others by their mean', () => {
    const lucky = [...Array.from({ length: 99 }, (_, i) => 1 + i / 100), 1e6];
    expect(rewardQuality(lucky)).toMatchObject({ trust: 'median', count: 100 });
    expect(rewardQuality(lucky.slice(0, 99))).toMatchObject({ trust: 'mean' });
    expect(rewardQuality([0, 0, 0, 1]).trust).toBe('mean');
  });
});
