import { describe, expect, it } from 'vitest';
import {
  addReward,
  type ArmRewards,
  type BanditPolicy,
  banditShares,
  discounted,
  NO_REWARDS,
} from '../../../statistics/ab-test/bandit.ts';
import { seededRandom } from '../../../statistics/random.ts';

const thompson: BanditPolicy = { policy: 'thompson', likelihood: 'bernoulli', epsilon: 0.1, minShare: 0 };
const greedy: BanditPolicy = { ...thompson, policy: 'epsilon-greedy' };
const arm = (count: number, sum: number): ArmRewards => ({ seen: count, count, sum, squares: sum });

describe('shares of arms', () => {
  it('are what Thompson sampling picks in the long run: P(Beta(3,2) > Beta(1,1)) = 3/5', () => {
    const [first, second] = banditShares([arm(3, 2), NO_REWARDS], thompson, 'x');
    expect(Math.abs(first! - 0.6)).toBeLessThan(0.03);
    expect(first! + second!).toBeCloseTo(1, 12);
  });

  it('of epsilon-greedy leave epsilon to the others, and begin with arms that nobody has tried', () => {
    expect(banditShares([arm(10, 2), arm(10, 5), arm(10, 3)], greedy, 'x')).toEqual([0.05, 0.9, 0.05]);
    expect(banditShares([arm(10, 2), NO_REWARDS, NO_REWARDS], greedy, 'x')).toEqual([0.1, 0.45, 0.45]);
    expect(banditShares([NO_REWARDS, NO_REWARDS], greedy, 'x')).toEqual([0.5, 0.5]);
  });

  it('never fall below the least share', () => {
    const shares = banditShares([arm(1_000, 900), arm(1_000, 100)], { ...thompson, minShare: 0.05 }, 'x');
    expect(shares[1]).toBeCloseTo(0.05, 6);
    expect(shares[0]! + shares[1]!).toBeCloseTo(1, 12);
  });

  it('of rewards without bounds depend on the seed alone, and prefer the larger mean', () => {
    const random = seededRandom('rewards');
    const draw = (mean: number, count: number): ArmRewards => {
      let rewards = NO_REWARDS;
      for (let i = 0; i < count; i++) rewards = addReward(rewards, mean + random.normal());
      return rewards;
    };
    const gaussian: BanditPolicy = { ...thompson, likelihood: 'gaussian' };
    const arms = [draw(-9, 60), draw(-8, 60)];
    expect(banditShares(arms, gaussian, 'seed')).toEqual(banditShares(arms, gaussian, 'seed'));
    expect(banditShares(arms, gaussian, 'seed')[1]).toBeGreaterThan(0.95);
    expect(banditShares([draw(0, 60), draw(0, 4)], gaussian, 'seed')).toEqual([0, 1]);
  });

  it('of an arm that was judged and got no rewards for long are its chance to be better, and never all of them', () => {
    const random = seededRandom('neglected');
    const gaussian: BanditPolicy = { ...thompson, likelihood: 'gaussian' };
    let [good, bad] = [NO_REWARDS, NO_REWARDS];
    for (let i = 0; i < 50; i++) {
      good = addReward(good, 3 + random.normal());
      bad = addReward(bad, random.normal());
    }
    for (let i = 0; i < 2_000; i++) {
      good = addReward(discounted(good, 20), 3 + random.normal());
      bad = discounted(bad, 20);
      if (i === 80 || i === 1_999) {
        expect(bad.count).toBeLessThan(5);
        expect(banditShares([good, bad], gaussian, `after ${i}`)[1]).toBeLessThan(0.2);
      }
    }
    expect(bad.count).toBeGreaterThan(0);
    expect(bad.sum / bad.count).toBeCloseTo(0, 0);
  });
});

it('lets a reward count half after its half-life', () => {
  let rewards = arm(8, 4);
  for (let i = 0; i < 20; i++) rewards = discounted(rewards, 20);
  expect(rewards.count).toBeCloseTo(4, 10);
  expect(rewards.sum).toBeCloseTo(2, 10);
});
