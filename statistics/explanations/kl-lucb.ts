/**
 * Confidence bounds of a Bernoulli mean by Kullback–Leibler divergence, and the choice of the best arms with few draws
 * (KL-LUCB, Kaufmann and Kalyanakrishnan 2013).
 */

/** Largest q with KL(p, q) ≤ level. */
export function klUpperBound(p: number, level: number): number {
  return bisect(p, 1, (q) => bernoulliDivergence(p, q) <= level);
}

/** Smallest q with KL(p, q) ≤ level. */
export function klLowerBound(p: number, level: number): number {
  return 1 - klUpperBound(1 - p, level);
}

/** Exploration rate β(t, δ) for `arms` arms at round t (there with α = 1.1, k = 405.5). */
export function explorationRate(arms: number, round: number, delta: number): number {
  const temporary = Math.log((405.5 * arms * round ** 1.1) / delta);
  return temporary + Math.log(temporary);
}

/** KL divergence of two Bernoulli distributions, in nats. */
export function bernoulliDivergence(p: number, q: number): number {
  const part = (a: number, b: number) => (a === 0 ? 0 : b === 0 ? Infinity : a * Math.log(a / b));
  return part(p, q) + part(1 - p, 1 - q);
}

/** The largest value between a point that holds and a limit. */
function bisect(holds: number, limit: number, test: (value: number) => boolean): number {
  if (test(limit)) return limit;
  let low = holds;
  let high = limit;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (test(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
