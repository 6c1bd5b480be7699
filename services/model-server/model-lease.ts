import { MillraceError } from '../../runtime/ports/index.ts';
import type { ModelPin } from '../../schemas/inference-graph.ts';
import type { Lease, SessionCache } from './session-cache.ts';

/**
 * The model of a pin, loaded if need be; to be given to `release`. An error names the model and its version: several models of a
 * deployment may be the fault, and nobody knows them by the hashes of their files.
 */
export async function acquireModel<S>(
  sessions: SessionCache<S>,
  { model, modelVersion, artifactHash }: Pick<ModelPin, 'model' | 'modelVersion' | 'artifactHash'>,
): Promise<Lease<S>> {
  try {
    return await sessions.acquire(artifactHash);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const details = { ...error.details, model, modelVersion, artifactHash };
    throw new MillraceError(error.code, `models:/${model}/${modelVersion}: ${error.message}`, {
      cause: error,
      details,
    });
  }
}
