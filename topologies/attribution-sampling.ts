/** Asks for explanations of the share of predictions that the deployment wants explained by themselves. Of a prediction with many rows, the first. */
import { nothing, type Topology } from '../runtime/engine/topology.ts';
import { attributionIdOf, isExplained } from '../schemas/explainers.ts';

export const attributionSampling: Topology<'predictions'> = {
  name: 'attribution-sampling',
  version: 1,
  input: 'predictions',
  outputs: ['attributions'],
  // A prediction has no state of its own by which a late repeat would be known; whoever computes answers a repeat alike.
  idWindow: 10_000,
  summary: 'asks for explanations of a share of the predictions',

  fold(event) {
    if (event.type !== 'prediction-completed') return nothing;
    const { predictionId, deployment, deploymentVersion, terms } = event.data;
    const chosen = terms.explainers.filter(({ share }) => isExplained(predictionId, share));
    if (chosen.length === 0) return nothing;
    const source = { topic: 'predictions', partition: event.partition, offset: event.offset };
    return {
      emit: chosen.map(({ method, output, target, share }) => {
        const question = { predictionId, row: 0, method, output, target };
        const attributionId = attributionIdOf(question);
        const data = { attributionId, deployment, deploymentVersion, ...question, source, share, actor: '' };
        return { topic: 'attributions', type: 'attribution-requested', key: deployment, data } as const;
      }),
      count: { attributionsAsked: chosen.length },
    };
  },
};
