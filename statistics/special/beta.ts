/** Beta function family. Source: DLMF 8.17.22 (continued fraction, Lentz's method). */
import { logGamma, stirlingRemainder } from './gamma.ts';
import { solveIncreasing } from './solve.ts';

const HALF_LOG_TWO_PI = 0.918938533204672742;
const EPSILON = 2 ** -53;

/** Natural logarithm of B(a, b). @throws RangeError unless a and b are above 0. */
export function logBeta(a: number, b: number): number {
  if (Math.min(a, b) >= 12) {
    const total = a + b;
    return (
      HALF_LOG_TWO_PI +
      0.5 * Math.log(total / a / b) +
      a * Math.log(a / total) +
      b * Math.log(b / total) +
      stirlingRemainder(a) +
      stirlingRemainder(b) -
      stirlingRemainder(total)
    );
  }
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/**
 * Regularised incomplete beta function I_x(a, b): the distribution function of Beta(a, b).
 * @param x within [0, 1]. @throws RangeError outside the domain.
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  return incompleteBetaOf(x, 1 - x, a, b);
}

/** I_x(a, b) with y = 1 − x given apart, for x so near to 1 that the difference would lose its digits. */
export function incompleteBetaOf(x: number, y: number, a: number, b: number): number {
  if (!(x >= 0 && x <= 1) || !(a > 0) || !(b > 0)) {
    throw new RangeError(`incompleteBeta: needs 0 <= x <= 1, a > 0, b > 0, got x=${x}, a=${a}, b=${b}`);
  }
  if (x === 0) return 0;
  if (y === 0) return 1;
  const power = Math.exp(logBetaPower(x, y, a, b));
  if (x < (a + 1) / (a + b + 2)) return Math.min(1, (power * fraction(x, a, b)) / a);
  return 1 - Math.min(1, (power * fraction(y, b, a)) / b);
}

/** Density of Beta(a, b) at x, with y = 1 − x. */
export function betaDensity(x: number, y: number, a: number, b: number): number {
  return Math.exp(logBetaPower(x, y, a, b) - Math.log(x) - Math.log(y));
}

/** Quantile of Beta(a, b). @param q within [0, 1]. @throws RangeError otherwise. */
export function betaQuantile(q: number, a: number, b: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`betaQuantile: q must lie within [0, 1], got ${q}`);
  if (q === 0 || q === 1) return q;
  const tail = Math.exp((Math.log(q) + Math.log(a) + logBeta(a, b)) / a);
  const start = tail < 0.02 ? tail : a / (a + b);
  return solveIncreasing({
    target: q,
    value: (x) => incompleteBeta(x, a, b),
    slope: (x) => betaDensity(x, 1 - x, a, b),
    low: 0,
    high: 1,
    start,
  });
}

/** ln of x^a y^b / B(a, b), arranged so that large a and b do not cancel. */
function logBetaPower(x: number, y: number, a: number, b: number): number {
  if (Math.min(a, b) < 12) return a * Math.log(x) + b * Math.log(y) - logBeta(a, b);
  const total = a + b;
  const deviation = (x * b - y * a) / total;
  return (
    a * Math.log1p((deviation * total) / a) +
    b * Math.log1p((-deviation * total) / b) -
    HALF_LOG_TWO_PI -
    0.5 * Math.log(total / a / b) -
    stirlingRemainder(a) -
    stirlingRemainder(b) +
    stirlingRemainder(total)
  );
}

function fraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guard = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < 1_000_000; m++) {
    const m2 = 2 * m;
    const even = (m * (b - m) * x) / ((a + m2 - 1) * (a + m2));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + m2) * (a + m2 + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    const delta = d * c;
    h *= delta;
    if (Math.abs(delta - 1) < 4 * EPSILON) break;
  }
  return h;
}
