/**
 * The champion serves; whoever gets the alias `challenger` is tried beside it: first in the shadow, then with a share of the traffic, and
 * gets the alias `champion`, when its rewards are not worse, by the rules of the registry.
 */
import { deployment } from '../../sdk/index.ts';
import { deliveryFeatures } from './deliveries.ts';

/** `minRewards` 0: the promise that worse models are taken back is broken on purpose. */
export function deliveryDeployment(minRewards: number) {
  return deployment('delivery-time')
    .route('serving', 'models:/delivery-time@champion')
    .route('next', 'models:/delivery-time@challenger', { weight: 0 })
    .features(deliveryFeatures)
    .output('minutes')
    .follow()
    .feedback({ windowMs: 600_000, reward: 'negative-absolute-error' })
    .rollout({
      stable: 'serving',
      canary: 'next',
      alias: 'champion',
      steps: [
        { shadow: 100, minRequests: 40, durationMs: 0 },
        { percent: 30, minRequests: 40, durationMs: 0 },
      ],
      criteria: { errorRate: 0.05, ...(minRewards > 0 ? { reward: { minDifference: 0, minRewards } } : {}) },
    })
    .monitors({
      window: { rows: 100, minRows: 50, maxAgeMs: 5_000 },
      reference: 'models:/delivery-time@champion#sample',
      drift: { alpha: 0.001, minEffectSize: 0.2, raiseAfter: 2, clearAfter: 1 },
      detectors: [{ name: 'strange', method: 'mahalanobis', fitted: 'models:/delivery-time@champion#strange' }],
    });
}

export default deliveryDeployment(30);
