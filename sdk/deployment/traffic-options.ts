/** Traffic settings as a person writes them, and what may be left out. */
import type { BanditSettings, RolloutCriteria, RolloutSettings, RolloutStep } from '../../schemas/traffic.ts';
import { isObject } from './graph-defaults.ts';

/** @default policy thompson, updated every 50 rewards, epsilon 0.1, no decay, least share 0.01 */
export type BanditOptions = Partial<BanditSettings>;

export interface RolloutOptions<Routes extends string = string> {
  readonly stable: Routes;
  readonly canary: Routes;
  /**
   * A number is a percentage; `{ shadow: 100 }` mirrors requests to the canary before it has any.
   * @default 5, 25, 50 percent, each for at least 100 requests and a minute
   */
  readonly steps?: readonly (
    | number
    | (Partial<RolloutStep> & Pick<RolloutStep, 'percent'>)
    | (Partial<RolloutStep> & { readonly shadow: number })
  )[];
  /** @default error rate at most 0.01 above that of the stable route */
  readonly criteria?: RolloutCriteria;
  /** @default 'automatic' */
  readonly promotion?: RolloutSettings['promotion'];
  /** Alias that the canary's model version gets in the end; needs `follow()`. @default none: the route gets all of the traffic */
  readonly alias?: string;
}

const defaultStep: Omit<RolloutStep, 'percent'> = { minRequests: 100, durationMs: 60_000 };
const defaultBandit: Omit<BanditSettings, 'likelihood' | 'halfLife'> = {
  policy: 'thompson',
  epsilon: 0.1,
  updateEvery: 50,
  minShare: 0.01,
};

/** Fills in where the parts have the shape for it; the check afterwards judges the rest. `reward`: the feedback rule. */
export function filledTraffic(traffic: unknown, reward: unknown): unknown {
  if (!isObject(traffic)) return traffic;
  const { bandit, rollout } = traffic;
  return {
    ...traffic,
    by: traffic['by'] ?? 'prediction-id',
    ...(isObject(bandit) ? { bandit: filledBandit(bandit, reward) } : {}),
    ...(isObject(rollout) ? { rollout: filledRollout(rollout) } : {}),
  };
}

/** Answers that are right or wrong earn 1 or 0. */
function filledBandit(bandit: object, reward: unknown): object {
  return { ...defaultBandit, likelihood: reward === 'equal' ? 'bernoulli' : 'gaussian', ...bandit };
}

function filledRollout(rollout: Readonly<Record<string, unknown>>): object {
  const { steps = [5, 25, 50], criteria = { errorRate: 0.01 }, promotion = 'automatic' } = rollout;
  const filled = (step: unknown): unknown => {
    if (typeof step === 'number') return { ...defaultStep, percent: step };
    if (!isObject(step)) return step;
    return { ...defaultStep, ...('shadow' in step ? { percent: 0 } : {}), ...step };
  };
  return { ...rollout, criteria, promotion, steps: Array.isArray(steps) ? steps.map(filled) : steps };
}
