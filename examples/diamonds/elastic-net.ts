import type { Matrix } from './features.ts';

export interface ElasticNetOptions {
  /** Strength of the penalty, above 0: without one no dual point is feasible, and the stop would never come. */
  readonly alpha: number;
  /** Share of the absolute-value penalty, above 0 and at most 1; the rest is the squared one. @default 0.5 */
  readonly l1Ratio?: number;
  /** Penalise as if every column had standard deviation 1. The result is in raw units all the same. @default true */
  readonly standardize?: boolean;
  /** Stop when the duality gap is at most this share of the target's squared norm. @default 1e-10 */
  readonly tolerance?: number;
  /** @default 10_000 */
  readonly maxSweeps?: number;
}

export interface ElasticNetFit {
  /** One weight per raw column. */
  readonly coefficients: Float64Array;
  readonly intercept: number;
  readonly sweeps: number;
  /** Upper bound on how far the objective, times the number of rows, is above its minimum. */
  readonly dualityGap: number;
}

/**
 * Linear regression with an elastic-net penalty: minimises
 * `1/(2n) |y - Xw - b|² + alpha l1Ratio |w|₁ + alpha (1 - l1Ratio)/2 |w|²` over w and an unpenalised b, the objective
 * of scikit-learn, by cyclic coordinate descent with soft thresholding (Friedman, Hastie, Tibshirani 2010).
 *
 * Works on the columns' cross products, so a sweep costs columns², whatever the number of rows.
 *
 * @throws RangeError for options out of range, unequal lengths, or when `maxSweeps` do not reach the tolerance.
 */
export function fitElasticNet(x: Matrix, y: Float64Array, options: ElasticNetOptions): ElasticNetFit {
  const { alpha, l1Ratio = 0.5, standardize = true, tolerance = 1e-10, maxSweeps = 10_000 } = options;
  if (!(alpha > 0)) throw new RangeError(`alpha must be above 0, got ${alpha}`);
  if (!(l1Ratio > 0 && l1Ratio <= 1)) throw new RangeError(`l1Ratio must be above 0 and at most 1, got ${l1Ratio}`);
  if (x.rows !== y.length || x.rows === 0) throw new RangeError(`got ${x.rows} rows of X and ${y.length} of y`);

  const problem = buildProblem(x, y, standardize);
  const l1Penalty = alpha * l1Ratio * x.rows;
  const l2Penalty = alpha * (1 - l1Ratio) * x.rows;
  const weights = new Float64Array(x.columns);
  for (let sweeps = 1; sweeps <= maxSweeps; sweeps++) {
    sweep(problem, weights, l1Penalty, l2Penalty);
    const dualityGap = measureDualityGap(problem, weights, l1Penalty, l2Penalty);
    if (dualityGap <= tolerance * problem.targetSquares) return { ...unscale(problem, weights), sweeps, dualityGap };
  }
  throw new RangeError(
    `elastic net did not reach a duality gap of ${tolerance} within ${maxSweeps} sweeps; raise maxSweeps or tolerance`,
  );
}

/** The centred (and scaled) problem, reduced to what coordinate descent reads. */
interface Problem {
  readonly columns: number;
  /** Gram matrix XᵀX of the centred columns, row-major. */
  readonly gram: Float64Array;
  /** Xᵀy of the centred data. */
  readonly correlation: Float64Array;
  /** |y|² of the centred target. */
  readonly targetSquares: number;
  readonly means: Float64Array;
  readonly scales: Float64Array;
  readonly targetMean: number;
}

