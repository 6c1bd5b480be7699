import { MillraceError } from '../../runtime/ports/index.ts';
import type { ModelPin } from '../../schemas/inference-graph.ts';
import type { Lease, SessionCache } from './session-cache.ts';

/** How long a call waits for a model that is not loaded: longer than a file takes, shorter than an environment in Python. */
export const callLoadMs = 10_000;

/**
 * The model of a pin, loaded if need be; to be given to `release`. UNAVAILABLE when that takes longer than `withinMs`. An error names the model and its version: several models of a
 * deployment may be the fault, and nobody knows them by the hashes of their files.
 */
export async function acquireModel<S>(
  sessions: SessionCache<S>,
  { model, modelVersion, artifactHash }: Pick<ModelPin, 'model' | 'modelVersion' | 'artifactHash'>,
  withinMs?: number,
): Promise<Lease<S>> {
  try {
    return await sessions.acquire(artifactHash, `models:/${model}/${modelVersion}`, withinMs);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const details = { ...error.details, model, modelVersion, artifactHash };
    throw new MillraceError(error.code, `models:/${model}/${modelVersion}: ${error.message}`, {
      cause: error,
      details,
    });
  }
}
