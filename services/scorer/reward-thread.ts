/** What a worker thread of reward functions runs: one bundle of a deployment's code. */
import { pathToFileURL } from 'node:url';
import { functionOf } from '../../runtime/inference-graph/call-code.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { RewardCase } from '../../schemas/deployment-document.ts';
import { judgementMax } from '../../schemas/feedback-check.ts';
import { answerTasks } from './answer-tasks.ts';

/** Without cases: only loads the code. */
export interface RewardTask {
  /** Path of the bundle. */
  readonly bundle: string;
  readonly function: string;
  readonly cases: readonly RewardCase[];
}

export type RewardAnswer = { readonly reward: number } | { readonly failed: string };

const loaded = new Map<string, unknown>();

answerTasks<RewardTask>(async ({ bundle, function: name, cases }): Promise<readonly RewardAnswer[]> => {
  const code = loaded.get(bundle) ?? ((await import(pathToFileURL(bundle).href)) as { default?: unknown }).default;
  loaded.set(bundle, code);
  const reward = functionOf(code, name);
  const answers: RewardAnswer[] = [];
  for (const given of cases) answers.push(await rewardOf(reward, given));
  return answers;
});

async function rewardOf(reward: (given: RewardCase) => unknown, given: RewardCase): Promise<RewardAnswer> {
  try {
    const value = await reward(given);
    if (typeof value === 'number' && Math.abs(value) <= judgementMax) return { reward: value };
    const got = String(value).slice(0, 80);
    return { failed: `the reward function must return a finite number within ±${judgementMax}, got ${got}` };
  } catch (error) {
    return { failed: `the reward function threw: ${messageOf(error)}`.slice(0, 500) };
  }
}
