/**
 * Two models of wine quality side by side, rewarded as in the wine demo that compares elastic nets: 1/(y−ŷ)². A few lucky hits rule the
 * mean of that reward, so `millrace quality wine` shows its median and the errors beside it, and says which to trust.
 */
import { deployment, type RewardCase } from '../../sdk/index.ts';

export function inverseSquaredError({ prediction, truth }: RewardCase): number {
  return 1 / (Number(truth) - Number(prediction)) ** 2;
}

export default deployment('wine')
  .route('gentle', 'models:/wine-gentle@champion', { weight: 1 })
  .route('strong', 'models:/wine-strong@champion', { weight: 1 })
  .feedback({ windowMs: 3_600_000, rewardFunction: inverseSquaredError })
  .monitors({ quality: { rows: 500 } });
