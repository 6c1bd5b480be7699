/** Limit law of the Cramér–von Mises statistic (Anderson and Darling 1952; Csörgő and Faraway 1996, eq. 1.2). */
import { logGamma } from './gamma.ts';

/** P(W² > x). Accurate to about 1e−14 absolutely. */
export function cramerVonMisesSurvival(x: number): number {
  if (!(x >= 0.003)) return 1;
  let cdf = 0;
  for (let k = 0; k < 200; k++) {
    const y = 4 * k + 1;
    const q = (y * y) / (16 * x);
    const weight = Math.exp(logGamma(k + 0.5) - logGamma(k + 1)) / (Math.PI ** 1.5 * Math.sqrt(x));
    const term = weight * Math.sqrt(y) * besselQuarter(q);
    cdf += term;
    if (term < 1e-18) break;
  }
  return Math.min(1, Math.max(0, 1 - cdf));
}

/** e^(−q) K_¼(q), by the trapezoidal rule on its integral ∫ exp(−q cosh t) cosh(t/4) dt, which converges geometrically. */
function besselQuarter(q: number): number {
  const step = 0.02;
  let sum = 0.5 * Math.exp(-2 * q);
  for (let t = step; ; t += step) {
    const term = Math.exp(-q * (1 + Math.cosh(t))) * Math.cosh(t / 4);
    sum += term;
    if (term <= sum * 1e-18) return sum * step;
  }
}
