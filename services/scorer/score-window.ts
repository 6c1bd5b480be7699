import type { FeatureSpec, MonitorSettings } from '../../schemas/deployment-document.ts';
import type { Column, FeatureDrift, RowScore } from '../../schemas/events.ts';
import { type MahalanobisScore, scoreMahalanobis } from '../../statistics/mahalanobis.ts';
import { tabularDrift } from '../../statistics/tabular-drift.ts';
import { NotAssessable, outlierFit, type Reference } from './reference-sample.ts';

/** A window with what its deployment's document says about it. */
export interface WindowToScore {
  readonly rows: number;
  readonly columns: readonly Column[];
  readonly predictionIds: readonly string[];
  readonly features: readonly FeatureSpec[];
  readonly monitors: MonitorSettings;
}

export interface WindowScore {
  readonly drift: DriftScore | undefined;
  readonly outliers: OutlierScore | undefined;
}

export interface DriftScore {
  readonly features: readonly FeatureDrift[];
  readonly drifted: boolean;
}

export interface OutlierScore {
  readonly threshold: number;
  readonly outliers: readonly RowScore[];
  readonly scoredRows: number;
}

/** Judges a window against the reference. @throws NotAssessable with the reason when that is impossible. */
export function scoreWindow(window: WindowToScore, reference: Reference): WindowScore {
  const { monitors, rows } = window;
  if (rows < monitors.window.minRows) {
    throw new NotAssessable(`the window has ${rows} rows, the deployment asks for at least ${monitors.window.minRows}`);
  }
  const table = featureTable(window, reference);
  return { drift: driftOf(window, table, reference), outliers: outliersOf(window, table, reference) };
}

type FeatureTable = ReadonlyMap<string, readonly number[]>;

/** Columns by feature: by name when all names are there, else by position. */
function featureTable({ columns, features }: WindowToScore, reference: Reference): FeatureTable {
  if (features.length === 0) throw new NotAssessable('the deployment names no features');
  if (columns.length !== features.length) {
    const message = `the predictions have ${columns.length} input columns, the deployment names ${features.length} features`;
    throw new NotAssessable(message);
  }
  const byName = new Map(columns.map(({ name, values }) => [name, values]));
  const named = features.every(({ name }) => byName.has(name));
  const table = new Map<string, readonly number[]>();
  for (const [index, { name }] of features.entries()) {
    if (!reference.columns.has(name)) throw new NotAssessable(`the reference sample has no column '${name}'`);
    table.set(name, (named ? byName.get(name) : columns[index]?.values) ?? []);
  }
  return table;
}

function driftOf(
  { features, monitors }: WindowToScore,
  table: FeatureTable,
  reference: Reference,
): DriftScore | undefined {
  const settings = monitors.drift;
  if (settings === undefined) return undefined;
  const names = features.map(({ name }) => name);
  const pick = (columns: ReadonlyMap<string, ArrayLike<number>>): Record<string, ArrayLike<number>> =>
    Object.fromEntries(names.map((name) => [name, columns.get(name) ?? []]));
  const { alpha, correction, minEffectSize } = settings;
  const result = tabularDrift(pick(reference.columns), pick(table), {
    categorical: features.filter(({ kind }) => kind === 'categorical').map(({ name }) => name),
    alpha,
    correction,
    minimumEffect: minEffectSize,
  });
  if (result.features.every(({ test }) => test === 'none')) {
    throw new NotAssessable('no feature has values in both the window and the reference sample');
  }
  const unknown = Number.NaN;
  return {
    drifted: result.drift,
    features: result.features.map(({ feature, test, statistic, pValue, effectSize, psi, drift }) => ({
      name: feature,
      test,
      statistic: statistic ?? unknown,
      pValue: pValue ?? unknown,
      effectSize: effectSize ?? unknown,
      threshold: result.threshold,
      drifted: drift,
      psi: psi ?? unknown,
    })),
  };
}

/** Numeric features only: codes of categories have no distances. */
function outliersOf(
  { features, monitors, predictionIds, rows }: WindowToScore,
  table: FeatureTable,
  reference: Reference,
): OutlierScore | undefined {
  if (monitors.outliers === undefined) return undefined;
  const names = features.filter(({ kind }) => kind === 'numeric').map(({ name }) => name);
  if (names.length === 0) return { threshold: Number.NaN, outliers: [], scoredRows: 0 };
  const { model, threshold } = outlierFit(reference, names, monitors.outliers.falsePositiveRate);
  const columns = names.map((name) => table.get(name) ?? []);
  const outliers: RowScore[] = [];
  let scoredRows = 0;
  for (let row = 0; row < rows; row++) {
    const cells = columns.map((column) => column[row] ?? Number.NaN);
    if (!cells.every(Number.isFinite)) continue;
    scoredRows += 1;
    const score = scoreMahalanobis(model, cells);
    const changed = score.changedConstants.length > 0;
    if (!changed && score.squaredDistance <= threshold) continue;
    outliers.push({
      predictionId: predictionIds[row] ?? '',
      // A value that the reference never varied in has no scale: farther than any.
      score: changed ? Number.POSITIVE_INFINITY : score.squaredDistance,
      features: largestShares(score).map((index) => names[index] ?? ''),
    });
  }
  return { threshold, outliers, scoredRows };
}

const featuresNamed = 3;

function largestShares({ contributions, changedConstants }: MahalanobisScore): readonly number[] {
  const shares = contributions
    .map((share, index) => ({ share, index }))
    .filter(({ share, index }) => share > 0 && !changedConstants.includes(index))
    .sort((a, b) => b.share - a.share);
  return [...changedConstants, ...shares.map(({ index }) => index)].slice(0, featuresNamed);
}
