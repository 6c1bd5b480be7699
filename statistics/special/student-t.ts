/** Student's t distribution, central and non-central. */
import { incompleteBetaOf, logBeta } from './beta.ts';
import { normalCdf, normalQuantile } from './normal.ts';
import { logGamma } from './gamma.ts';
import { solveIncreasing } from './solve.ts';

/** P(T > t). @param df degrees of freedom, above 0, not necessarily whole. */
export function studentSurvival(t: number, df: number): number {
  if (Number.isNaN(t) || !(df > 0)) return Number.NaN;
  if (!Number.isFinite(t)) return t > 0 ? 0 : 1;
  const scale = df + t * t;
  const tail = 0.5 * incompleteBetaOf(df / scale, (t * t) / scale, df / 2, 0.5);
  return t > 0 ? tail : 1 - tail;
}

/** P(|T| > |t|). */
export function studentTwoSided(t: number, df: number): number {
  return 2 * studentSurvival(Math.abs(t), df);
}

/** t with P(T ≤ t) = q. @throws RangeError unless 0 < q < 1. */
export function studentQuantile(q: number, df: number): number {
  if (!(q > 0 && q < 1)) throw new RangeError(`studentQuantile: q must lie strictly between 0 and 1, got ${q}`);
  if (q === 0.5) return 0;
  return q < 0.5 ? -upperQuantile(q, df) : upperQuantile(1 - q, df);
}

/** t with P(T > t) = tail, for tail below ½. */
function upperQuantile(tail: number, df: number): number {
  const scale = logBeta(0.5, df / 2) + 0.5 * Math.log(df);
  return solveIncreasing({
    target: -tail,
    value: (t) => -studentSurvival(t, df),
    slope: (t) => Math.exp(-0.5 * (df + 1) * Math.log1p((t * t) / df) - scale),
    low: 0,
    high: Infinity,
    start: -normalQuantile(tail),
  });
}

/**
 * P(T ≤ t) of the non-central t distribution for t ≥ 0 (Lenth 1989, Algorithm AS 243): Poisson-weighted incomplete
 * beta functions. Meant for power calculations, |noncentrality| up to about 35.
 */
export function noncentralStudentCdf(t: number, df: number, noncentrality: number): number {
  if (t < 0) return 1 - noncentralStudentCdf(-t, df, -noncentrality);
  const x = (t * t) / (t * t + df);
  const y = df / (t * t + df);
  const half = (noncentrality * noncentrality) / 2;
  let sum = normalCdf(-noncentrality);
  if (t === 0) return sum;
  const last = Math.ceil(half + 12 * Math.sqrt(half + 1) + 20);
  for (let j = 0; j <= last; j++) {
    const logWeight = half > 0 ? j * Math.log(half) - half : j === 0 ? 0 : -Infinity;
    const p = Math.exp(logWeight - logGamma(j + 1));
    const q = (noncentrality / Math.SQRT2) * Math.exp(logWeight - logGamma(j + 1.5));
    sum += 0.5 * (p * incompleteBetaOf(x, y, j + 0.5, df / 2) + q * incompleteBetaOf(x, y, j + 1, df / 2));
  }
  return Math.min(1, Math.max(0, sum));
}
