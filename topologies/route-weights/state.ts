/** What is kept per deployment whose traffic is steered. */
import type { RouteEvidence, RolloutState } from '../../schemas/events.ts';
import type { RouteWeight, SteeringSettings } from '../../schemas/traffic.ts';
import { type ArmRewards, NO_REWARDS } from '../../statistics/ab-test/bandit.ts';
import { EMPTY_MOMENTS, type RunningMoments } from '../../statistics/samples/running-moments.ts';

export interface Steered {
  readonly deployment: string;
  readonly version: number;
  /** Goes on over versions of the deployment. */
  readonly weightsVersion: number;
  readonly settings: SteeringSettings;
  readonly weights: readonly RouteWeight[];
  readonly bandit: BanditState | null;
  readonly rollout: Rollout | null;
}

export interface BanditState {
  /** Of this version of the deployment. */
  readonly rewards: number;
  readonly arms: Readonly<Record<string, ArmRewards>>;
}

export interface Rollout {
  /** `idle`: both routes serve the same. `promoting`: the registry is asked for the alias. */
  readonly phase: 'idle' | 'running' | 'paused' | 'promoting' | 'promoted' | 'rolled-back';
  /** Index of the step. */
  readonly step: number;
  readonly sinceMs: number;
  readonly reason: string;
  /** Of this step, by route. */
  readonly seen: Readonly<Record<string, Seen>>;
  /** Message of the drift alarm that went on. */
  readonly drift: string | null;
  /** Of the request for the alias. */
  readonly requestId?: string;
  /** When its row was last written. */
  readonly shownMs: number;
}

export interface Seen {
  readonly requests: number;
  readonly failures: number;
  /** Answers by latency: of bucket b between 1.1^(b−1) and 1.1^b hundredths of a millisecond. */
  readonly latencies: Readonly<Record<string, number>>;
  readonly rewards: RunningMoments;
  /** Rewards that are right or wrong: rule `equal`. */
  readonly judged: number;
  readonly right: number;
}

export const nothingSeen: Seen = {
  requests: 0,
  failures: 0,
  latencies: {},
  rewards: EMPTY_MOMENTS,
  judged: 0,
  right: 0,
};

export function bucketOf(latencyMs: number): number {
  return Math.max(0, Math.ceil(Math.log(Math.max(latencyMs * 100, 1)) / Math.log(1.1)));
}

/** Upper end of the bucket that holds the quantile: at most 10 % too much. NaN without answers. */
export function latencyQuantile({ latencies }: Seen, quantile: number): number {
  const buckets = Object.entries(latencies)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  let rest = quantile * total;
  for (const [bucket, count] of buckets) {
    rest -= count;
    if (rest <= 0) return 1.1 ** bucket / 100;
  }
  return Number.NaN;
}

/** What justifies the weights: of a bandit the rewards, of a rollout what was seen at its step. */
export function evidenceOf({ settings, weights, bandit, rollout }: Steered): readonly RouteEvidence[] {
  const quantile = settings.traffic?.rollout?.criteria.latency?.quantile ?? 0.95;
  return weights.map(({ route }) => {
    if (bandit !== null) {
      const { seen, count, sum, squares } = bandit.arms[route] ?? NO_REWARDS;
      return {
        route,
        requests: 0,
        failures: 0,
        latencyMs: Number.NaN,
        rewards: count,
        rewardsSeen: seen,
        rewardSum: sum,
        rewardSquares: squares,
      };
    }
    const seen = rollout?.seen[route] ?? nothingSeen;
    const { count, mean, squaredDeviations } = seen.rewards;
    return {
      route,
      requests: seen.requests,
      failures: seen.failures,
      latencyMs: latencyQuantile(seen, quantile),
      rewards: count,
      rewardsSeen: count,
      rewardSum: mean * count,
      rewardSquares: squaredDeviations + count * mean * mean,
    };
  });
}

export function percentOf({ settings, rollout }: Steered): number {
  if (rollout === null || rollout.phase === 'rolled-back' || rollout.phase === 'idle') return 0;
  return rollout.phase === 'promoted' ? 100 : (settings.traffic?.rollout?.steps[rollout.step]?.percent ?? 0);
}

function shadowPercentOf({ settings, rollout }: Steered): number {
  if (rollout === null || (rollout.phase !== 'running' && rollout.phase !== 'paused')) return 0;
  return settings.traffic?.rollout?.steps[rollout.step]?.shadow ?? 0;
}

export function rolloutState(steered: Steered): RolloutState | null {
  const settings = steered.settings.traffic?.rollout;
  const { rollout } = steered;
  if (settings === undefined || rollout === null) return null;
  const { stable, canary, steps } = settings;
  const { phase, step, sinceMs, reason } = rollout;
  return {
    stable,
    canary,
    phase,
    step: step + 1,
    steps: steps.length,
    percent: percentOf(steered),
    sinceMs,
    reason,
    shadowPercent: shadowPercentOf(steered),
  };
}
