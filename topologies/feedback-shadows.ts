/**
 * What feedback says of the answers that mirrored requests got: where a rollout is in the shadow, its canary is judged by what it would have
 * earned. The answer of a shadow lies in the partition of its prediction, before or behind it, and before or behind the feedback. One that
 * comes first waits for its prediction under a key of its own.
 */
import { type Effects, nothing, type Output, type StateView } from '../runtime/engine/topology.ts';
import type { RewardDue, ShadowAnswered } from '../schemas/events.ts';
import { endOf } from './feedback-windows.ts';
import { noneBefore, type ShadowAnswer } from './feedback-entries.ts';
import { answerOf, answersOf, compare, type Judgement } from './prediction-answer.ts';

/** How the deployment makes a reward of an answer. */
export interface RewardTerms {
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly predictionId: string;
  readonly feedbackId: string;
  readonly rule: string;
  /** '': by the rule. */
  readonly rewardFunction: string;
  /** null: of the one row, or the whole. */
  readonly row: number | null;
}

/** How long an answer waits for its prediction, which is on its way when the shadow is asked. */
const earlyKeptMs = 600_000;
const timerPrefix = 'shadow/';

export const earlyKey = (predictionId: string): string => `s/${predictionId}`;

/** Whether feedback can say anything of it. */
export function canEarn({ outcome, reward }: ShadowAnswered): boolean {
  return reward !== '' && (outcome === 'agreed' || outcome === 'differed');
}

export function shadowAnswer(data: ShadowAnswered): ShadowAnswer {
  const { shadow, model, modelVersion, rows, output } = data;
  const answer = answerOf(data, output);
  return rows < 2
    ? [shadow, model, modelVersion, answer]
    : [shadow, model, modelVersion, answer, answersOf(data, output)];
}

/** Each route counts once. */
export function withShadow(
  known: readonly ShadowAnswer[] | undefined,
  one: ShadowAnswer,
): readonly ShadowAnswer[] | undefined {
  return known?.some(([route]) => route === one[0]) === true ? undefined : [...(known ?? []), one];
}

/** Its prediction has not come yet. */
export function early(predictionId: string, one: ShadowAnswer, timeMs: number, state: StateView): Effects {
  const key = earlyKey(predictionId);
  const known = state.get<readonly ShadowAnswer[]>(key);
  const next = withShadow(known, one);
  if (next === undefined) return nothing;
  const timer = { name: timerPrefix + predictionId, dueMs: endOf(timeMs, earlyKeptMs) };
  return { put: [[key, next]], ...(known === undefined ? { setTimers: [timer] } : {}) };
}

interface Taken {
  readonly shadows: readonly ShadowAnswer[];
  readonly delete: readonly string[];
  readonly clearTimers: readonly string[];
}

/** Those that were early, and what forgets them; none without a state. */
export function takeEarly(predictionId: string, state: StateView | undefined): Taken {
  const key = earlyKey(predictionId);
  const shadows = state?.get<readonly ShadowAnswer[]>(key);
  if (shadows === undefined) return { shadows: [], delete: [], clearTimers: [] };
  return { shadows, delete: [key], clearTimers: [timerPrefix + predictionId] };
}

/** undefined: the timer is of something else. */
export function earlyTimer(name: string): Effects | undefined {
  return name.startsWith(timerPrefix) ? { delete: [earlyKey(name.slice(timerPrefix.length))] } : undefined;
}

/** Evidence for the topology that owns the weights. A reward that was given is that of the answer that somebody got, and no other's. */
export function earned(
  [route, model, modelVersion, answer, answers = []]: ShadowAnswer,
  { rule, rewardFunction, ...of }: RewardTerms,
  { truth, label }: Judgement,
): readonly Output[] {
  const answered = of.row === null ? answer : (answers[of.row] ?? null);
  const compared = compare(answered, { truth, label, reward: null }, rule, rewardFunction !== '');
  if (typeof compared === 'string') return [];
  const { deployment, deploymentVersion, predictionId, row } = of;
  if (compared.reward !== null) {
    const { reward } = compared;
    const data = { deployment, deploymentVersion, predictionId, route, reward, rule, shadow: true, row };
    return [{ topic: 'route-evidence', type: 'reward-observed', data, key: deployment }];
  }
  const data = {
    ...of,
    ...{ route, model, modelVersion },
    ...compared,
    ...unmonitored,
    ...{ steered: true, function: rewardFunction, shadow: true },
  } satisfies RewardDue;
  return [{ topic: 'rewards', type: 'reward-due', data, key: deployment }];
}

/** Windows, metrics and experiments are about answers that somebody got. */
const unmonitored = {
  assessEvery: 0,
  alpha: 0.05,
  windows: [],
  online: [],
  qualityRows: 0,
  qualityMaxAgeMs: 0,
  probabilities: [],
  segments: [],
  bounds: [],
  planned: [],
  before: noneBefore,
};
