/** Outliers of one window: rows that are beyond the threshold of a model that is fitted to the reference, or of the series they make. */
import { filledOptions, methodOf } from '../../schemas/detector-methods.ts';
import type { Detector } from '../../schemas/detectors.ts';
import type { RowScore } from '../../schemas/events.ts';
import { empiricalThreshold } from '../../statistics/outliers/mahalanobis.ts';
import {
  fitOutlierModel,
  type OutlierModel,
  outlierScore,
  outlierShares,
} from '../../statistics/outliers/outlier-model.ts';
import { seededRandom } from '../../statistics/random.ts';
import type { ComparedColumn } from './compared-columns.ts';
import { seriesScores } from './methods/series-scores.ts';
import { NotAssessable, type Reference, referenceRowsMin } from './reference-sample.ts';
import { completeRows, sampler } from './window-sample.ts';
import type { OutlierScore, WindowToScore } from './window-score.ts';

/** Numeric columns only: codes of categories have no distances. */
export function outliersOf(
  detector: Detector,
  window: WindowToScore,
  all: readonly ComparedColumn[],
  reference: Reference,
): OutlierScore {
  const columns = all.filter(({ categorical }) => !categorical);
  if (columns.length === 0) return { finds: 'outliers', threshold: Number.NaN, outliers: [], scoredRows: 0 };
  if (isOfSeries(detector)) return seriesOutliers(detector, window, columns);
  const { model, threshold } = outlierFit(detector, columns, reference);
  const outliers: RowScore[] = [];
  let scoredRows = 0;
  for (let row = 0; row < window.rows; row++) {
    const cells = columns.map(({ current }) => current[row] ?? Number.NaN);
    if (!cells.every(Number.isFinite)) continue;
    scoredRows += 1;
    const score = outlierScore(model, cells);
    if (score <= threshold) continue;
    const shares = outlierShares(model, cells);
    outliers.push({ ...rowAt(window, row), score, ...largestShares(columns, shares) });
  }
  return { finds: 'outliers', threshold, outliers, scoredRows };
}

const isOfSeries = ({ method }: Detector): boolean => {
  const { finds, over } = methodOf(method);
  return finds === 'outliers' && over === 'features';
};

/**
 * Each column is a series, in the order of the rows; the score of a row is that of its column that is farthest out. The threshold is what
 * the stated share of the reference exceeds, when it is scored in series as long as the window: at its ends a series looks strange sooner.
 */
function seriesOutliers(detector: Detector, window: WindowToScore, columns: readonly ComparedColumn[]): OutlierScore {
  const options = filledOptions(detector.method, detector.options);
  const own = seriesScores(
    columns.map(({ current }) => current),
    options,
  );
  const length = Math.max(own.length, referenceRowsMin);
  const usual: number[] = [];
  const referenceRows = columns[0]?.reference.length ?? 0;
  for (let from = 0; from === 0 || from + length <= referenceRows; from += length) {
    const part = columns.map(({ reference }) => Array.from(reference).slice(from, from + length));
    usual.push(...seriesScores(part, options).flatMap((row) => (row === undefined ? [] : [Math.max(...row)])));
  }
  if (detector.threshold === undefined && usual.length < referenceRowsMin)
    throw new NotAssessable(
      `the reference has ${usual.length} rows of a series, at least ${referenceRowsMin} are needed`,
    );
  const threshold = detector.threshold ?? empiricalThreshold(usual, detector.falsePositiveRate);
  const outliers: RowScore[] = [];
  for (const [place, row] of own.entries()) {
    const score = row === undefined ? Number.NaN : Math.max(...row);
    if (row === undefined || !(score > threshold)) continue;
    const parts = row.map((part) => Math.max(0, part));
    const sum = parts.reduce((a, b) => a + b, 0) || 1;
    const shares = parts.map((part) => part / sum);
    outliers.push({ ...rowAt(window, place), score, ...largestShares(columns, shares) });
  }
  return { finds: 'outliers', threshold, outliers, scoredRows: own.filter((row) => row !== undefined).length };
}

/** What a row of the window is called. */
export function rowAt(
  { predictionIds, rowsOfPrediction = [] }: WindowToScore,
  place: number,
): Pick<RowScore, 'predictionId' | 'row'> {
  return { predictionId: predictionIds[place] ?? '', row: rowsOfPrediction[place] ?? 0 };
}

const featuresNamed = 3;

/** The columns with the largest shares in a score, largest first. */
export function largestShares(
  columns: readonly { readonly name: string }[],
  shares: readonly number[],
): Pick<RowScore, 'features' | 'shares'> {
  const largest = shares
    .map((share, index) => ({ share, name: columns[index]?.name ?? '' }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, featuresNamed);
  return { features: largest.map(({ name }) => name), shares: largest.map(({ share }) => share) };
}

interface OutlierFit {
  readonly model: OutlierModel;
  /** Score above which a row is an outlier. */
  readonly threshold: number;
}

/**
 * The threshold is what the stated share of the reference itself exceeds: right for any distribution of the features. Rows with a missing
 * value are left out. Kept with the reference. @throws NotAssessable when too few rows are left.
 */
function outlierFit(detector: Detector, columns: readonly ComparedColumn[], reference: Reference): OutlierFit {
  const { method, falsePositiveRate, options } = detector;
  const key = JSON.stringify([method, falsePositiveRate, detector.threshold, options, columns.map(({ name }) => name)]);
  const known = reference.fits.get(key) as OutlierFit | undefined;
  if (known !== undefined) return known;
  const random = seededRandom(key);
  const { rowsMax = Number.POSITIVE_INFINITY } = methodOf(method);
  const sample = sampler(rowsMax, 0, reference.rows, random);
  const rows = completeRows(columns.map((column) => sample.reference(column.reference)));
  if (rows.length < referenceRowsMin) {
    throw new NotAssessable(
      `the reference sample has ${rows.length} rows without missing values, at least ${referenceRowsMin} are needed`,
    );
  }
  const { model, ownScores } = fitOutlierModel(
    method as OutlierModel['method'],
    rows,
    random,
    filledOptions(method, options),
  );
  const threshold = detector.threshold ?? empiricalThreshold(ownScores, falsePositiveRate);
  const fit = { model, threshold };
  reference.fits.set(key, fit);
  return fit;
}
