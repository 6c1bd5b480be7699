/** How good predictions are, in the unit of the target (R² has none). */
export interface Evaluation {
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** Mean absolute error. */
  readonly mae: number;
  /** Share of the variance explained; 0 is what the mean of `truth` reaches. */
  readonly r2: number;
}

/** @throws RangeError for no rows, or unequal lengths. */
export function evaluate(predictions: Float64Array, truth: Float64Array): Evaluation {
  const rows = truth.length;
  if (rows === 0 || predictions.length !== rows) {
    throw new RangeError(`cannot compare ${predictions.length} predictions with ${rows} true values`);
  }
  const mean = truth.reduce((sum, value) => sum + value, 0) / rows;
  let squares = 0;
  let absolutes = 0;
  let variation = 0;
  truth.forEach((value, row) => {
    const error = (predictions[row] ?? Number.NaN) - value;
    squares += error * error;
    absolutes += Math.abs(error);
    variation += (value - mean) ** 2;
  });
  return { rmse: Math.sqrt(squares / rows), mae: absolutes / rows, r2: 1 - squares / variation };
}
