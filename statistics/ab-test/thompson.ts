/**
 * Bayesian comparison of success rates with Beta posteriors, and Thompson's rule (1933): show an arm as often as it is
 * likely to be the best.
 */
import { requireLength, requirePositive } from '../arguments.ts';
import type { Random } from '../random.ts';
import { betaDensity, incompleteBetaOf } from '../special/beta.ts';
import { integrate } from '../special/integrate.ts';

/** Posterior Beta(alpha, beta): prior plus successes, prior plus failures. May be fractional. */
export interface BetaArm {
  readonly alpha: number;
  readonly beta: number;
}

/** Draws one rate per arm and returns the index of the largest: Thompson sampling. */
export function thompsonPick(arms: readonly BetaArm[], random: Random): number {
  requireArms(arms);
  let best = 0;
  let bestDraw = -1;
  arms.forEach((arm, i) => {
    const draw = random.beta(arm.alpha, arm.beta);
    if (draw > bestDraw) {
      best = i;
      bestDraw = draw;
    }
  });
  return best;
}

/** Probability of each arm to have the highest rate; sums to 1. By numerical integration, about 1e−9. */
export function probabilityBest(arms: readonly BetaArm[]): number[] {
  requireArms(arms);
  return arms.map((arm, i) => {
    const [low, high] = bulk(arm);
    return integrate(
      (x, fromLow, toHigh) => {
        const y = high === 1 ? toHigh : 1 - x;
        let value = betaDensity(low === 0 ? fromLow : x, y, arm.alpha, arm.beta);
        arms.forEach((other, j) => {
          if (j !== i && value > 0) value *= incompleteBetaOf(x, y, other.alpha, other.beta);
        });
        return value;
      },
      low,
      high,
    );
  });
}

/** What choosing arm `chosen` is expected to lose against always knowing the better of two: E max(other − chosen, 0). */
export function expectedLoss(chosen: BetaArm, other: BetaArm): number {
  requireArms([chosen, other]);
  const [low] = bulk(chosen);
  const [, high] = bulk(other);
  if (low >= high) return 0;
  return integrate(
    (x) => incompleteBetaOf(1 - x, x, other.beta, other.alpha) * incompleteBetaOf(x, 1 - x, chosen.alpha, chosen.beta),
    low,
    high,
  );
}

/** Where all but about 1e−30 of the mass lies: a narrow posterior must not slip between the nodes. */
function bulk({ alpha, beta }: BetaArm): [number, number] {
  const total = alpha + beta;
  const mean = alpha / total;
  const reach = 12 * Math.sqrt((mean * (1 - mean)) / (total + 1)) + 60 / total;
  return [Math.max(0, mean - reach), Math.min(1, mean + reach)];
}

function requireArms(arms: readonly BetaArm[]): void {
  requireLength('arms', arms, 1);
  arms.forEach(({ alpha, beta }, i) => {
    requirePositive(`arms[${i}].alpha`, alpha);
    requirePositive(`arms[${i}].beta`, beta);
  });
}
