/**
 * Shapley values of one prediction, for any model. Exact by full enumeration; beyond that Kernel SHAP (Lundberg and Lee
 * 2017): a weighted regression on sampled coalitions, in which base + sum = prediction holds exactly.
 */
import type { Random } from '../random.ts';
import type { Questions } from './questions.ts';
import { solvePositiveDefinite } from '../matrices/symmetric-matrix.ts';
import { choose, coalitionWorths, requireGame, shapleyKernelWeight, type ShapleyValues } from './coalitions.ts';

/** Features up to which full enumeration is allowed (2^16 coalitions). */
const EXACT_FEATURES_MAX = 16;

/**
 * Exact Shapley values: 2^d coalitions times the background rows are asked.
 * @throws RangeError beyond 16 features, or when the background does not fit.
 */
export function* exactShapley(
  row: ArrayLike<number>,
  background: readonly ArrayLike<number>[],
): Questions<ShapleyValues> {
  const d = requireGame(row, background);
  if (d > EXACT_FEATURES_MAX)
    throw new RangeError(`exact values need at most ${EXACT_FEATURES_MAX} features, got ${d}`);
  const coalitions = Array.from({ length: 2 ** d }, (_, bits) => flags(bits, d));
  const worths = yield* coalitionWorths(row, background, coalitions);
  const values = new Float64Array(d);
  for (let bits = 0; bits < worths.length; bits++) {
    const size = coalitions[bits]?.reduce((a, b) => a + b, 0) ?? 0;
    for (let j = 0; j < d; j++) {
      if ((bits & (1 << j)) !== 0) continue;
      const gain = (worths[bits | (1 << j)] ?? 0) - (worths[bits] ?? 0);
      values[j] = (values[j] ?? 0) + gain / (d * choose(d - 1, size));
    }
  }
  return { values: Array.from(values), base: worths[0] ?? 0, prediction: worths[worths.length - 1] ?? 0 };
}

export interface KernelShapOptions {
  /** Coalitions to ask. From 2^d − 2 on the result is exact. @default 2 d + 2048 */
  readonly coalitions?: number;
}

/** Kernel SHAP. @param random draws the coalitions that the budget cannot enumerate. */
export function* kernelShap(
  row: ArrayLike<number>,
  background: readonly ArrayLike<number>[],
  random: Random,
  options: KernelShapOptions = {},
): Questions<ShapleyValues> {
  const d = requireGame(row, background);
  const budget = options.coalitions ?? 2 * d + 2048;
  if (d === 1 || (d <= EXACT_FEATURES_MAX && budget >= 2 ** d - 2)) return yield* exactShapley(row, background);
  const sample = drawCoalitions(d, budget, random);
  const ends = [new Uint8Array(d), new Uint8Array(d).fill(1)];
  const worths = yield* coalitionWorths(row, background, [...ends, ...sample.map(({ inside }) => inside)]);
  const [base = 0, prediction = 0] = worths;
  return { values: regress(sample, worths.subarray(2), base, prediction, d), base, prediction };
}

interface WeightedCoalition {
  readonly inside: Uint8Array;
  readonly weight: number;
}

/** Whole sizes from both ends while the budget lasts, then pairs (a coalition and its complement) of the sizes left. */
function drawCoalitions(d: number, budget: number, random: Random): WeightedCoalition[] {
  const chosen: WeightedCoalition[] = [];
  const sizesLeft: number[] = [];
  let left = budget;
  for (let size = 1; size <= Math.floor(d / 2); size++) {
    const both = size === d - size ? 1 : 2;
    const count = both * choose(d, size);
    if (sizesLeft.length > 0 || count > left) {
      sizesLeft.push(size);
      continue;
    }
    left -= count;
    const weight = shapleyKernelWeight(d, size);
    for (const inside of subsets(d, size)) {
      chosen.push({ inside, weight });
      if (both === 2) chosen.push({ inside: complement(inside), weight });
    }
  }
  if (sizesLeft.length === 0 || left < 2) return chosen;
  const masses = sizesLeft.map((s) => (s === d - s ? 1 : 2) * choose(d, s) * shapleyKernelWeight(d, s));
  const total = masses.reduce((a, b) => a + b, 0);
  const drawn = new Set<string>();
  const bySize = sizesLeft.map((): WeightedCoalition[] => []);
  // A pair drawn again costs no question, so the budget is spent on distinct ones.
  for (let draws = 0; drawn.size + 2 <= left && draws < 10 * left; draws++) {
    let pick = random.uniform() * total;
    let index = 0;
    while (index < masses.length - 1 && pick >= (masses[index] ?? 0)) pick -= masses[index++] ?? 0;
    const inside = new Uint8Array(d);
    for (const j of random.sample(d, sizesLeft[index] ?? 1)) inside[j] = 1;
    for (const one of [inside, complement(inside)]) {
      if (drawn.has(one.join(''))) continue;
      drawn.add(one.join(''));
      bySize[index]?.push({ inside: one, weight: 0 });
    }
  }
  // Those drawn of a size stand for all of that size.
  bySize.forEach((group, index) => {
    for (const coalition of group) chosen.push({ ...coalition, weight: (masses[index] ?? 0) / group.length });
  });
  return chosen;
}

/** Weighted least squares with the last value bound by base + sum = prediction. */
function regress(
  sample: readonly WeightedCoalition[],
  worths: ArrayLike<number>,
  base: number,
  prediction: number,
  d: number,
): number[] {
  const free = d - 1;
  const matrix = Array.from({ length: free }, () => new Float64Array(free));
  const vector = new Float64Array(free);
  sample.forEach(({ inside, weight }, c) => {
    const last = inside[free] ?? 0;
    const target = (worths[c] ?? 0) - base - last * (prediction - base);
    for (let i = 0; i < free; i++) {
      const a = (inside[i] ?? 0) - last;
      if (a === 0) continue;
      vector[i] = (vector[i] ?? 0) + weight * a * target;
      const line = matrix[i];
      if (line === undefined) continue;
      for (let j = 0; j < free; j++) line[j] = (line[j] ?? 0) + weight * a * ((inside[j] ?? 0) - last);
    }
  });
  // Too few coalitions leave directions undetermined: a trace of ridge settles them at the smallest values.
  const trace = matrix.reduce((sum, line, i) => sum + (line[i] ?? 0), 0);
  matrix.forEach((line, i) => (line[i] = (line[i] ?? 0) + 1e-12 * (trace / free + 1e-300)));
  const values = solvePositiveDefinite(matrix, vector);
  return [...values, prediction - base - values.reduce((a, b) => a + b, 0)];
}

function flags(bits: number, d: number): Uint8Array {
  return Uint8Array.from({ length: d }, (_, j) => (bits >> j) & 1);
}

function complement(inside: Uint8Array): Uint8Array {
  return inside.map((flag) => 1 - flag);
}

function* subsets(d: number, size: number, from = 0): Generator<Uint8Array> {
  if (size === 0) {
    yield new Uint8Array(d);
    return;
  }
  for (let first = from; first <= d - size; first++) {
    for (const rest of subsets(d, size - 1, first + 1)) {
      rest[first] = 1;
      yield rest;
    }
  }
}
