import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { createExplainer } from '../scorer/attributions/explainer.ts';
import { createRewardScorer } from '../scorer/reward-scorer.ts';
import { createScorer } from '../scorer/scorer.ts';

/** Windows, explanations and rewards have positions and threads of their own, so that none waits for the other. */
export async function startScorerRole(runtime: Runtime): Promise<Running> {
  const scorer = await createScorer({ runtime });
  const explainer = await createExplainer({ runtime });
  const rewards = createRewardScorer(runtime);
  const running = [
    await runtime.runService(scorer.service),
    await runtime.runService(explainer.service),
    await runtime.runService(rewards.service),
  ];
  return {
    ready: async () => void (await Promise.all(running.map((one) => one.ready()))),
    close: async () => {
      await Promise.all(running.map((one) => one.close()));
      await Promise.all([scorer.close(), explainer.close(), rewards.close()]);
    },
  };
}
