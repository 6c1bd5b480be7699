/**
 * Shares of a bandit's arms from sums of rewards. Shares instead of single picks: traffic between two updates is split by them, so that
 * each pick can be computed again from the shares in force.
 *
 * Thompson's rule (1933) gives each arm the probability to be the best, by seeded draws: for rewards from 0 to 1 from Beta posteriors with
 * the prior Beta(1, 1), for any rewards from Student posteriors of normal means with unknown variance (Honda and Takemura 2014). Epsilon-greedy gives the best mean all but epsilon (Sutton and Barto 2018, 2.2). Old rewards count less where the sums
 * are discounted (Raj and Kalyani 2017).
 */
import { requireLength } from '../arguments.ts';
import { type Random, seededRandom } from '../random.ts';

/** Rewards of an arm; fractional once they were discounted. */
export interface ArmRewards {
  /** How many there were, without discount. */
  readonly seen: number;
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
}

export const NO_REWARDS: ArmRewards = { seen: 0, count: 0, sum: 0, squares: 0 };

export function addReward({ seen, count, sum, squares }: ArmRewards, reward: number): ArmRewards {
  return { seen: seen + 1, count: count + 1, sum: sum + reward, squares: squares + reward * reward };
}

/**
 * What is left after one more reward of any arm. `halfLife` in rewards. What is left of an arm that gets none falls no further than where
 * it says nothing but its mean and spread: at 0 it would say nothing at all.
 */
export function discounted(rewards: ArmRewards, halfLife: number): ArmRewards {
  const { seen, count, sum, squares } = rewards;
  const rest = 0.5 ** (1 / halfLife);
  return count * rest < countMin ? rewards : { seen, count: count * rest, sum: sum * rest, squares: squares * rest };
}

const countMin = 1e-9;

export interface BanditPolicy {
  readonly policy: 'thompson' | 'epsilon-greedy';
  readonly likelihood: 'bernoulli' | 'gaussian';
  /** Share of all but the best arm together, of epsilon-greedy. */
  readonly epsilon: number;
  /** Least share of an arm; below 1 / arms. */
  readonly minShare: number;
}

/** An arm of unknown spread is not judged below this many rewards. */
export const gaussianRewardsMin = 5;
/** A share is then within about 0.02. `probabilityBest` is exact and takes a hundred times as long. */
const draws = 2_000;

/** Shares in the order of the arms; they sum to 1. `seed` is of the draws of Thompson sampling. */
export function banditShares(arms: readonly ArmRewards[], bandit: BanditPolicy, seed: string): readonly number[] {
  requireLength('arms', arms, 1);
  if (!(bandit.minShare * arms.length <= 1))
    throw new RangeError(`minShare must be at most 1 / ${arms.length}, got ${bandit.minShare}`);
  const shares = bandit.policy === 'thompson' ? thompsonShares(arms, bandit, seed) : greedyShares(arms, bandit.epsilon);
  const rest = 1 - bandit.minShare * arms.length;
  return shares.map((share) => bandit.minShare + rest * share);
}

function greedyShares(arms: readonly ArmRewards[], epsilon: number): readonly number[] {
  // An arm without rewards comes first: else it might never get one.
  const means = arms.map(({ count, sum }) => (count > 0 ? sum / count : Number.POSITIVE_INFINITY));
  const best = Math.max(...means);
  const ties = means.filter((mean) => mean === best).length;
  const others = arms.length - ties;
  if (others === 0) return arms.map(() => 1 / arms.length);
  return means.map((mean) => (mean === best ? (1 - epsilon) / ties : epsilon / others));
}

function thompsonShares(arms: readonly ArmRewards[], { likelihood }: BanditPolicy, seed: string): readonly number[] {
  const unknown = likelihood === 'gaussian' ? arms.filter(isUnknown).length : 0;
  if (unknown > 0) return arms.map((arm) => (isUnknown(arm) ? 1 / unknown : 0));
  const draw = likelihood === 'gaussian' ? drawMean : drawRate;
  const random = seededRandom(seed);
  const wins = arms.map(() => 0);
  for (let times = 0; times < draws; times++) {
    let best = 0;
    let largest = Number.NEGATIVE_INFINITY;
    arms.forEach((arm, index) => {
      const mean = draw(arm, random);
      if (mean > largest) {
        best = index;
        largest = mean;
      }
    });
    wins[best] = (wins[best] ?? 0) + 1;
  }
  return wins.map((count) => count / draws);
}

/** By what was seen: an arm whose rewards are old was judged before, and must not get all of the traffic to be judged again. */
const isUnknown = ({ seen }: ArmRewards): boolean => seen < gaussianRewardsMin;

function drawRate({ count, sum }: ArmRewards, random: Random): number {
  return random.beta(1 + sum, 1 + Math.max(0, count - sum));
}

/**
 * From the Student posterior of a normal mean: mean + s / sqrt(n) · t with n − 1 degrees of freedom. Old rewards still tell the spread, so
 * the degrees of freedom do not fall below those of an arm that is just judged, and an arm is as uncertain as after one reward at most.
 */
function drawMean({ count, sum, squares }: ArmRewards, random: Random): number {
  const mean = sum / count;
  const known = Math.max(count, gaussianRewardsMin);
  const variance = Math.max(0, squares / count - mean * mean);
  const chiSquared = 2 * random.gamma((known - 1) / 2);
  return mean + random.normal() * Math.sqrt((variance * known) / chiSquared / Math.max(count, 1));
}
