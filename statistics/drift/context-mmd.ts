/**
 * Context-aware maximum mean discrepancy (Cobb and Van Looveren 2022): do two samples differ in what follows GIVEN their contexts? A change
 * of the contexts themselves (more requests at night, another mix of customers) is no difference. The statistic is the squared distance of
 * the two conditional mean embeddings, averaged over contexts of the second sample that are held out (their MMD-based ADiTT, §5.1); the
 * p-value is of a conditional permutation test: labels are drawn anew by the chance that a row with such a context has, so that each
 * relabelling has contexts like the observed ones (§5.2).
 */
import { requireFraction, requireInteger, requireMatrix, requireSameLength } from '../arguments.ts';
import { choleskyFactor, choleskySolve, dot } from '../matrices/cholesky.ts';
import { kernelLogistic } from './kernel-logistic.ts';
import { squaredDistance } from '../matrices/squared-distance.ts';
import { medianHeuristic } from './mmd.ts';
import { pValueAmong, type PermutationPValue } from './permutation-test.ts';
import type { Random } from '../random.ts';

type Rows = readonly ArrayLike<number>[];

export interface ContextSample {
  readonly rows: Rows;
  /** Of each row. */
  readonly contexts: Rows;
}

export interface ContextMmdOptions {
  /** @default 100 */
  readonly permutations?: number;
  /** Share of the second sample whose contexts are held out. @default 0.25 */
  readonly held?: number;
  /** Kernel width of the rows. @default the median distance of the pooled rows */
  readonly sigma?: number;
}

export interface ContextMmdResult extends PermutationPValue {
  /** At least 0. */
  readonly statistic: number;
  /** Mean of the statistic over the relabelings: what there is of it without a difference. */
  readonly nullMean: number;
  /** Ridge of the conditional embeddings, chosen by leaving one out. */
  readonly lambda: number;
}

/** @throws RangeError below ten rows a side, for ragged rows or contexts, or NaN. */
export function contextMmdTest(
  reference: ContextSample,
  current: ContextSample,
  random: Random,
  options: ContextMmdOptions = {},
): ContextMmdResult {
  const { permutations = 100, held: share = 0.25 } = options;
  requireInteger('permutations', permutations, 1);
  requireFraction('held', share);
  for (const [name, { rows, contexts }] of Object.entries({ reference, current })) {
    requireMatrix(`${name}.rows`, rows, rowsMin);
    requireMatrix(`${name}.contexts`, contexts, rowsMin);
    requireSameLength(`${name}.rows`, rows, `${name}.contexts`, contexts);
  }
  const heldCount = Math.max(1, Math.round(share * current.rows.length));
  const heldOut = new Set(random.sample(current.rows.length, heldCount));
  const kept = (table: Rows): Rows => table.filter((_, place) => !heldOut.has(place));
  const rows = [...reference.rows, ...kept(current.rows)];
  const contexts = [...reference.contexts, ...kept(current.contexts)];
  const held = current.contexts.filter((_, place) => heldOut.has(place));
  const contextWidth = medianHeuristic([...contexts, ...held]);
  const kernels: ContextKernels = {
    rows: gaussian(rows, rows, options.sigma ?? medianHeuristic(rows)),
    contexts: gaussian(contexts, contexts, contextWidth),
    held: gaussian(held, contexts, contextWidth),
    count: rows.length,
  };
  const lambda = chosenRidge(kernels, random);
  const labels = Uint8Array.from(rows, (_, place) => Number(place >= reference.rows.length));
  const statistic = contextDiscrepancy(kernels, labels, lambda);
  const chances = kernelLogistic(kernels.contexts, labels, propensityRidge);
  const drawn = Array.from({ length: permutations }, () =>
    contextDiscrepancy(kernels, relabelled(chances, random), lambda),
  );
  const nullMean = drawn.reduce((sum, value) => sum + value, 0) / permutations;
  return { statistic, nullMean, lambda, ...pValueAmong(statistic, drawn) };
}

const rowsMin = 10;

/** Kernel matrices, row by row. */
export interface ContextKernels {
  /** count × count, of the rows. */
  readonly rows: Float64Array;
  /** count × count, of their contexts. */
  readonly contexts: Float64Array;
  /** Contexts that are conditioned on × count. */
  readonly held: Float64Array;
  readonly count: number;
}

/**
 * (1/h) Σ over held contexts of |μ₁(c) − μ₀(c)|², where μ(c) is the embedding of a sample weighted by (L + nλI)⁻¹ l(c).
 * @param labels which sample a row is of, 0 or 1; both must have rows.
 */
