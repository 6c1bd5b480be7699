/** Distances between two distributions on the line. NaN and infinities are refused. */
import { requireCounts, requireFinite, requireLength, requireSameLength } from '../arguments.ts';
import { variance } from '../samples/descriptive.ts';
import { ascendingOrder } from '../samples/ranks.ts';

/** Weights of the observations, any positive scale. @default all equal */
export interface SampleWeights {
  readonly x?: ArrayLike<number>;
  readonly y?: ArrayLike<number>;
}

/** Wasserstein-1 (earth mover's) distance, in the units of the data: ∫ |F − G|. */
export function wasserstein(x: ArrayLike<number>, y: ArrayLike<number>, weights: SampleWeights = {}): number {
  return integrateGap(x, y, weights, Math.abs);
}

/** Wasserstein-1 divided by the standard deviation of the reference `x`; infinite for a constant reference that moved. */
export function standardisedWasserstein(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const distance = wasserstein(x, y);
  return distance === 0 ? 0 : distance / Math.sqrt(variance(x));
}

/** Energy distance √(2 ∫ (F − G)²) (Székely and Rizzo 2004). */
export function energyDistance(x: ArrayLike<number>, y: ArrayLike<number>, weights: SampleWeights = {}): number {
  return Math.sqrt(2) * Math.sqrt(integrateGap(x, y, weights, (gap) => gap * gap));
}

/** ∫ of a function of F − G over the line. */
function integrateGap(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  weights: SampleWeights,
  of: (gap: number) => number,
): number {
  const left = cumulative('x', x, weights.x);
  const right = cumulative('y', y, weights.y);
  let i = 0;
  let j = 0;
  let previous = Number.NaN;
  let gap = 0;
  let sum = 0;
  while (i < left.values.length || j < right.values.length) {
    const value = Math.min(left.values[i] ?? Infinity, right.values[j] ?? Infinity);
    if (gap !== 0) sum += of(gap) * (value - previous);
    while (left.values[i] === value) i += 1;
    while (right.values[j] === value) j += 1;
    gap = (left.shares[i - 1] ?? 0) - (right.shares[j - 1] ?? 0);
    previous = value;
  }
  return sum;
}

interface Cumulative {
  readonly values: readonly number[];
  /** Share of the weight at or below each value. */
  readonly shares: readonly number[];
}

function cumulative(name: string, values: ArrayLike<number>, weights: ArrayLike<number> | undefined): Cumulative {
  requireLength(name, values, 1);
  requireFinite(name, values);
  if (weights !== undefined) {
    requireSameLength(name, values, `weights.${name}`, weights);
    requireCounts(`weights.${name}`, weights);
  }
  const order = Array.from(ascendingOrder(values));
  let running = 0;
  const sums = order.map((k) => (running += weights === undefined ? 1 : (weights[k] ?? 0)));
  if (running === 0) throw new RangeError(`weights.${name} must hold at least one above 0`);
  return { values: order.map((k) => values[k] ?? 0), shares: sums.map((sum) => sum / running) };
}
