import { describe, expect, test } from 'vitest';
import { binaryMetrics, confusionRates } from '../../../statistics/metrics/binary.ts';
import { multiclassMetrics, probabilityMetrics } from '../../../statistics/metrics/multiclass.ts';
import { regressionMetrics } from '../../../statistics/metrics/regression.ts';
import {
  addClassification,
  EMPTY_CLASSIFICATION,
  mergeClassification,
  OTHER_LABEL,
  runningClassificationMetrics,
} from '../../../statistics/metrics/running-classification.ts';
import {
  addPrediction,
  EMPTY_REGRESSION,
  mergeRegression,
  type RunningRegression,
  runningRegressionMetrics,
} from '../../../statistics/metrics/running-regression.ts';
import { rocCurve } from '../../../statistics/metrics/roc.ts';
import { expectGolden, goldenCase, goldenCases, num, nums, rows } from '../golden.ts';

describe('binary metrics', () => {
  test.each(goldenCases('metrics', 'binary'))('%s', (_, golden) => {
    const result = binaryMetrics(nums(golden.inputs['y']), nums(golden.inputs['p']), {
      threshold: num(golden.inputs['threshold']),
    });
    const { confusion } = result;
    expectGolden(golden, {
      confusion: {
        tn: confusion.trueNegatives,
        fp: confusion.falsePositives,
        fn: confusion.falseNegatives,
        tp: confusion.truePositives,
      },
      accuracy: result.accuracy,
      precision: result.precision,
      recall: result.recall,
      f1: result.f1,
      mcc: result.mcc,
      log_loss: result.logLoss,
      brier: result.brier,
      ece_10: result.expectedCalibrationError,
      max_calibration_error_10: result.maxCalibrationError,
      reliability_bins_count_confidence_accuracy: result.reliability.map((bin) => [
        bin.count,
        bin.confidence,
        bin.accuracy,
      ]),
      roc_auc: result.rocAuc,
      average_precision: result.averagePrecision,
      ks_statistic: result.ksStatistic,
    });
    expect(confusionRates(confusion).accuracy).toBe(result.accuracy);
  });

  test('weighted', () => {
    const golden = goldenCase('metrics', 'weighted');
    const y = nums(golden.inputs['y']);
    const p = nums(golden.inputs['p']);
    const weights = nums(golden.inputs['weights']);
    const { accuracy, logLoss, brier, rocAuc } = binaryMetrics(y, p, { weights });
    const { rmse } = regressionMetrics(y, p, weights);
    expectGolden(golden, { accuracy, log_loss: logLoss, brier, roc_auc: rocAuc, rmse });
  });

  test('roc-curve', () => {
    const golden = goldenCase('metrics', 'roc-curve');
    const curve = rocCurve(nums(golden.inputs['y']), nums(golden.inputs['p']));
    expectGolden(golden, {
      fpr: curve?.falsePositiveRates,
      tpr: curve?.truePositiveRates,
      thresholds: curve?.thresholds,
      auc: curve?.auc,
    });
  });

  test.each(goldenCases('metrics', 'refused'))('%s', (_, golden) => {
    const y = nums(golden.inputs['y']);
    const p = nums(golden.inputs['p']);
    expect(() => binaryMetrics(y, p)).toThrow(RangeError);
    expect(() => regressionMetrics(y, p)).toThrow(RangeError);
    expect(() => rocCurve(y, p)).toThrow(RangeError);
  });

  test('refuses labels and probabilities that are none', () => {
    expect(() => binaryMetrics([2], [0.5])).toThrow('truth[0] must be 0 or 1, got 2');
    expect(() => binaryMetrics([1], [1.5])).toThrow('probabilities[0] must lie within [0, 1], got 1.5');
  });
});

describe('regression metrics', () => {
  test.each(goldenCases('metrics', 'regression'))('%s', (_, golden) => {
    const result = regressionMetrics(nums(golden.inputs['y']), nums(golden.inputs['predicted']));
    expectGolden(golden, {
      mse: result.mse,
      rmse: result.rmse,
      mae: result.mae,
      median_ae: result.medianAbsoluteError,
      r2: result.r2,
      mape: result.mape,
      explained_variance: result.explainedVariance,
      max_error: result.maxError,
      mean_error: result.meanError,
    });
  });
});

