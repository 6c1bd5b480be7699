/**
 * Distribution of the Kolmogorov–Smirnov distance: the limit law, and the law for a finite sample.
 * Sources: Kolmogorov 1933; Marsaglia, Tsang and Wang 2003 (exact, matrix power); Pelz and Good 1976 (expansion);
 * Smirnov 1944 (exact one-sided); choice of method after Simard and L'Ecuyer 2011.
 */

const PI2 = Math.PI * Math.PI;
/** Up to here the law is exact; beyond, the expansion is right to about 1e−6 and far cheaper. */
const EXACT_MAX = 140;

/** Limit law: P(√n D > x) for n → ∞. */
export function kolmogorovSurvival(x: number): number {
  if (!(x > 0)) return 1;
  if (x < 1) return 1 - limitCdf(x);
  let sum = 0;
  for (let k = 1; k <= 20; k++) {
    const term = Math.exp(-2 * k * k * x * x);
    sum += k % 2 === 1 ? term : -term;
    if (term === 0) break;
  }
  return Math.min(1, 2 * sum);
}

/** P(D ≥ d) of the two-sided distance between n observations and their true distribution. */
export function kolmogorovSurvivalExact(d: number, n: number): number {
  const t = n * d;
  if (t <= 0.5) return 1;
  if (d >= 1) return 0;
  if (t <= 1) return 1 - Math.exp(logFactorialRatio(n) + n * Math.log(2 * t - 1));
  // The two one-sided tails do not overlap (d ≥ ½), or by less than the error of the method below.
  if (d >= 0.5 || t * d >= (n <= EXACT_MAX ? 4 : 2.2)) return Math.min(1, 2 * smirnovSurvival(d, n));
  return 1 - (n <= EXACT_MAX || n * d ** 1.5 <= 1.4 ? matrixCdf(d, n) : expansionCdf(d, n));
}

/** P(D⁺ ≥ d) of the one-sided distance for n observations, exactly. */
export function smirnovSurvival(d: number, n: number): number {
  if (d <= 0) return 1;
  if (d >= 1) return 0;
  if (n > 1_000_000) return Math.exp(-2 * n * d * d - (4 * d) / 3 / 2);
  let logChoose = 0;
  let sum = 0;
  const last = Math.floor(n * (1 - d));
  for (let j = 0; j <= last; j++) {
    const up = d + j / n;
    const down = 1 - up;
    if (down > 0 || j === n) {
      const logDown = j === n ? 0 : (n - j) * Math.log(down);
      sum += Math.exp(logChoose + (j - 1) * Math.log(up) + logDown);
    }
    logChoose += Math.log((n - j) / (j + 1));
  }
  return Math.min(1, d * sum);
}

function limitCdf(x: number): number {
  let sum = 0;
  for (let k = 1; k <= 20; k++) {
    const term = Math.exp((-(2 * k - 1) * (2 * k - 1) * PI2) / (8 * x * x));
    sum += term;
    if (term === 0) break;
  }
  return (Math.sqrt(2 * Math.PI) / x) * sum;
}

/** ln(n! / nⁿ). */
function logFactorialRatio(n: number): number {
  let sum = 0;
  for (let i = 1; i <= n; i++) sum += Math.log(i / n);
  return sum;
}

/** Marsaglia, Tsang and Wang: an entry of the n-th power of a (2k−1)-square matrix, with the exponent kept apart. */
function matrixCdf(d: number, n: number): number {
  const k = Math.floor(n * d) + 1;
  const m = 2 * k - 1;
  const h = k - n * d;
  const base = new Float64Array(m * m);
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) base[i * m + j] = i - j + 1 < 0 ? 0 : 1;
  for (let i = 0; i < m; i++) {
    base[i * m] = at(base, i * m) - h ** (i + 1);
    base[(m - 1) * m + i] = at(base, (m - 1) * m + i) - h ** (m - i);
  }
  base[(m - 1) * m] = at(base, (m - 1) * m) + (2 * h - 1 > 0 ? (2 * h - 1) ** m : 0);
  for (let i = 0; i < m; i++) {
    let factorial = 1;
    for (let j = i; j >= 0; j--) {
      factorial *= i - j + 1;
      base[i * m + j] = at(base, i * m + j) / factorial;
    }
  }
  const power = matrixPower({ values: base, exponent: 0 }, m, n);
  let result = at(power.values, (k - 1) * m + k - 1);
  let { exponent } = power;
  for (let i = 1; i <= n; i++) {
    result *= i / n;
    if (result < 1e-140) {
      result *= 1e140;
      exponent -= 140;
    }
  }
  return result * 10 ** exponent;
}

interface ScaledMatrix {
  readonly values: Float64Array;
  readonly exponent: number;
}

function matrixPower(base: ScaledMatrix, m: number, n: number): ScaledMatrix {
  if (n === 1) return base;
  const half = matrixPower(base, m, Math.floor(n / 2));
  const square = multiply(half, half, m);
  return n % 2 === 0 ? square : multiply(base, square, m);
}

function multiply(a: ScaledMatrix, b: ScaledMatrix, m: number): ScaledMatrix {
  const values = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < m; k++) {
      const left = at(a.values, i * m + k);
      if (left === 0) continue;
      for (let j = 0; j < m; j++) values[i * m + j] = at(values, i * m + j) + left * at(b.values, k * m + j);
    }
  }
  let exponent = a.exponent + b.exponent;
  if (at(values, ((m * m) / 2) | 0) > 1e140) {
    for (let i = 0; i < values.length; i++) values[i] = at(values, i) * 1e-140;
    exponent += 140;
  }
  return { values, exponent };
}

/** Pelz and Good's expansion to order n^(−3/2). */
function expansionCdf(d: number, n: number): number {
  const z = Math.sqrt(n) * d;
  const z2 = z * z;
  const z4 = z2 * z2;
  const z6 = z4 * z2;
  const root = Math.sqrt(Math.PI / 2);
  let k1 = 0;
  let k2 = 0;
  let k3 = 0;
  let k2whole = 0;
  let k3whole = 0;
  for (let k = 0; k < 20; k++) {
    const a = PI2 * (k + 0.5) * (k + 0.5);
    const halfTerm = 2 * Math.exp(-a / (2 * z2));
    k1 += (a - z2) * halfTerm;
    k2 += (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * a + (1 - 2 * z2) * a * a) * halfTerm;
    k3 +=
      ((5 - 30 * z2) * a * a * a +
        (-60 * z2 + 212 * z4) * a * a +
        (135 * z4 - 96 * z6) * a -
        (30 * z6 + 90 * z4 * z4)) *
      halfTerm;
    const b = PI2 * k * k;
    const wholeTerm = 2 * Math.exp(-b / (2 * z2));
    k2whole += b * wholeTerm;
    k3whole += (-b * b + 3 * b * z2) * wholeTerm;
    if (halfTerm < 1e-300) break;
  }
  const first = (root / (6 * z4)) * k1;
  const second = (root / (72 * z6 * z)) * k2 - (root / (36 * z2 * z)) * k2whole;
  const third = (root / (6480 * z6 * z4)) * k3 + (root / (216 * z6)) * k3whole;
  const cdf = limitCdf(z) + first / Math.sqrt(n) + second / n + third / (n * Math.sqrt(n));
  return Math.min(1, Math.max(0, cdf));
}

function at(values: Float64Array, i: number): number {
  return values[i] ?? 0;
}
