import { recommendedMonitors } from '../../schemas/recommended-monitors.ts';
import { deployment } from '../../sdk/deployment/index.ts';
import { features } from './features.ts';

/**
 * Both price models behind one endpoint, half of the traffic each. `referenceHash` is the artifact `reference` of the flow: the sample
 * of training rows against which drift and outliers are judged.
 */
export function diamondsDeployment(referenceHash: string, feedbackWindowMs = 3_600_000) {
  return deployment('diamonds')
    .route('linear', 'models:/diamonds@linear', { weight: 50 })
    .route('trees', 'models:/diamonds@trees', { weight: 50 })
    .features(
      features.map((feature) =>
        feature.kind === 'numeric'
          ? { name: feature.name, kind: 'numeric' }
          : { name: feature.name, kind: 'categorical', categories: feature.categories },
      ),
    )
    .output('price')
    .feedback({ windowMs: feedbackWindowMs, reward: 'negative-squared-error' })
    .monitors({ ...recommendedMonitors, referenceHash });
}
