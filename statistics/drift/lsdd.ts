/**
 * Least-squares density difference (Sugiyama et al. 2013; Bu et al. 2017): estimates ∫ (p − q)² directly, with Gaussian
 * kernels at fixed centres. The estimate keeps the factor (πσ²)^(d/2) in H. The test drops it, as libraries do: the order of relabelings
 * is the same, and with many columns the factor leaves the range where the ridge is a ridge, or that of doubles.
 */
import { requireMatrix, requirePositive } from '../arguments.ts';
import { squaredDistance } from '../matrices/squared-distance.ts';
import { medianHeuristic } from './mmd.ts';
import { permutationPValue, type PermutationPValue } from './permutation-test.ts';
import type { Random } from '../random.ts';
import { solvePositiveDefinite } from '../matrices/symmetric-matrix.ts';

export interface LsddModel {
  readonly centres: readonly ArrayLike<number>[];
  /** Kernel width. */
  readonly sigma: number;
  /** Ridge, above 0. */
  readonly lambda: number;
}

export interface Lsdd {
  readonly statistic: number;
  /** Mean kernel of x minus mean kernel of y, per centre. */
  readonly h: readonly number[];
  /** Weights of the estimated density difference. */
  readonly theta: readonly number[];
}

/** The estimate for two samples of rows. @throws RangeError for ragged rows, NaN or parameters not above 0. */
export function lsdd(x: readonly ArrayLike<number>[], y: readonly ArrayLike<number>[], model: LsddModel): Lsdd {
  requireMatrix('x', x);
  requireMatrix('y', y);
  const solve = solver(model, (Math.PI * model.sigma * model.sigma) ** (requireMatrix('centres', model.centres) / 2));
  const kernelsX = x.map((row) => kernels(row, model));
  const kernelsY = y.map((row) => kernels(row, model));
  const h = model.centres.map((_, k) => average(kernelsX, k) - average(kernelsY, k));
  return solve(h);
}

export interface LsddTestOptions {
  /** @default the median distance of the pooled rows */
  readonly sigma?: number;
  /** Ridge beside kernels that are 1 at their centre. @default 0.05 */
  readonly lambda?: number;
  /** Centres drawn from the pooled rows. @default 100, at most the rows */
  readonly centres?: number;
  /** @default 100 */
  readonly permutations?: number;
}

/** Two-sample permutation test with the estimate, without its factor, as statistic. A pooled sample of equal rows is no drift. */
export function lsddTest(
  x: readonly ArrayLike<number>[],
  y: readonly ArrayLike<number>[],
  random: Random,
  options: LsddTestOptions = {},
): PermutationPValue & { readonly statistic: number; readonly sigma: number } {
  const columns = requireMatrix('x', x, 2);
  if (requireMatrix('y', y, 2) !== columns) throw new RangeError(`y must have ${columns} columns like x`);
  const pooled = [...x, ...y];
  const sigma = options.sigma ?? medianHeuristic(pooled);
  if (sigma === 0) return { statistic: 0, sigma, pValue: 1, nullQuantile95: 0, permutations: 0 };
  const chosen = random.sample(pooled.length, Math.min(options.centres ?? 100, pooled.length));
  const model = { centres: chosen.map((i) => pooled[i] ?? []), sigma, lambda: options.lambda ?? 0.05 };
  const solve = solver(model, 1);
  const all = pooled.map((row) => kernels(row, model));
  const statisticOf = (labels: Uint8Array) => {
    const h = model.centres.map((_, k) => {
      let inX = 0;
      let inY = 0;
      for (let i = 0; i < all.length; i++) {
        if (labels[i] === 1) inX += all[i]?.[k] ?? 0;
        else inY += all[i]?.[k] ?? 0;
      }
      return inX / x.length - inY / y.length;
    });
    return solve(h).statistic;
  };
  const labels = Uint8Array.from(pooled, (_, i) => (i < x.length ? 1 : 0));
  return {
    statistic: statisticOf(labels),
    sigma,
    ...permutationPValue(labels, statisticOf, random, options.permutations ?? 100),
  };
}

/** `scale`: of H. */
function solver(model: LsddModel, scale: number): (h: readonly number[]) => Lsdd {
  requirePositive('sigma', model.sigma);
  requirePositive('lambda', model.lambda);
  requireMatrix('centres', model.centres);
  const gram = model.centres.map((a) =>
    model.centres.map((b) => scale * Math.exp(-squaredDistance(a, b) / (4 * model.sigma * model.sigma))),
  );
  const ridged = gram.map((row, i) => row.map((value, j) => value + (i === j ? model.lambda : 0)));
  return (h) => {
    const theta = solvePositiveDefinite(ridged, h);
    let linear = 0;
    let quadratic = 0;
    theta.forEach((weight, i) => {
      linear += weight * (h[i] ?? 0);
      gram[i]?.forEach((value, j) => (quadratic += weight * value * (theta[j] ?? 0)));
    });
    return { statistic: 2 * linear - quadratic, h, theta };
  };
}

function kernels(row: ArrayLike<number>, model: LsddModel): number[] {
  return model.centres.map((centre) => Math.exp(-squaredDistance(row, centre) / (2 * model.sigma * model.sigma)));
}

function average(rows: readonly (readonly number[])[], k: number): number {
  return rows.reduce((sum, row) => sum + (row[k] ?? 0), 0) / rows.length;
}
