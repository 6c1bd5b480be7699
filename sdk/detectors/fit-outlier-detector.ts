/**
 * Outlier detectors fitted in a flow. What these functions give is a plain document: return it as an artifact, or attach it to the model
 * version with which it is to be deployed.
 *
 * @example
 * const detector = fitOutlierDetector(sample, { method: 'isolation-forest', falsePositiveRate: 0.001 });
 * models.register('iris', { onnx, attached: { sample, strange: detector } });
 * // deployment(…).monitors({ detectors: [{ name: 'strange', method: 'isolation-forest', fitted: 'models:/iris@champion#strange' }] })
 */
import type { ReferenceSample } from '../../schemas/deployment-document.ts';
import type { OnnxDetectorFile, StatisticalDetectorFile } from '../../schemas/outlier-detector.ts';
import { empiricalThreshold } from '../../statistics/outliers/mahalanobis.ts';
import { fitOutlierModel, type OutlierModelOptions } from '../../statistics/outliers/outlier-model.ts';
import { seededRandom } from '../../statistics/random.ts';

export interface ThresholdOptions {
  /** Share of the sample that is to lie beyond the threshold. @default 0.01 */
  readonly falsePositiveRate?: number;
  /** The threshold itself, in the place of a rate. */
  readonly threshold?: number;
}

export interface FitOptions extends ThresholdOptions, OutlierModelOptions {
  readonly method: StatisticalDetectorFile['method'];
  /** Of what the isolation forest draws. @default 1 */
  readonly seed?: number;
}

/** Fits to the rows without missing values. @throws RangeError that says what is wrong with the sample or the options */
export function fitOutlierDetector(sample: ReferenceSample, options: FitOptions): StatisticalDetectorFile {
  const { method, seed = 1, trees, sampleSize, neighbours } = options;
  const { columns, rows } = tableOf(sample);
  const random = seededRandom(`outlier-detector/${seed}`);
  const { model, ownScores } = fitOutlierModel(method, rows, random, { trees, sampleSize, neighbours });
  const { falsePositiveRate } = thresholdOf(options);
  return {
    ...head,
    method,
    columns,
    falsePositiveRate,
    rows: rows.length,
    threshold: options.threshold ?? empiricalThreshold(ownScores, falsePositiveRate ?? 0.01),
    model,
  };
}

export interface OnnxDetectorOptions extends ThresholdOptions {
  readonly onnx: Uint8Array;
  /** `reconstruction`: the output is the row again, as of an autoencoder; `score`: larger is farther out. */
  readonly gives: 'reconstruction' | 'score';
  /** Name of that output. */
  readonly output: string;
}

/**
 * A detector of any model that takes a matrix of the sample's columns. A threshold by rate is found where the model is run: among the scores
 * of the sample. @throws RangeError that says what is wrong with the sample or the options
 */
export function onnxOutlierDetector(sample: ReferenceSample, options: OnnxDetectorOptions): OnnxDetectorFile {
  const { onnx, gives, output } = options;
  const { columns, rows } = tableOf(sample);
  const { falsePositiveRate, threshold } = thresholdOf(options);
  return {
    ...head,
    method: `onnx-${gives}`,
    columns,
    falsePositiveRate,
    rows: rows.length,
    threshold,
    onnx: Buffer.from(onnx).toString('base64'),
    output,
    sample: rows,
  };
}

const head = { type: 'millrace-outlier-detector', version: 1 } as const;
const rowsMin = 20;

function tableOf({ columns }: ReferenceSample): { columns: string[]; rows: number[][] } {
  const [first] = columns;
  if (first === undefined) throw new RangeError('the sample has no columns');
  for (const { name, values } of columns) {
    if (values.length !== first.values.length)
      throw new RangeError(
        `column '${name}' of the sample has ${values.length} values, '${first.name}' has ${first.values.length}`,
      );
  }
  const rows = Array.from(first.values, (_, row) => columns.map(({ values }) => values[row] ?? Number.NaN)).filter(
    (row) => row.every(Number.isFinite),
  );
  if (rows.length < rowsMin)
    throw new RangeError(`the sample has ${rows.length} rows without missing values, at least ${rowsMin} are needed`);
  return { columns: columns.map(({ name }) => name), rows };
}

function thresholdOf({ falsePositiveRate = 0.01, threshold }: ThresholdOptions): {
  readonly falsePositiveRate: number | null;
  readonly threshold: number | null;
} {
  if (threshold !== undefined) {
    if (!Number.isFinite(threshold)) throw new RangeError(`threshold must be a number, got ${threshold}`);
    return { falsePositiveRate: null, threshold };
  }
  if (!(falsePositiveRate > 0 && falsePositiveRate < 1))
    throw new RangeError(`falsePositiveRate must be above 0 and below 1, got ${falsePositiveRate}`);
  return { falsePositiveRate, threshold: null };
}
