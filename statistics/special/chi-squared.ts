/** Chi-squared distribution: an incomplete gamma function of half the degrees of freedom. */
import { incompleteGamma, logPower } from './gamma.ts';
import { normalQuantile } from './normal.ts';
import { solveIncreasing } from './solve.ts';

/** P(X > x). @param df degrees of freedom, above 0. */
export function chiSquaredSurvival(x: number, df: number): number {
  return x <= 0 ? 1 : incompleteGamma(df / 2, x / 2).upper;
}

/** P(X ≤ x). @param df degrees of freedom, above 0. */
export function chiSquaredCdf(x: number, df: number): number {
  return x <= 0 ? 0 : incompleteGamma(df / 2, x / 2).lower;
}

/** x with P(X ≤ x) = q. @param q within [0, 1). @throws RangeError otherwise. */
export function chiSquaredQuantile(q: number, df: number): number {
  if (!(q >= 0 && q < 1)) throw new RangeError(`chiSquaredQuantile: q must lie within [0, 1), got ${q}`);
  if (q === 0) return 0;
  // Wilson and Hilferty's cube-root approximation as the start.
  const spread = 2 / (9 * df);
  const start = df * (1 - spread + normalQuantile(q) * Math.sqrt(spread)) ** 3;
  return solveIncreasing({
    // The survival side keeps its digits for q near 1.
    target: q < 0.5 ? q : -(1 - q),
    value: (x) => (q < 0.5 ? chiSquaredCdf(x, df) : -chiSquaredSurvival(x, df)),
    slope: (x) => Math.exp(logPower(df / 2, x / 2)) / x,
    low: 0,
    high: Infinity,
    start: start > 0 ? start : df / 100,
  });
}
