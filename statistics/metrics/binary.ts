/** Quality of class-1 probabilities for two classes. NaN and an empty sample are refused; null = undefined. */
import { weightedAverage } from './regression.ts';
import { requireBinary, rocCurve } from './roc.ts';

export interface BinaryConfusion {
  readonly trueNegatives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly truePositives: number;
}

export interface ConfusionRates {
  readonly accuracy: number;
  /** 0 when nothing was predicted positive. */
  readonly precision: number;
  /** 0 when nothing is positive. */
  readonly recall: number;
  readonly f1: number;
  /** Matthews' correlation; 0 when a margin is empty. */
  readonly mcc: number;
}

export interface ReliabilityBin {
  readonly count: number;
  /** Mean probability and mean truth of the bin; null when empty. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

export interface BinaryMetrics extends ConfusionRates {
  readonly confusion: BinaryConfusion;
  /** Natural logarithm; probabilities are clipped to [2^−52, 1 − 2^−52]. */
  readonly logLoss: number;
  readonly brier: number;
  /** Expected and largest calibration error over ten equal bins (lo, hi]; 0 belongs to the first. */
  readonly expectedCalibrationError: number;
  readonly maxCalibrationError: number;
  readonly reliability: readonly ReliabilityBin[];
  readonly rocAuc: number | null;
  readonly averagePrecision: number | null;
  readonly ksStatistic: number | null;
}

export interface BinaryOptions {
  /** Predicted 1 when the probability is at least this. @default 0.5 */
  readonly threshold?: number;
  /** Row weights; they apply to accuracy and to the other rates through the confusion, and to losses and areas. */
  readonly weights?: ArrayLike<number>;
}

const CLIP = 2 ** -52;
const BINS = 10;

/** @param truth 0 or 1. @param probabilities of class 1, within [0, 1]. @throws RangeError naming the bad row. */
export function binaryMetrics(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  options: BinaryOptions = {},
): BinaryMetrics {
  requireBinary(truth, probabilities);
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i] ?? 0;
    if (p < 0 || p > 1) throw new RangeError(`probabilities[${i}] must lie within [0, 1], got ${p}`);
  }
  const { weights } = options;
  const confusion = binaryConfusion(truth, probabilities, options);
  const average = weightedAverage(truth.length, weights);
  const reliability = reliabilityBins(truth, probabilities);
  const gaps = reliability.map((bin) => Math.abs((bin.confidence ?? 0) - (bin.accuracy ?? 0)));
  const curve = rocCurve(truth, probabilities, weights);
  return {
    confusion,
    ...confusionRates(confusion),
    logLoss: average((i) => {
      const p = Math.min(1 - CLIP, Math.max(CLIP, probabilities[i] ?? 0));
      return truth[i] === 1 ? -Math.log(p) : -Math.log1p(-p);
    }),
    brier: average((i) => ((probabilities[i] ?? 0) - (truth[i] ?? 0)) ** 2),
    expectedCalibrationError: gaps.reduce(
      (sum, gap, i) => sum + (gap * (reliability[i]?.count ?? 0)) / truth.length,
      0,
    ),
    maxCalibrationError: Math.max(...gaps),
    reliability,
    rocAuc: curve?.auc ?? null,
    averagePrecision: curve?.averagePrecision ?? null,
    ksStatistic: curve?.ksStatistic ?? null,
  };
}

/** The four (weighted) counts. */
export function binaryConfusion(
  truth: ArrayLike<number>,
  scores: ArrayLike<number>,
  options: BinaryOptions = {},
): BinaryConfusion {
  const threshold = options.threshold ?? 0.5;
  const cells = [0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const cell = 2 * (truth[i] ?? 0) + ((scores[i] ?? 0) >= threshold ? 1 : 0);
    cells[cell] = (cells[cell] ?? 0) + (options.weights?.[i] ?? 1);
  }
  const [trueNegatives = 0, falsePositives = 0, falseNegatives = 0, truePositives = 0] = cells;
  return { trueNegatives, falsePositives, falseNegatives, truePositives };
}

/** Rates from counts; a fold can keep the four counts and ask this at any time. */
export function confusionRates(confusion: BinaryConfusion): ConfusionRates {
  const { trueNegatives: tn, falsePositives: fp, falseNegatives: fn, truePositives: tp } = confusion;
  const margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn);
  return {
    accuracy: ratio(tp + tn, tp + tn + fp + fn),
    precision: ratio(tp, tp + fp),
    recall: ratio(tp, tp + fn),
    f1: ratio(2 * tp, 2 * tp + fp + fn),
    mcc: margins === 0 ? 0 : (tp * tn - fp * fn) / Math.sqrt(margins),
  };
}

function reliabilityBins(truth: ArrayLike<number>, probabilities: ArrayLike<number>): ReliabilityBin[] {
  const bins = Array.from({ length: BINS }, () => ({ count: 0, confidence: 0, accuracy: 0 }));
  for (let i = 0; i < truth.length; i++) {
    const p = probabilities[i] ?? 0;
    const bin = bins[Math.max(0, Math.ceil(p * BINS) - 1)];
    if (bin === undefined) continue;
    bin.count += 1;
    bin.confidence += p;
    bin.accuracy += truth[i] ?? 0;
  }
  return bins.map(({ count, confidence, accuracy }) =>
    count === 0
      ? { count, confidence: null, accuracy: null }
      : { count, confidence: confidence / count, accuracy: accuracy / count },
  );
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
