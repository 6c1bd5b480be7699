/**
 * Counterfactuals: the smallest change of a row that changes the answer. For a linear score in closed form, for rows of
 * a population by search (Wachter, Mittelstadt and Russell 2017, with their MAD distance), for any smooth score by
 * repeated projection onto the linearised boundary (as in Moosavi-Dezfooli et al. 2016) with bisection.
 */
import { requireFinite, requireInteger, requireMatrix, requireSameLength } from '../arguments.ts';
import { medianAbsoluteDeviation } from '../samples/descriptive.ts';
import type { Questions } from './questions.ts';
import type { LinearModel } from './linear-shap.ts';

export interface LinearCounterfactual {
  readonly score: number;
  /** The nearest row by Euclidean distance whose score is the target. */
  readonly nearest: readonly number[];
  readonly distance: number;
  /** The smallest change of a single feature that reaches the target. */
  readonly single: { readonly feature: number; readonly change: number };
}

/** Nearest row with the score `target`. @throws RangeError when all coefficients are 0. */
export function linearCounterfactual(model: LinearModel, row: ArrayLike<number>, target: number): LinearCounterfactual {
  requireSameLength('coefficients', model.coefficients, 'row', row);
  requireFinite('row', row);
  const w = Array.from(model.coefficients);
  const squared = w.reduce((sum, c) => sum + c * c, 0);
  if (squared === 0) throw new RangeError('the score does not depend on the row: all coefficients are 0');
  const score = w.reduce((sum, c, j) => sum + c * (row[j] ?? 0), model.intercept);
  const gap = target - score;
  const feature = w.reduce((best, c, j) => (Math.abs(c) > Math.abs(w[best] ?? 0) ? j : best), 0);
  return {
    score,
    nearest: w.map((c, j) => (row[j] ?? 0) + (gap * c) / squared),
    distance: Math.abs(gap) / Math.sqrt(squared),
    single: { feature, change: gap / (w[feature] ?? 1) },
  };
}

/** Scale of each column: its median absolute deviation; 1 where that is 0. */
export function madScales(rows: readonly ArrayLike<number>[]): number[] {
  const columns = requireMatrix('rows', rows);
  return Array.from({ length: columns }, (_, j) => medianAbsoluteDeviation(rows.map((row) => row[j] ?? 0)) || 1);
}

/** Index and scaled L1 distance of the nearest row with another label; null when there is none. */
export function nearestUnlikeNeighbour(
  rows: readonly ArrayLike<number>[],
  labels: ArrayLike<number | string>,
  row: ArrayLike<number>,
  label: number | string,
  scales: readonly number[] = madScales(rows),
): { readonly index: number; readonly distance: number } | null {
  requireSameLength('rows', rows, 'labels', labels);
  let best: { index: number; distance: number } | null = null;
  rows.forEach((other, index) => {
    if (labels[index] === label) return;
    const distance = scales.reduce((sum, scale, j) => sum + Math.abs((other[j] ?? 0) - (row[j] ?? 0)) / scale, 0);
    if (best === null || distance < best.distance) best = { index, distance };
  });
  return best;
}

export interface CounterfactualOptions {
  /** Rounds of gradient and bisection. @default 30 */
  readonly iterations?: number;
  /** Columns that may change. @default all */
  readonly mutable?: readonly number[];
  /** Half width of the finite difference, per column. @default 1e−4 × max(1, |value|) */
  readonly step?: (value: number, column: number) => number;
}

export interface Counterfactual {
  /** The nearest row found whose score is at or beyond the target; null when the target was never reached. */
  readonly row: readonly number[] | null;
  readonly distance: number | null;
  /** Best distance after each round; never rises. */
  readonly history: readonly (number | null)[];
}

/** Searches the nearest row (Euclidean) on the other side of `target` for any score. */
export function* searchCounterfactual(
  row: readonly number[],
  target: number,
  options: CounterfactualOptions = {},
): Questions<Counterfactual> {
  requireFinite('row', row);
  const iterations = options.iterations ?? 30;
  requireInteger('iterations', iterations, 1);
  const mutable = options.mutable ?? row.map((_, j) => j);
  const [start = 0] = Array.from(yield [row]);
  const side = Math.sign(target - start) || 1;
  const history: (number | null)[] = [];
  let best: { row: readonly number[]; distance: number } | null = null;
  let point = row;
  let score = start;
  for (let round = 0; round < iterations; round++) {
    const gradient = yield* slope(point, mutable, options.step);
    const squared = gradient.reduce((sum, g) => sum + g * g, 0);
    if (squared === 0) break;
    // Where the linearised score reaches the target, a hair beyond so that rounding does not miss it.
    const along = gradient.reduce((sum, g, j) => sum + g * ((point[j] ?? 0) - (row[j] ?? 0)), 0);
    const length = ((target - score + along) / squared) * (1 + 1e-7);
    const aim = row.map((x, j) => x + (gradient[j] ?? 0) * length);
    const [reached = 0] = Array.from(yield [aim]);
    point = aim;
    score = reached;
    if (side * (reached - target) >= 0) {
      const edge = yield* nearestOnSegment(row, aim, target, side);
      point = edge.row;
      score = edge.score;
      const distance = Math.hypot(...edge.row.map((x, j) => x - (row[j] ?? 0)));
      const gain: number = best === null ? Infinity : best.distance - distance;
      if (gain > 0) best = { row: edge.row, distance };
      history.push(best?.distance ?? null);
      if (gain < 1e-9 * distance) break;
    } else history.push(best?.distance ?? null);
  }
  return { row: best?.row ?? null, distance: best?.distance ?? null, history };
}

/** Central differences, all columns in one question. */
function* slope(
  point: readonly number[],
  mutable: readonly number[],
  step: CounterfactualOptions['step'],
): Questions<number[]> {
  const widths = mutable.map((j) => step?.(point[j] ?? 0, j) ?? 1e-4 * Math.max(1, Math.abs(point[j] ?? 0)));
  const moved = (sign: number) =>
    mutable.map((j, m) => point.map((x, k) => (k === j ? x + sign * (widths[m] ?? 0) : x)));
  const scores = yield [...moved(1), ...moved(-1)];
  const gradient = point.map(() => 0);
  mutable.forEach((j, m) => {
    gradient[j] = ((scores[m] ?? 0) - (scores[mutable.length + m] ?? 0)) / (2 * (widths[m] ?? 1));
  });
  return gradient;
}

/** Halves the way from the row to a point beyond the target, keeping the end beyond it. */
function* nearestOnSegment(
  row: readonly number[],
  beyond: readonly number[],
  target: number,
  side: number,
): Questions<{ row: readonly number[]; score: number }> {
  let low = 0;
  let high = 1;
  let found = beyond;
  let score = target;
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2;
    const candidate = row.map((x, j) => x + ((beyond[j] ?? 0) - x) * middle);
    const [value = 0] = Array.from(yield [candidate]);
    if (side * (value - target) >= 0) {
      high = middle;
      found = candidate;
      score = value;
    } else low = middle;
  }
  return { row: found, score };
}
