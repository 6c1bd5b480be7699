/** One window judged by one detector. Pure: the same window, detector and reference give the same numbers, which a replay relies on. */
import type { FeatureSpec } from '../../schemas/deployment-document.ts';
import { filledOptions, methodOf } from '../../schemas/detector-methods.ts';
import type { Detector } from '../../schemas/detectors.ts';
import type { Column, FeatureDrift, RowScore } from '../../schemas/events.ts';
import { empiricalThreshold } from '../../statistics/mahalanobis.ts';
import { correctPValues } from '../../statistics/multiple-testing.ts';
import { type Random, seededRandom } from '../../statistics/random.ts';
import { type ComparedColumn, comparedColumns } from './compared-columns.ts';
import { featureTests, psiOf, type Tested } from './methods/feature-tests.ts';
import { type OutlierModel, outlierModels } from './methods/outlier-models.ts';
import { rowTests } from './methods/row-tests.ts';
import { NotAssessable, type Reference, referenceRowsMin } from './reference-sample.ts';

/** A window with what its deployment's document says about it. */
export interface WindowToScore {
  /** Seeds what a method draws. */
  readonly windowId: string;
  readonly rows: number;
  readonly columns: readonly Column[];
  readonly outputs: readonly Column[];
  readonly predictionIds: readonly string[];
  readonly features: readonly FeatureSpec[];
}

export type WindowScore = DriftScore | OutlierScore;

export interface DriftScore {
  readonly finds: 'drift';
  readonly features: readonly FeatureDrift[];
  readonly drifted: boolean;
  readonly rowsUsed: number;
  readonly referenceRows: number;
}

export interface OutlierScore {
  readonly finds: 'outliers';
  readonly threshold: number;
  readonly outliers: readonly RowScore[];
  readonly scoredRows: number;
}

/** Judges a window against the reference. @throws NotAssessable with the reason when that is impossible. */
export function scoreWindow(detector: Detector, window: WindowToScore, reference: Reference): WindowScore {
  const { minRows } = detector.window;
  if (window.rows < minRows) {
    throw new NotAssessable(`the window has ${window.rows} rows, the deployment asks for at least ${minRows}`);
  }
  const columns = comparedColumns(detector, window, reference);
  if (methodOf(detector.method).finds === 'outliers') return outliersOf(detector, window, columns, reference);
  return Object.hasOwn(featureTests, detector.method)
    ? featuresOf(detector, window, columns, reference)
    : rowsOf(detector, window, columns, reference);
}

type FeatureMethod = keyof typeof featureTests;
type RowMethod = keyof typeof rowTests;
type OutlierMethod = keyof typeof outlierModels;

function featuresOf(
  detector: Detector,
  { windowId, rows }: WindowToScore,
  all: readonly ComparedColumn[],
  from: Reference,
): DriftScore {
  const method = featureTests[detector.method as FeatureMethod];
  const columns = all.filter((column) => detector.columns !== undefined || isTaken(method.takes, column));
  for (const column of columns) {
    if (!isTaken(method.takes, column))
      throw new NotAssessable(`column '${column.name}' is not ${method.takes}: '${detector.method}' cannot take it`);
  }
  if (columns.length === 0) throw new NotAssessable(`no column is ${method.takes}, as '${detector.method}' needs`);
  const random = seededRandom(`${windowId}/${detector.name}`);
  const { rowsMax = Number.POSITIVE_INFINITY } = methodOf(detector.method);
  const sample = sampler(rowsMax, rows, from.rows, random);
  const options = filledOptions(detector.method, detector.options);
  const tested = columns.map((column): Tested & { readonly psi: number } => {
    const before = sample.reference(column.reference);
    const now = sample.current(column.current);
    const [reference, current] = [present(before), present(now)];
    const missing = { reference: before.length - reference.length, current: now.length - current.length };
    const values = { reference, current, categorical: column.categorical, missing };
    const isEmpty = reference.length === 0 || current.length === 0;
    if (isEmpty && method.empty !== true) return untested;
    return { ...method.test(values, { options, random }), psi: isEmpty ? unknown : psiOf(values) };
  });
  if (tested.every(({ test }) => test === 'none')) {
    throw new NotAssessable('no feature has values in both the window and the reference sample');
  }
  const names = columns.map(({ name }) => name);
  return { ...judged(detector, names, tested), rowsUsed: sample.currentRows, referenceRows: sample.referenceRows };
}

const unknown = Number.NaN;
const untested = { test: 'none', statistic: unknown, pValue: unknown, effectSize: unknown, psi: unknown } as const;

function rowsOf(
  detector: Detector,
  { windowId, rows }: WindowToScore,
  all: readonly ComparedColumn[],
  reference: Reference,
): DriftScore {
  const columns = numericOf(detector, all);
  const random = seededRandom(`${windowId}/${detector.name}`);
  const { rowsMax = Number.POSITIVE_INFINITY } = methodOf(detector.method);
  const sample = sampler(rowsMax, rows, reference.rows, random);
  const before = completeRows(columns.map((column) => sample.reference(column.reference)));
  const now = completeRows(columns.map((column) => sample.current(column.current)));
  const [fewest, where] = before.length < now.length ? [before.length, 'reference'] : [now.length, 'window'];
  if (fewest < rowsMin) {
    throw new NotAssessable(
      `the ${where} has ${fewest} rows without missing values, '${detector.method}' needs at least ${rowsMin}`,
    );
  }
  const scales = columns.map((_, column) => deviation(before.map((row) => row[column] ?? 0)));
  const scaled = (table: readonly (readonly number[])[]): number[][] =>
    table.map((row) => row.map((value, column) => value / (scales[column] ?? 1)));
  const options = filledOptions(detector.method, detector.options);
  const tested = rowTests[detector.method as RowMethod](scaled(before), scaled(now), { options, random });
  const verdict = judged(detector, [allColumns], [{ ...tested, psi: unknown }]);
  return { ...verdict, rowsUsed: now.length, referenceRows: before.length };
}

