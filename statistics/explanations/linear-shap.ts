/** Shapley values of a linear model in closed form: coefficient times distance from the background's mean. */
import { requireSameLength } from '../arguments.ts';
import { mean } from '../samples/descriptive.ts';
import { requireGame, type ShapleyValues } from './coalitions.ts';

export interface LinearModel {
  readonly coefficients: ArrayLike<number>;
  readonly intercept: number;
}

export function linearShap(
  model: LinearModel,
  row: ArrayLike<number>,
  background: readonly ArrayLike<number>[],
): ShapleyValues {
  requireGame(row, background);
  requireSameLength('coefficients', model.coefficients, 'row', row);
  const means = Array.from(row, (_, j) => mean(background.map((other) => other[j] ?? 0)));
  const values = Array.from(row, (x, j) => (model.coefficients[j] ?? 0) * (x - (means[j] ?? 0)));
  const base = model.intercept + means.reduce((sum, m, j) => sum + m * (model.coefficients[j] ?? 0), 0);
  return { values, base, prediction: base + values.reduce((a, b) => a + b, 0) };
}
