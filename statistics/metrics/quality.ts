/**
 * Quality of one window of rows whose truth is known, each metric with a 95 % interval where there is a closed one: means by Student's t,
 * rates by Wilson, the area under the curve by Hanley and McNeil (1982), medians by order statistics. NaN: not defined.
 */
import { wilsonInterval } from '../ab-test/two-proportion.ts';
import { quantileOfSorted, sortedCopy } from '../samples/quantiles.ts';
import { addToMoments, EMPTY_MOMENTS, type RunningMoments, varianceOf } from '../samples/running-moments.ts';
import { normalQuantile } from '../special/normal.ts';
import { studentQuantile } from '../special/student-t.ts';
import { binaryMetrics } from './binary.ts';
import { multiclassMetrics, probabilityMetrics } from './multiclass.ts';
import { regressionMetrics } from './regression.ts';

export interface QualityValue {
  readonly name: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface CalibrationPoint {
  readonly count: number;
  readonly confidence: number;
  readonly frequency: number;
}

export interface ClassifiedRow {
  readonly answer: string;
  readonly label: string;
  /** Of the classes in the order of `classes`, or of class 1 alone; empty: unknown. */
  readonly probabilities: readonly number[];
}

export interface RewardQuality {
  readonly count: number;
  readonly mean: number;
  readonly meanLow: number;
  readonly meanHigh: number;
  readonly median: number;
  readonly medianLow: number;
  readonly medianHigh: number;
  readonly trust: 'mean' | 'median';
  readonly why: string;
}

const none = Number.NaN;
const confidence = 0.95;
/** A map: labels are texts of anybody, and an object has names that nobody gave it. */
const binaryLabels: ReadonlyMap<string, number> = new Map([
  ['0', 0],
  ['1', 1],
  ['false', 0],
  ['true', 1],
]);
/** Squares of larger errors, summed over a window, may leave the range of doubles. */
const errorMax = 1e150;

/** RMSE, MAE, mean error and R² of predictions against truths; NaN where an error is too large to be squared. */
export function regressionQuality(truth: readonly number[], predicted: readonly number[]): readonly QualityValue[] {
  const isTooLarge = (value: number): boolean => !(Math.abs(value) <= errorMax);
  if (truth.some(isTooLarge) || predicted.some(isTooLarge)) return undefinedQuality('regression');
  const intervalOf = intervalsOf(truth.length);
  const { rmse, mae, meanError, r2 } = regressionMetrics(truth, predicted);
  const errors = predicted.map((value, index) => value - (truth[index] ?? 0));
  const [squaredLow, squaredHigh] = intervalOf(errors.map((error) => error * error));
  return [
    { name: 'rmse', value: rmse, low: Math.sqrt(Math.max(0, squaredLow)), high: Math.sqrt(squaredHigh) },
    withInterval('mae', mae, intervalOf(errors.map(Math.abs))),
    withInterval('mean_error', meanError, intervalOf(errors)),
    { name: 'r2', value: r2 ?? none, low: none, high: none },
  ];
}

/** The values of a window of which none could be computed. */
export function undefinedQuality(task: 'regression' | 'classification'): readonly QualityValue[] {
  const names = task === 'regression' ? ['rmse', 'mae', 'mean_error', 'r2'] : ['accuracy', 'f1'];
  return names.map((name) => ({ name, value: none, low: none, high: none }));
}

/** Accuracy, macro F1; with probabilities also log loss, Brier, AUC and calibration error, over the rows that have them. */
export function classificationQuality(rows: readonly ClassifiedRow[]): {
  readonly metrics: readonly QualityValue[];
  readonly calibration: readonly CalibrationPoint[];
} {
  const labels = rows.map(({ label }) => label);
  const { accuracy, f1Macro } = multiclassMetrics(
    labels,
    rows.map(({ answer }) => answer),
  );
  const [low, high] = wilsonInterval({ successes: Math.round(accuracy * rows.length), trials: rows.length });
  const metrics: QualityValue[] = [
    { name: 'accuracy', value: accuracy, low, high },
    { name: 'f1', value: f1Macro, low: none, high: none },
  ];
  const width = rows[0]?.probabilities.length ?? 0;
  if (width === 0 || rows.some(({ probabilities }) => probabilities.length !== width))
    return { metrics, calibration: [] };
  const binary = width <= 2 ? binaryQuality(rows) : undefined;
  if (binary !== undefined) return { metrics: [...metrics, ...binary.metrics], calibration: binary.calibration };
  const classes = classNames(width);
  if (width < 2 || labels.some((label) => !classes.includes(label))) return { metrics, calibration: [] };
  const intervalOf = intervalsOf(rows.length);
  const many = probabilityMetrics(
    labels,
    rows.map(({ probabilities }) => probabilities),
    classes,
  );
  const losses = rows.map(({ label, probabilities }) => -Math.log(clipped(probabilities[classes.indexOf(label)] ?? 0)));
  return {
    metrics: [
      ...metrics,
      withInterval('log_loss', many.logLoss, intervalOf(losses)),
      { name: 'brier', value: many.brier, low: none, high: none },
      { name: 'auc', value: many.rocAucOneVersusRest ?? none, low: none, high: none },
    ],
    calibration: [],
  };
}

/**
 * Mean beside median. Which to trust: a mean that a few rows take out of the middle half of the rewards tells of those rows alone.
 * @throws RangeError for a reward that is no finite number
 */
export function rewardQuality(rewards: readonly number[]): RewardQuality {
  const sorted = sortedCopy(rewards);
  const moments = momentsOf(rewards);
  const [meanLow, meanHigh] = intervalsOf(rewards.length)(rewards);
  const [lower, median, upper] = [0.25, 0.5, 0.75].map((share) => quantileOfSorted(sorted, share)) as [
    number,
    number,
    number,
  ];
  const half = (normalQuantile(0.5 + confidence / 2) * Math.sqrt(sorted.length)) / 2;
  const at = (rank: number): number => sorted[Math.min(sorted.length - 1, Math.max(0, rank))] ?? none;
  const { mean } = moments;
  const isRuled = (mean < lower || mean > upper) && lower < upper;
  return {
    count: sorted.length,
    ...{ mean, meanLow, meanHigh, median },
    medianLow: at(Math.floor(sorted.length / 2 - half)),
    medianHigh: at(Math.ceil(sorted.length / 2 + half)),
    trust: isRuled ? 'median' : 'mean',
    why: isRuled
      ? `the mean ${short(mean)} lies outside the middle half of the rewards, ${short(lower)} to ${short(upper)}: a few rows rule it`
      : `the mean lies within the middle half of the rewards, ${short(lower)} to ${short(upper)}`,
  };
}

/** undefined: the classes are not 0 and 1. */
function binaryQuality(
  rows: readonly ClassifiedRow[],
): { readonly metrics: readonly QualityValue[]; readonly calibration: readonly CalibrationPoint[] } | undefined {
  const truth = rows.map(({ label }) => binaryLabels.get(label));
  if (truth.some((value) => value === undefined)) return undefined;
  const known = truth as readonly number[];
  const scores = rows.map(({ probabilities }) => probabilities.at(-1) ?? 0);
  const { logLoss, brier, rocAuc, expectedCalibrationError, reliability } = binaryMetrics(known, scores);
  const intervalOf = intervalsOf(rows.length);
  const losses = scores.map((score, index) => -Math.log(clipped(known[index] === 1 ? score : 1 - score)));
  const squares = scores.map((score, index) => (score - (known[index] ?? 0)) ** 2);
  return {
    metrics: [
      withInterval('log_loss', logLoss, intervalOf(losses)),
      withInterval('brier', brier, intervalOf(squares)),
      withInterval('auc', rocAuc ?? none, areaInterval(rocAuc, known)),
      { name: 'calibration_error', value: expectedCalibrationError, low: none, high: none },
    ],
    calibration: reliability.map(({ count, confidence: mean, accuracy }) => ({
      count,
      confidence: mean ?? none,
      frequency: accuracy ?? none,
    })),
  };
}

/** Hanley and McNeil (1982), equations 1 and 2. */
function areaInterval(area: number | null, truth: readonly number[]): readonly [number, number] {
  const positives = truth.filter((value) => value === 1).length;
  const negatives = truth.length - positives;
  if (area === null || positives === 0 || negatives === 0) return [none, none];
  const q1 = area / (2 - area);
  const q2 = (2 * area * area) / (1 + area);
  const variance =
    (area * (1 - area) + (positives - 1) * (q1 - area * area) + (negatives - 1) * (q2 - area * area)) /
    (positives * negatives);
  const half = normalQuantile(0.5 + confidence / 2) * Math.sqrt(Math.max(0, variance));
  return [Math.max(0, area - half), Math.min(1, area + half)];
}

const classNames = (width: number): readonly string[] => Array.from({ length: width }, (_, index) => String(index));
const clipped = (p: number): number => Math.min(1 - 2 ** -52, Math.max(2 ** -52, p));
const short = (value: number): string => String(Number(value.toPrecision(4)));

function momentsOf(values: readonly number[]): RunningMoments {
  return values.reduce((moments, value) => addToMoments(moments, value), EMPTY_MOMENTS);
}

/** Intervals of means of so many values each. Student's quantile costs more than all the rest, so it is computed once. */
function intervalsOf(count: number): (values: readonly number[]) => readonly [number, number] {
  if (count < 2) return () => [none, none];
  const quantile = studentQuantile(0.5 + confidence / 2, count - 1);
  return (values) => {
    const moments = momentsOf(values);
    const half = quantile * Math.sqrt(varianceOf(moments) / count);
    return [moments.mean - half, moments.mean + half];
  };
}

function withInterval(name: string, value: number, [low, high]: readonly [number, number]): QualityValue {
  return { name, value, low, high };
}