/** Name under which a finding over all columns together stands. */
export const allColumns = '*';
const rowsMin = 10;

/** The p-value must pass its corrected threshold, where there is one, AND the effect its own. */
function judged(
  { alpha, correction, minEffectSize, method }: Detector,
  names: readonly string[],
  tested: readonly (Tested & { readonly psi: number })[],
): Pick<DriftScore, 'finds' | 'features' | 'drifted'> {
  const pValues = tested.map(({ pValue }) => pValue);
  const { reject, threshold } = correctPValues(pValues, correction, alpha);
  const features = tested.map(({ test, statistic, pValue, effectSize, psi }, index) => ({
    name: names[index] ?? '',
    test,
    statistic,
    pValue,
    effectSize,
    threshold: Number.isNaN(pValue) ? unknown : threshold,
    drifted: test !== 'none' && (Number.isNaN(pValue) || reject[index] === true) && effectSize >= minEffectSize,
    psi,
    effect: methodOf(method).effect,
    minEffectSize,
  }));
  return { finds: 'drift', features, drifted: features.some(({ drifted }) => drifted) };
}

/** Numeric columns only: codes of categories have no distances. */
function outliersOf(
  detector: Detector,
  { predictionIds, rows }: WindowToScore,
  all: readonly ComparedColumn[],
  reference: Reference,
): OutlierScore {
  const columns = all.filter(({ categorical }) => !categorical);
  if (columns.length === 0) return { finds: 'outliers', threshold: unknown, outliers: [], scoredRows: 0 };
  const { model, threshold } = outlierFit(detector, columns, reference);
  const outliers: RowScore[] = [];
  let scoredRows = 0;
  for (let row = 0; row < rows; row++) {
    const cells = columns.map(({ current }) => current[row] ?? unknown);
    if (!cells.every(Number.isFinite)) continue;
    scoredRows += 1;
    const score = model.score(cells);
    if (score <= threshold) continue;
    const largest = model
      .shares(cells)
      .map((share, index) => ({ share, name: columns[index]?.name ?? '' }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share)
      .slice(0, featuresNamed);
    outliers.push({
      predictionId: predictionIds[row] ?? '',
      score,
      features: largest.map(({ name }) => name),
      shares: largest.map(({ share }) => share),
    });
  }
  return { finds: 'outliers', threshold, outliers, scoredRows };
}

const featuresNamed = 3;

interface OutlierFit {
  readonly model: OutlierModel;
  /** Score above which a row is an outlier. */
  readonly threshold: number;
}

/**
 * The threshold is what the stated share of the reference itself exceeds: right for any distribution of the features. Rows with a missing
 * value are left out. Kept with the reference. @throws NotAssessable when too few rows are left.
 */
export function outlierFit(detector: Detector, columns: readonly ComparedColumn[], reference: Reference): OutlierFit {
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
  const model = outlierModels[method as OutlierMethod](rows, { options: filledOptions(method, options), random });
  const threshold = detector.threshold ?? empiricalThreshold(model.ownScores, falsePositiveRate);
  const fit = { model, threshold };
  reference.fits.set(key, fit);
  return fit;
}

function isTaken(takes: 'numeric' | 'any' | 'binary', { categorical, reference, current }: ComparedColumn): boolean {
  if (takes === 'any') return true;
  if (takes === 'numeric') return !categorical;
  const isBinary = (values: ArrayLike<number>): boolean =>
    Array.from(values).every((value) => value === 0 || value === 1 || Number.isNaN(value));
  return isBinary(reference) && isBinary(current);
}

function numericOf(detector: Detector, columns: readonly ComparedColumn[]): readonly ComparedColumn[] {
  const numeric = columns.filter(({ categorical }) => !categorical);
  if (numeric.length === 0) throw new NotAssessable(`no column is numeric, as '${detector.method}' needs`);
  return numeric;
}

/** The same rows of every column, where there are more than a method can take. */
function sampler(
  rowsMax: number,
  rows: number,
  referenceRows: number,
  random: Random,
): {
  readonly current: (values: ArrayLike<number>) => Float64Array;
  readonly reference: (values: ArrayLike<number>) => Float64Array;
  readonly currentRows: number;
  readonly referenceRows: number;
} {
  const places = (of: number): readonly number[] | undefined =>
    of <= rowsMax ? undefined : random.sample(of, rowsMax).sort((a, b) => a - b);
  const [current, reference] = [places(rows), places(referenceRows)];
  const take = (chosen: readonly number[] | undefined) => (values: ArrayLike<number>) =>
    chosen === undefined ? Float64Array.from(values) : Float64Array.from(chosen, (place) => values[place] ?? unknown);
  return {
    current: take(current),
    reference: take(reference),
    currentRows: Math.min(rows, rowsMax),
    referenceRows: Math.min(referenceRows, rowsMax),
  };
}

function present(values: Float64Array): Float64Array {
  return values.filter((value) => !Number.isNaN(value));
}

function completeRows(columns: readonly Float64Array[]): number[][] {
  return Array.from({ length: columns[0]?.length ?? 0 }, (_, row) =>
    columns.map((column) => column[row] ?? unknown),
  ).filter((row) => row.every(Number.isFinite));
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
}