export function contextDiscrepancy(kernels: ContextKernels, labels: Uint8Array, lambda: number): number {
  const { rows: kernel, held, count } = kernels;
  const heldCount = held.length / count;
  /** count × heldCount */
  const weights = new Float64Array(held.length);
  for (const label of [0, 1]) {
    const places = Array.from(labels.keys()).filter((place) => labels[place] === label);
    const n = places.length;
    const gram = new Float64Array(n * n);
    const right = new Float64Array(heldCount * n);
    places.forEach((place, i) => {
      for (let j = 0; j < n; j++) gram[i * n + j] = kernels.contexts[place * count + (places[j] ?? 0)] ?? 0;
      gram[i * n + i] = (gram[i * n + i] ?? 0) + n * lambda;
      for (let h = 0; h < heldCount; h++) right[h * n + i] = held[h * count + place] ?? 0;
    });
    const solved = choleskySolve(choleskyFactor(gram, n), n, right);
    const sign = label === 1 ? 1 : -1;
    places.forEach((place, i) => {
      for (let h = 0; h < heldCount; h++) weights[place * heldCount + h] = sign * (solved[h * n + i] ?? 0);
    });
  }
  // Σ wᵀKw with each pair once.
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const [own, row] = [i * heldCount, i * count];
    for (let j = 0; j <= i; j++) {
      const products = dot(weights, own, weights, j * heldCount, heldCount);
      sum += (i === j ? 1 : 2) * products * (kernel[row + j] ?? 0);
    }
  }
  return Math.max(0, sum / heldCount);
}

/** Each row gets label 1 with its chance; both labels must be there often enough to tell anything. */
function relabelled(chances: Float64Array, random: Random): Uint8Array {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const labels = Uint8Array.from(chances, (chance) => Number(random.uniform() < chance));
    const ones = labels.reduce((sum, label) => sum + label, 0);
    if (Math.min(ones, labels.length - ones) >= 2) return labels;
  }
  throw new RangeError('contexts tell the samples apart: no row could be of the other one, so nothing can be compared');
}

/** Of the chances: by simulation the largest that keeps the false alarm rate also where contexts hardly overlap. */
const propensityRidge = 0.3;

const ridges = [1e-4, 1e-3, 1e-2, 1e-1, 1] as const;
const ridgeRows = 150;

/**
 * The ridge by which the embedding at a row's context comes nearest to the row, when the row itself is left out: Σ (R K R)ᵢᵢ / Rᵢᵢ² with
 * R = (L + nλI)⁻¹, on at most 150 of the pooled rows. It knows no labels, so relabelings do not change it.
 */
function chosenRidge(kernels: ContextKernels, random: Random): number {
  const { count } = kernels;
  const places = random.sample(count, Math.min(count, ridgeRows));
  const n = places.length;
  const part = (matrix: Float64Array): Float64Array =>
    Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [places[Math.floor(at / n)] ?? 0, places[at % n] ?? 0];
      return matrix[i * count + j] ?? 0;
    });
  const [kernel, gram] = [part(kernels.rows), part(kernels.contexts)];
  let best: { readonly lambda: number; readonly error: number } = { lambda: 1, error: Infinity };
  for (const lambda of ridges) {
    const regularised = gram.map((value, at) => (at % (n + 1) === 0 ? value + n * lambda : value));
    const identity = Float64Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0));
    const inverse = choleskySolve(choleskyFactor(regularised, n), n, identity);
    let error = 0;
    for (let i = 0; i < n; i++) {
      const row = inverse.subarray(i * n, (i + 1) * n);
      let quadratic = 0;
      for (let a = 0; a < n; a++) {
        quadratic += (row[a] ?? 0) * dot(kernel, a * n, row, 0, n);
      }
      error += quadratic / ((row[i] ?? 1) * (row[i] ?? 1));
    }
    if (error < best.error) best = { lambda, error };
  }
  return best.lambda;
}

/** exp(−|a − b|² / 2σ²); of rows that are all equal, 1. */
function gaussian(rows: Rows, others: Rows, sigma: number): Float64Array {
  const kernel = new Float64Array(rows.length * others.length);
  let at = 0;
  for (const row of rows) {
    for (const other of others)
      kernel[at++] = sigma === 0 ? 1 : Math.exp(-squaredDistance(row, other) / (2 * sigma * sigma));
  }
  return kernel;
}
