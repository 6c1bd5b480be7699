/**
 * Nearest-neighbour outlier scores: distance to the k-th neighbour (Ramaswamy et al. 2000) and local outlier factor
 * (Breunig et al. 2000). Euclidean distances, brute force: meant for references of some thousand rows. NaN is refused.
 */
import { requireFinite, requireFraction, requireInteger, requireMatrix } from '../arguments.ts';
import { squaredDistance } from '../matrices/squared-distance.ts';
import { quantile } from '../samples/quantiles.ts';

export interface KnnModel {
  readonly type: 'knn';
  readonly version: 1;
  readonly k: number;
  readonly rows: readonly (readonly number[])[];
  /** Each reference row's own k-th neighbour distance, itself left out. */
  readonly ownDistances: readonly number[];
  /** Each reference row's local reachability density. */
  readonly ownDensities: readonly number[];
  /** Quantile 1 − falsePositiveRate of the own distances. */
  readonly threshold: number;
}

export interface KnnScore {
  readonly kthDistance: number;
  /** Mean distance to the k neighbours. */
  readonly meanDistance: number;
  /** Local outlier factor: about 1 inside, larger outside; compares the density with that of the neighbours. */
  readonly localOutlierFactor: number;
  /** kthDistance above the threshold. */
  readonly isOutlier: boolean;
}

export interface KnnOptions {
  /** @default 20, at most rows − 1 */
  readonly k?: number;
  /** @default 0.05 */
  readonly falsePositiveRate?: number;
}

/** Keeps densities finite where k neighbours coincide. */
const SMALLEST_REACH = 1e-10;

/** @throws RangeError below two rows, for ragged rows, NaN, or k of rows or more. */
export function fitKnn(rows: readonly ArrayLike<number>[], options: KnnOptions = {}): KnnModel {
  requireMatrix('rows', rows, 2);
  const k = options.k ?? Math.min(20, rows.length - 1);
  const falsePositiveRate = options.falsePositiveRate ?? 0.05;
  requireInteger('k', k, 1);
  requireFraction('falsePositiveRate', falsePositiveRate);
  if (k >= rows.length) throw new RangeError(`k must be below the number of rows ${rows.length}, got ${k}`);
  const kept = rows.map((row) => Array.from(row));
  const neighbours = kept.map((row, i) => nearest(kept, row, k, i));
  const ownDistances = neighbours.map((list) => list[k - 1]?.distance ?? 0);
  return {
    type: 'knn',
    version: 1,
    k,
    rows: kept,
    ownDistances,
    ownDensities: neighbours.map((list) => density(list, ownDistances)),
    threshold: quantile(ownDistances, 1 - falsePositiveRate),
  };
}

/** Scores one row. @throws RangeError for NaN or another number of columns. */
export function scoreKnn(model: KnnModel, row: ArrayLike<number>): KnnScore {
  const columns = model.rows[0]?.length ?? 0;
  if (row.length !== columns) throw new RangeError(`row must have ${columns} columns, got ${row.length}`);
  requireFinite('row', row);
  const list = nearest(model.rows, row, model.k, -1);
  const kthDistance = list[list.length - 1]?.distance ?? 0;
  const neighbourDensity = list.reduce((sum, { index }) => sum + (model.ownDensities[index] ?? 0), 0) / list.length;
  return {
    kthDistance,
    meanDistance: list.reduce((sum, { distance }) => sum + distance, 0) / list.length,
    localOutlierFactor: neighbourDensity / density(list, model.ownDistances),
    isOutlier: kthDistance > model.threshold,
  };
}

interface Neighbour {
  readonly index: number;
  readonly distance: number;
}

function nearest(rows: readonly ArrayLike<number>[], row: ArrayLike<number>, k: number, leftOut: number): Neighbour[] {
  return rows
    .map((other, index) => ({ index, distance: Math.sqrt(squaredDistance(other, row)) }))
    .filter(({ index }) => index !== leftOut)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, k);
}

/** One over the mean reachability distance: a neighbour is never nearer than its own k-th neighbour. */
function density(neighbours: readonly Neighbour[], ownDistances: readonly number[]): number {
  const reach = neighbours.reduce((sum, { index, distance }) => sum + Math.max(distance, ownDistances[index] ?? 0), 0);
  return 1 / (reach / neighbours.length + SMALLEST_REACH);
}
