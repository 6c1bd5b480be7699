/** Numerical integration by the tanh-sinh rule (Takahasi and Mori 1974), which bears singular ends. */

/**
 * ∫ f over [low, high]. `f` gets x and the distances of x to both ends, which stay exact next to them.
 * The step is halved until two results agree to about `tolerance` relative to the larger.
 */
export function integrate(
  f: (x: number, fromLow: number, toHigh: number) => number,
  low: number,
  high: number,
  tolerance = 1e-11,
): number {
  const width = high - low;
  const term = (t: number): number => {
    const u = (Math.PI / 2) * Math.sinh(t);
    const fromLow = width / (1 + Math.exp(-2 * u));
    const toHigh = width / (1 + Math.exp(2 * u));
    if (!(fromLow > 0 && toHigh > 0)) return 0;
    const weight = ((width / 2) * (Math.PI / 2) * Math.cosh(t)) / Math.cosh(u) ** 2;
    if (weight === 0) return 0;
    const value = f(fromLow < toHigh ? low + fromLow : high - toHigh, fromLow, toHigh) * weight;
    return Number.isFinite(value) ? value : 0;
  };
  const span = 6;
  let step = 0.5;
  let sum = term(0);
  for (let t = step; t <= span; t += step) sum += term(t) + term(-t);
  let previous = sum * step;
  for (let level = 0; level < 9; level++) {
    for (let t = step / 2; t <= span; t += step) sum += term(t) + term(-t);
    step /= 2;
    const current = sum * step;
    if (level > 1 && Math.abs(current - previous) <= tolerance * Math.abs(current)) return current;
    previous = current;
  }
  return previous;
}
