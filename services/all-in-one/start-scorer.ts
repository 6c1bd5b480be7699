import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { createExplainer } from '../scorer/attributions/explainer.ts';
import { createScorer } from '../scorer/scorer.ts';

/** Windows and explanations have positions and threads of their own, so that neither waits for the other. */
export async function startScorerRole(runtime: Runtime): Promise<Running> {
  const scorer = await createScorer({ runtime });
  const explainer = await createExplainer({ runtime });
  const windows = await runtime.runService(scorer.service);
  const explanations = await runtime.runService(explainer.service);
  return {
    ready: async () => {
      await windows.ready();
      await explanations.ready();
    },
    close: async () => {
      await explanations.close();
      await windows.close();
      await explainer.close();
      await scorer.close();
    },
  };
}