function buildProblem(x: Matrix, y: Float64Array, standardize: boolean): Problem {
  const { values, rows, columns } = x;
  const means = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) means[i % columns] = at(means, i % columns) + at(values, i) / rows;
  const targetMean = y.reduce((sum, value) => sum + value / rows, 0);

  const gram = new Float64Array(columns * columns);
  const correlation = new Float64Array(columns);
  const centred = new Float64Array(columns);
  let targetSquares = 0;
  for (let row = 0; row < rows; row++) {
    const target = at(y, row) - targetMean;
    targetSquares += target * target;
    for (let j = 0; j < columns; j++) centred[j] = at(values, row * columns + j) - at(means, j);
    for (let j = 0; j < columns; j++) {
      const value = at(centred, j);
      correlation[j] = at(correlation, j) + value * target;
      for (let k = 0; k <= j; k++) gram[j * columns + k] = at(gram, j * columns + k) + value * at(centred, k);
    }
  }

  // Dividing by the deviations here is the same as scaling the rows, and cheaper. A constant column keeps scale 1.
  const scales = Float64Array.from(means, (_, j) =>
    standardize ? Math.sqrt(at(gram, j * columns + j) / rows) || 1 : 1,
  );
  for (let j = 0; j < columns; j++) {
    correlation[j] = at(correlation, j) / at(scales, j);
    for (let k = 0; k <= j; k++) {
      const product = at(gram, j * columns + k) / (at(scales, j) * at(scales, k));
      gram[j * columns + k] = product;
      gram[k * columns + j] = product;
    }
  }
  return { columns, gram, correlation, targetSquares, means, scales, targetMean };
}

/** Minimises over one weight after the other; each has a closed form. */
function sweep(problem: Problem, weights: Float64Array, l1Penalty: number, l2Penalty: number): void {
  const { columns, gram } = problem;
  for (let j = 0; j < columns; j++) {
    const ownSquares = at(gram, j * columns + j);
    const partial = gradientAt(problem, weights, j) + ownSquares * at(weights, j);
    const denominator = ownSquares + l2Penalty;
    weights[j] = denominator === 0 ? 0 : softThreshold(partial, l1Penalty) / denominator;
  }
}

function softThreshold(value: number, threshold: number): number {
  return Math.abs(value) <= threshold ? 0 : value - Math.sign(value) * threshold;
}

/** Column j of Xᵀ(y - Xw). */
function gradientAt(problem: Problem, weights: Float64Array, j: number): number {
  let gradient = at(problem.correlation, j);
  for (let k = 0; k < problem.columns; k++) gradient -= at(problem.gram, j * problem.columns + k) * at(weights, k);
  return gradient;
}

/**
 * Primal minus dual objective, both times n. The squared penalty is read as extra rows of X, which makes the problem
 * a lasso; a dual point that satisfies its constraints is the residual, shrunk until no column correlates with it by
 * more than the penalty.
 */
function measureDualityGap(problem: Problem, weights: Float64Array, l1Penalty: number, l2Penalty: number): number {
  let explained = 0;
  let fitted = 0;
  let largest = 0;
  let absoluteSum = 0;
  let squares = 0;
  for (let j = 0; j < problem.columns; j++) {
    const weight = at(weights, j);
    const gradient = gradientAt(problem, weights, j);
    explained += weight * at(problem.correlation, j);
    fitted += weight * (at(problem.correlation, j) - gradient);
    largest = Math.max(largest, Math.abs(gradient - l2Penalty * weight));
    absoluteSum += Math.abs(weight);
    squares += weight * weight;
  }
  const residualSquares = problem.targetSquares - 2 * explained + fitted;
  const residualDotTarget = problem.targetSquares - explained;
  const shrink = largest > l1Penalty ? l1Penalty / largest : 1;
  const primal = residualSquares / 2 + l1Penalty * absoluteSum + (l2Penalty / 2) * squares;
  const dual = shrink * residualDotTarget - (shrink * shrink * (residualSquares + l2Penalty * squares)) / 2;
  return primal - dual;
}

function unscale(problem: Problem, weights: Float64Array): Pick<ElasticNetFit, 'coefficients' | 'intercept'> {
  const coefficients = weights.map((weight, j) => weight / at(problem.scales, j));
  const intercept = coefficients.reduce((sum, weight, j) => sum - weight * at(problem.means, j), problem.targetMean);
  return { coefficients, intercept };
}

/** Loops here stay inside the arrays; 0 only satisfies the compiler. */
function at(array: Float32Array | Float64Array, index: number): number {
  return array[index] ?? 0;
}
