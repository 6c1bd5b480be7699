/** Weights that follow rewards. */
import type { Effects } from '../../runtime/engine/topology.ts';
import type { RewardObserved } from '../../schemas/events.ts';
import { armsOf, type BanditSettings, type RouteWeight } from '../../schemas/traffic.ts';
import { addReward, type ArmRewards, banditShares, discounted, NO_REWARDS } from '../../statistics/ab-test/bandit.ts';
import { keep, weightsChanged } from './says.ts';
import { type BanditState, evidenceOf, type Steered } from './state.ts';

/** Every `updateEvery` rewards the weights are computed anew. */
export function rewarded(
  steered: Steered,
  settings: BanditSettings,
  { route, reward }: RewardObserved,
  timeMs: number,
): Effects {
  const before = steered.bandit ?? { rewards: 0, arms: {} };
  const arms = armsOf(steered.settings.routes);
  if (!arms.includes(route)) return { count: { rewardsOfOtherRoutes: 1 } };
  if (settings.likelihood === 'bernoulli' && !(reward >= 0 && reward <= 1)) return { count: { rewardsUnusable: 1 } };
  const { halfLife } = settings;
  const credited = (name: string): ArmRewards => {
    const known = before.arms[name] ?? NO_REWARDS;
    const left = halfLife === undefined ? known : discounted(known, halfLife);
    return name === route ? addReward(left, reward) : left;
  };
  const bandit: BanditState = {
    rewards: before.rewards + 1,
    arms: Object.fromEntries(arms.map((name) => [name, credited(name)])),
  };
  const learned: Steered = { ...steered, bandit };
  const count = { rewards: 1 };
  if (bandit.rewards % settings.updateEvery !== 0) return { ...keep(learned), count };
  const seed = `${steered.deployment}/${steered.version}/${bandit.rewards}`;
  const weights = banditWeights(steered.settings.routes, settings, bandit.arms, seed);
  const next = { ...learned, weights, weightsVersion: steered.weightsVersion + 1 };
  const best = weights.reduce((a, b) => (b.weight > a.weight ? b : a));
  const reason = `after ${bandit.rewards} rewards '${best.route}' gets ${(100 * best.weight).toFixed(1)} %`;
  return {
    ...keep(next),
    emit: weightsChanged(next, { cause: 'bandit', reason, seed, timeMs, evidence: evidenceOf(next) }),
    count: { ...count, weightsChanged: 1 },
  };
}

/** In the order of the document; routes that are no arms have weight 0. */
export function banditWeights(
  routes: Parameters<typeof armsOf>[0],
  settings: BanditSettings,
  rewards: Readonly<Record<string, ArmRewards>>,
  seed: string,
): readonly RouteWeight[] {
  const arms = armsOf(routes);
  const shares = banditShares(
    arms.map((name) => rewards[name] ?? NO_REWARDS),
    settings,
    seed,
  );
  return routes.map(({ name }) => ({ route: name, weight: shares[arms.indexOf(name)] ?? 0 }));
}
