/** One window judged by one detector. Pure: the same window, detector and reference give the same numbers, which a replay relies on. */
import {
  filledOptions,
  leastPermutations,
  levelOf,
  methodOf,
  permutationsOf,
  smallestPValue,
} from '../../schemas/detector-methods.ts';
import type { Detector } from '../../schemas/detectors.ts';
import { withoutMissing } from '../../statistics/arguments.ts';
import { correctPValues } from '../../statistics/drift/multiple-testing.ts';
import { seededRandom } from '../../statistics/random.ts';
import { type ComparedColumn, comparedColumns, contextColumns } from './compared-columns.ts';
import { featureTests, psiOf, type Tested } from './methods/feature-tests.ts';
import { rowTests } from './methods/row-tests.ts';
import { NotAssessable, type Reference } from './reference-sample.ts';
import { outliersOf } from './score-outliers.ts';
import { completeRows, sampler } from './window-sample.ts';
import type { DriftScore, WindowScore, WindowToScore } from './window-score.ts';

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
    : rowsOf(detector, window, columns, contextColumns(detector, window, reference), reference);
}

type FeatureMethod = keyof typeof featureTests;
type RowMethod = keyof typeof rowTests;

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
  const options = {
    ...filledOptions(detector.method, detector.options),
    permutations: permutationsOf(detector, columns.length),
  };
  const tested = columns.map((column): Tested & { readonly psi: number } => {
    const before = sample.reference(column.reference);
    const now = sample.current(column.current);
    const [reference, current] = [presentOf(before), withoutMissing(now)];
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
  context: readonly ComparedColumn[],
  reference: Reference,
): DriftScore {
  const columns = numericOf(detector, all);
  const random = seededRandom(`${windowId}/${detector.name}`);
  const { rowsMax = Number.POSITIVE_INFINITY } = methodOf(detector.method);
  const sample = sampler(rowsMax, rows, reference.rows, random);
  const both = [...columns, ...context];
  const before = completeRows(both.map((column) => sample.reference(column.reference)));
  const now = completeRows(both.map((column) => sample.current(column.current)));
  const [fewest, where] = before.length < now.length ? [before.length, 'reference'] : [now.length, 'window'];
  if (fewest < rowsMin) {
    throw new NotAssessable(
      `the ${where} has ${fewest} rows without missing values, '${detector.method}' needs at least ${rowsMin}`,
    );
  }
  const scales = both.map((_, column) => deviation(before.map((row) => row[column] ?? 0)));
  const scaled = (table: readonly (readonly number[])[]): number[][] =>
    table.map((row) => row.slice(0, columns.length).map((value, column) => value / (scales[column] ?? 1)));
  const codes = context.map(({ categorical }, column) =>
    categorical ? [...new Set([...before, ...now].map((row) => row[columns.length + column] ?? 0))] : undefined,
  );
  /** Codes have no distances: each category is a column of its own. */
  const contexts = (table: readonly (readonly number[])[]): number[][] =>
    table.map((row) =>
      codes.flatMap((known, column) => {
        const value = row[columns.length + column] ?? 0;
        return known?.map((code) => Number(code === value)) ?? value / (scales[columns.length + column] ?? 1);
      }),
    );
  const options = filledOptions(detector.method, detector.options);
  const with_ = { options, random, contexts: { reference: contexts(before), current: contexts(now) } };
  const tested = rowTests[detector.method as RowMethod](scaled(before), scaled(now), with_);
  const verdict = judged(detector, [allColumns], [{ ...tested, psi: unknown }]);
  return { ...verdict, rowsUsed: now.length, referenceRows: before.length };
}

/** Name under which a finding over all columns together stands. */
export const allColumns = '*';
const rowsMin = 10;

/** The p-value must pass its corrected threshold, where there is one, AND the effect its own. */
function judged(
  detector: Detector,
  names: readonly string[],
  tested: readonly (Tested & { readonly psi: number })[],
): Pick<DriftScore, 'finds' | 'features' | 'drifted'> {
  const pValues = tested.map(({ pValue }) => pValue);
  const { alpha, correction, minEffectSize, method } = detector;
  const tests = pValues.filter((pValue) => !Number.isNaN(pValue)).length;
  const permutations = permutationsOf(detector, names.length);
  if (permutations > 0 && smallestPValue(permutations) > levelOf(alpha, correction, tests)) {
    const least = leastPermutations(alpha, correction, tests);
    const why = `${permutations} permutations cannot tell drift at alpha ${alpha} (${correction}, ${tests} columns)`;
    throw new NotAssessable(`${why}: options.permutations must be at least ${least}`);
  }
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

const presents = new WeakMap<Float64Array, Float64Array>();

/** The same object for every window: by it, what is computed of the reference is found again. */
function presentOf(reference: Float64Array): Float64Array {
  const known = presents.get(reference) ?? withoutMissing(reference);
  presents.set(reference, known);
  return known;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
}
