/** Whether a step of a rollout is over, goes on, or is to be taken back: from what was seen at the step, and the time. */
import type { RolloutSettings } from '../../schemas/traffic.ts';
import { welchTest } from '../../statistics/ab-test/welch.ts';
import { latencyQuantile, nothingSeen, type Rollout, type Seen } from './state.ts';

export interface RolloutVerdict {
  readonly verdict: 'back' | 'over' | 'wait';
  readonly reason: string;
}

export function judgeRollout(settings: RolloutSettings, rollout: Rollout, timeMs: number): RolloutVerdict {
  const stable = rollout.seen[settings.stable] ?? nothingSeen;
  const canary = rollout.seen[settings.canary] ?? nothingSeen;
  const step = settings.steps[rollout.step];
  if (step === undefined) return { verdict: 'wait', reason: 'there is no such step' };
  const { criteria } = settings;
  if (criteria.drift === true && rollout.drift !== null) return back(`drift: ${rollout.drift}`);
  const enough = canary.requests >= step.minRequests;
  const broken =
    tooManyFailures(criteria.errorRate, stable, canary, step.minRequests) ??
    (enough ? tooSlow(criteria.latency, canary) : undefined) ??
    surelyWorse(criteria.reward, stable, canary) ??
    tooInaccurate(criteria.accuracy, canary);
  if (broken !== undefined) return back(broken);
  if (!enough) return wait(`${canary.requests} of ${step.minRequests} requests of '${settings.canary}'`);
  const { reward, accuracy } = criteria;
  if (reward !== undefined) {
    const fewer = Math.min(stable.rewards.count, canary.rewards.count);
    if (fewer < reward.minRewards) return wait(`${fewer} of ${reward.minRewards} rewards of each route`);
    const difference = canary.rewards.mean - stable.rewards.mean;
    if (difference < reward.minDifference)
      return wait(`mean reward differs by ${figure(difference)}, at least ${figure(reward.minDifference)} is wanted`);
  }
  if (accuracy !== undefined && canary.judged < accuracy.minRewards)
    return wait(`${canary.judged} of ${accuracy.minRewards} judged answers of '${settings.canary}'`);
  const leftMs = rollout.sinceMs + step.durationMs - timeMs;
  if (leftMs > 0) return wait(`${leftMs} ms of this step are left`);
  const share = step.shadow === undefined ? `${step.percent} %` : `${step.shadow} % in the shadow`;
  const rewarded = reward === undefined ? '' : `, mean reward ${differenceText(stable, canary)}`;
  const reason = `${canary.requests} requests, ${canary.failures} failures, ${timeMs - rollout.sinceMs} ms at ${share}${rewarded}`;
  return { verdict: 'over', reason };
}

/** Judged before there is enough, too, once so many have failed that no number of good ones up to the minimum would help. */
function tooManyFailures(max: number | undefined, stable: Seen, canary: Seen, minRequests: number): string | undefined {
  if (max === undefined || canary.requests === 0) return undefined;
  const usual = stable.requests === 0 ? 0 : stable.failures / stable.requests;
  const least = canary.failures / Math.max(canary.requests, minRequests);
  if (least - usual <= max) return undefined;
  return `error rate: ${canary.failures} of ${canary.requests} failed, on the stable route ${stable.failures} of ${stable.requests}; at most ${figure(max)} more is allowed`;
}

function tooSlow(latency: RolloutSettings['criteria']['latency'], canary: Seen): string | undefined {
  if (latency === undefined) return undefined;
  const found = latencyQuantile(canary, latency.quantile);
  if (!(found > latency.maxMs)) return undefined;
  return `latency: quantile ${latency.quantile} is ${figure(found)} ms, at most ${latency.maxMs} ms is allowed`;
}

/** Not just by chance: all of a 95 % interval of the difference is below what is wanted. */
function surelyWorse(reward: RolloutSettings['criteria']['reward'], stable: Seen, canary: Seen): string | undefined {
  if (reward === undefined || Math.min(stable.rewards.count, canary.rewards.count) < reward.minRewards)
    return undefined;
  const { difference, interval } = welchTest(canary.rewards, stable.rewards);
  const upper = Number.isNaN(interval[1]) ? difference : interval[1];
  if (!(upper < reward.minDifference)) return undefined;
  return `reward: the mean differs by ${figure(difference)} (95 % below ${figure(upper)}), at least ${figure(reward.minDifference)} is wanted`;
}

function tooInaccurate(accuracy: RolloutSettings['criteria']['accuracy'], canary: Seen): string | undefined {
  if (accuracy === undefined || canary.judged < accuracy.minRewards) return undefined;
  if (canary.right / canary.judged >= accuracy.min) return undefined;
  return `accuracy: ${canary.right} of ${canary.judged} answers were right, at least ${figure(accuracy.min)} is wanted`;
}

function differenceText(stable: Seen, canary: Seen): string {
  const [of, against] = [canary.rewards, stable.rewards];
  return `${figure(of.mean)} of ${of.count} against ${figure(against.mean)} of ${against.count}`;
}

const back = (reason: string): RolloutVerdict => ({ verdict: 'back', reason });
const wait = (what: string): RolloutVerdict => ({ verdict: 'wait', reason: `waits: ${what}` });
const figure = (value: number): string => String(Number(value.toPrecision(4)));
