/**
 * Error function and normal distribution. The error function is an incomplete gamma function of order ½ (DLMF 7.11.1);
 * the quantile is Wichura's PPND16 (Algorithm AS 241, Applied Statistics 37, 1988).
 */
import { incompleteGamma } from './gamma.ts';

/** From here on e^(−x) leaves the range of normal doubles: tails are flushed to 0. */
const LARGEST_EXPONENT = 708;

/** erf(x). */
export function erf(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  const lower = incompleteGamma(0.5, x * x).lower;
  return x < 0 ? -lower : lower;
}

/** 1 − erf(x), accurate in the upper tail; 0 where it falls below about 1e−308. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  const { lower, upper } = incompleteGamma(0.5, x * x);
  if (x < 0) return 1 + lower;
  return x * x > LARGEST_EXPONENT ? 0 : upper;
}

/** P(Z ≤ x) of the standard normal distribution; 0 below about 1e−308. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2);
}

/** P(Z > x) of the standard normal distribution; 0 below about 1e−308. */
export function normalSurvival(x: number): number {
  return 0.5 * erfc(x * Math.SQRT1_2);
}

/** ln P(Z ≤ x), finite in the far lower tail where the probability itself is not. */
export function normalLogCdf(x: number): number {
  if (x > 0) return Math.log1p(-normalSurvival(x));
  if (x > -30) return Math.log(normalCdf(x));
  // Asymptotic series of Mills' ratio: the terms shrink by 1/x² and x² is at least 900 here.
  const r = 1 / (x * x);
  const series = 1 - r * (1 - 3 * r * (1 - 5 * r * (1 - 7 * r)));
  return -0.5 * x * x - Math.log(-x) - 0.918938533204672742 + Math.log(series);
}

/** Density of the standard normal distribution. */
export function normalDensity(x: number): number {
  return Math.exp(-0.5 * x * x) * 0.398942280401432678;
}

/** z with P(Z ≤ z) = q. @param q within [0, 1]; the ends give infinities. @throws RangeError otherwise. */
export function normalQuantile(q: number): number {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`normalQuantile: q must lie within [0, 1], got ${q}`);
  if (q === 0) return -Infinity;
  if (q === 1) return Infinity;
  const centred = q - 0.5;
  if (Math.abs(centred) <= 0.425) {
    const r = 0.180625 - centred * centred;
    return (centred * polynomial(CENTRE.numerator, r)) / polynomial(CENTRE.denominator, r);
  }
  const r = Math.sqrt(-Math.log(centred < 0 ? q : 1 - q));
  const tail = r <= 5 ? NEAR_TAIL : FAR_TAIL;
  const shifted = r <= 5 ? r - 1.6 : r - 5;
  const z = polynomial(tail.numerator, shifted) / polynomial(tail.denominator, shifted);
  return centred < 0 ? -z : z;
}

function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * x + (coefficients[i] ?? 0);
  return sum;
}

const CENTRE = {
  numerator: [
    3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457,
    67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
  ],
  denominator: [
    1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867, 39307.89580009271061,
    28729.085735721942674, 5226.495278852854561,
  ],
};
const NEAR_TAIL = {
  numerator: [
    1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
    1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4,
  ],
  denominator: [
    1, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455, 0.14810397642748007459,
    0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9,
  ],
};
const FAR_TAIL = {
  numerator: [
    6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
    0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
  ],
  denominator: [
    1, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525, 7.868691311456132591e-4,
    1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15,
  ],
};
