import type { Configuration } from '../../runtime/config/settings.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { Extension } from '../gateway/extension.ts';
import { PredictionReplays } from '../model-server/prediction-replays.ts';
import { replayRoutes } from '../model-server/replay-routes.ts';
import type { ProvenanceQueries } from '../provenance/queries.ts';
import { predictionAt } from '../scorer/attributions/prediction-at.ts';
import { DeploymentDocuments } from '../scorer/deployment-documents.ts';
import { modelRuntimeOf } from './model-runtime.ts';

/** Predictions of the log, run again by the version that made them. Models are loaded when somebody asks. */
export async function openPredictionReplays(
  runtime: Runtime,
  configuration: Configuration,
  queries: Pick<ProvenanceQueries, 'placeOfPrediction'>,
): Promise<{ readonly routes: Extension; close(): Promise<void> }> {
  const documents = await DeploymentDocuments.open(runtime);
  const replays = new PredictionReplays({
    runtime,
    models: () => modelRuntimeOf(runtime, configuration),
    find: async (predictionId) => {
      const place = await queries.placeOfPrediction(predictionId);
      if (place === undefined) throw new MillraceError('NOT_FOUND', `there is no prediction '${predictionId}'`);
      const { partition, offset } = place;
      return await predictionAt(runtime, { predictionId, source: { topic: 'predictions', partition, offset } });
    },
    documentOf: (deployment, version) => documents.find(deployment, version),
  });
  return {
    routes: replayRoutes(replays),
    close: async () => {
      await replays.close();
      await documents.close();
    },
  };
}