describe('multiclass metrics', () => {
  const withProbabilities = goldenCases('metrics', 'multiclass').filter(
    ([, golden]) => 'probabilities' in golden.inputs,
  );
  test.each(withProbabilities)('%s', (_, golden) => {
    const result = probabilityMetrics(
      nums(golden.inputs['y']),
      rows(golden.inputs['probabilities']),
      nums(golden.inputs['classes']),
    );
    const per = (key: 'precision' | 'recall' | 'f1' | 'support') => result.perClass.map((metrics) => metrics[key]);
    expectGolden(golden, {
      confusion: result.confusion,
      accuracy: result.accuracy,
      balanced_accuracy: result.balancedAccuracy,
      per_class: { precision: per('precision'), recall: per('recall'), f1: per('f1'), support: per('support') },
      mcc: result.mcc,
      kappa: result.kappa,
      log_loss: result.logLoss,
      brier_multiclass: result.brier,
      f1_micro: result.f1Micro,
      f1_macro: result.f1Macro,
      f1_weighted: result.f1Weighted,
      roc_auc_ovr_macro: result.rocAucOneVersusRest,
      top2_accuracy: result.top2Accuracy,
    });
  });

  test('text labels', () => {
    const golden = goldenCase('metrics', 'multiclass-string-labels');
    const result = multiclassMetrics(golden.inputs['y'] as string[], golden.inputs['predicted'] as string[]);
    const { labels, confusion, accuracy, f1Macro, f1Weighted } = result;
    expectGolden(golden, { labels, confusion, accuracy, f1_macro: f1Macro, f1_weighted: f1Weighted });
  });

  test('refuses a label outside the given classes', () => {
    expect(() => multiclassMetrics(['a', 'z'], ['a', 'a'], ['a', 'b'])).toThrow(
      'truth[1] is not among the labels: "z"',
    );
  });
});

describe('metrics of a stream', () => {
  test('regression metrics in O(1) memory equal those of the whole sample, in any split', () => {
    const golden = goldenCase('metrics', 'regression-good');
    const y = nums(golden.inputs['y']);
    const predicted = nums(golden.inputs['predicted']);
    const fold = (from: number, to: number) =>
      y
        .slice(from, to)
        .reduce((state, truth, i) => addPrediction(state, truth, predicted[from + i]!), EMPTY_REGRESSION);
    const whole = regressionMetrics(y, predicted);
    for (const cut of [0, 1, 50, y.length]) {
      const state = JSON.parse(JSON.stringify(mergeRegression(fold(0, cut), fold(cut, y.length)))) as RunningRegression;
      const running = runningRegressionMetrics(state);
      expect(running.count).toBe(y.length);
      for (const key of ['mse', 'rmse', 'mae', 'meanError', 'r2'] as const) {
        expect(running[key], key).toBeCloseTo(whole[key]!, 10);
      }
      expect(running.maeInterval[0]).toBeLessThan(whole.mae);
      expect(running.maeInterval[1]).toBeGreaterThan(whole.mae);
    }
    const constant = (prediction: number) =>
      runningRegressionMetrics(addPrediction(addPrediction(EMPTY_REGRESSION, 3, 3), 3, prediction)).r2;
    expect([constant(3), constant(4)]).toEqual([1, 0]);
    expect(runningRegressionMetrics(EMPTY_REGRESSION)).toMatchObject({ count: 0, mse: Number.NaN, r2: null });
  });

  test('classification metrics of a confusion table equal those of the whole sample, in any split', () => {
    const golden = goldenCase('metrics', 'multiclass-string-labels');
    const y = golden.inputs['y'] as string[];
    const predicted = golden.inputs['predicted'] as string[];
    const fold = (from: number, to: number) =>
      y
        .slice(from, to)
        .reduce((state, truth, i) => addClassification(state, truth, predicted[from + i]!), EMPTY_CLASSIFICATION);
    const merged = mergeClassification(fold(17, y.length), fold(0, 17));
    expect(runningClassificationMetrics(merged)).toEqual(multiclassMetrics(y, predicted));
    expect(runningClassificationMetrics(EMPTY_CLASSIFICATION)).toBeNull();
    const odd = ['constructor', '__proto__', 'toString'].reduce(
      (state, label) => addClassification(state, label, label),
      EMPTY_CLASSIFICATION,
    );
    const counted = JSON.parse(JSON.stringify(odd)) as typeof odd;
    expect(runningClassificationMetrics(counted)).toMatchObject({
      accuracy: 1,
      confusion: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    });
  });

  test('a stream of ever new labels does not grow its state without bound', () => {
    let state = EMPTY_CLASSIFICATION;
    for (let i = 0; i < 500; i++) state = addClassification(state, `label-${i}`, `label-${i}`);
    const metrics = runningClassificationMetrics(state)!;
    expect(state.count).toBe(500);
    expect(metrics.labels.length).toBe(101);
    expect(state.counts[OTHER_LABEL]).toEqual({ [OTHER_LABEL]: 400 });
  });
});
