/**
 * Gamma function family. Sources: Abramowitz & Stegun 6.1.41 and 6.3.18 (Stirling series), DLMF 8.7.1 (series of P)
 * and 8.9.2 (continued fraction of Q, evaluated by Lentz's method).
 */

const HALF_LOG_TWO_PI = 0.918938533204672742;
const EPSILON = 2 ** -53;
/** Stirling's series is exact to double precision from here on. */
const STIRLING_FROM = 12;

/** Natural logarithm of Γ(x). @param x above 0. @throws RangeError for other x. */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`logGamma: x must be above 0, got ${x}`);
  if (x === 1 || x === 2) return 0;
  let product = 1;
  let shifted = x;
  while (shifted < STIRLING_FROM) {
    product *= shifted;
    shifted += 1;
  }
  return (
    (shifted - 0.5) * Math.log(shifted) - shifted + HALF_LOG_TWO_PI + stirlingRemainder(shifted) - Math.log(product)
  );
}

/** ψ(x), the derivative of ln Γ(x). @param x above 0. @throws RangeError for other x. */
export function digamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`digamma: x must be above 0, got ${x}`);
  let sum = 0;
  let shifted = x;
  while (shifted < STIRLING_FROM) {
    sum -= 1 / shifted;
    shifted += 1;
  }
  const r = 1 / (shifted * shifted);
  const series =
    r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * (691 / 32760 - r / 12))))));
  return sum + Math.log(shifted) - 0.5 / shifted - series;
}

/**
 * ln Γ(x) minus Stirling's leading terms (x − ½) ln x − x + ½ ln 2π, for x ≥ 12: lets callers combine large
 * logarithms before they cancel.
 */
export function stirlingRemainder(x: number): number {
  const r = 1 / (x * x);
  return (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360360 - r / 156)))))) / x;
}

/** Both regularised incomplete gamma functions: P(a, x) and its complement Q(a, x), each with full relative accuracy. */
export interface IncompleteGamma {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Regularised incomplete gamma functions.
 * @param a shape, above 0. @param x at least 0 (infinity allowed).
 * @throws RangeError outside that domain.
 */
export function incompleteGamma(a: number, x: number): IncompleteGamma {
  if (!(a > 0) || !(x >= 0)) throw new RangeError(`incompleteGamma: needs a > 0 and x >= 0, got a=${a}, x=${x}`);
  if (x === 0) return { lower: 0, upper: 1 };
  if (x === Infinity) return { lower: 1, upper: 0 };
  const density = Math.exp(logPower(a, x));
  if (x < a + 1) {
    const lower = Math.min(1, density * lowerSeries(a, x));
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, density * upperFraction(a, x));
  return { lower: 1 - upper, upper };
}

/** ln of x^a e^(−x) / Γ(a), arranged so that large a does not cancel. */
export function logPower(a: number, x: number): number {
  if (a < STIRLING_FROM) return a * Math.log(x) - x - logGamma(a);
  const d = (x - a) / a;
  return a * (Math.log1p(d) - d) + 0.5 * Math.log(a) - HALF_LOG_TWO_PI - stirlingRemainder(a);
}

function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; term > sum * EPSILON; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

function upperFraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  // The fraction converges within about √a steps beyond x = a + 1; the bound only stops a rounding cycle.
  for (let i = 1; i < 1_000_000; i++) {
    const an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (Math.abs(d) < tiny) d = tiny;
    c = b + an / c;
    if (Math.abs(c) < tiny) c = tiny;
    d = 1 / d;
    const delta = d * c;
    h *= delta;
    if (Math.abs(delta - 1) < 4 * EPSILON) break;
  }
  return h;
}
