/** A deployment whose reward function misbehaves for some truths. */
import { deployment, type RewardCase } from '../../../sdk/index.ts';

const kept: unknown[] = [];

export default deployment('wine')
  .route('gentle', 'models:/wine@champion')
  .feedback({
    rewardTimeoutMs: 150,
    rewardMemoryMb: 32,
    rewardFunction: ({ prediction, truth }: RewardCase): number => {
      if (truth === -1) throw new Error('no such wine');
      if (truth === -2) for (;;);
      if (truth === -3) for (;;) kept.push(new Array(1_000_000).fill(truth));
      if (truth === -4) return Number(process.env['MILLRACE_HTTP_TOKEN'] ?? 0.25);
      return 1 / (Number(truth) - Number(prediction)) ** 2;
    },
  });
