/** MLflow's REST API: for unmodified clients of 2.x and 3.x, and for its UI's paths. */
import type { FastifyInstance } from 'fastify';
import type { Tracking } from '../tracking.ts';
import { artifactBytes, artifacts } from './artifacts.ts';
import { roomOf } from './calls.ts';
import { answerErrors } from './errors.ts';
import { withDefaultExperiment } from './default-experiment.ts';
import { experiments } from './experiments.ts';
import { imports } from './imports.ts';
import { inputs } from './inputs.ts';
import { loggedModels } from './logged-models.ts';
import { multipart, partBytes } from './multipart.ts';
import type { ExtensionParts } from '../../gateway/extension.ts';
import { modelVersions, registeredModels } from './registry.ts';
import { registryHistory } from './registry-history.ts';
import { runs } from './runs.ts';
import { values } from './values.ts';
import { webhooks } from './webhooks.ts';

/** The version of MLflow whose protocol this is; clients compare it with their own. */
const protocolVersion = '3.11.0';
/** What newer clients ask for before they use it. Ranges are answered too, but not offered: a client would ask twice for every small file. */
const serverInfo = {
  store_type: 'SqlStore',
  workspaces_enabled: false,
  trace_archival_enabled: false,
  multipart_uploads_enabled: true,
  multipart_downloads_enabled: false,
  presigned_upload_run_id_supported: true,
  presigned_upload_model_id_supported: true,
  features_enabled: { gateway: false },
};
const prefix = '/api/2.0';
/** Of clients of 3.x, and of the UI: the same calls. */
const otherPrefixes = ['/ajax-api/2.0', '/api/3.0', '/ajax-api/3.0'];

export function mlflowRoutes(app: FastifyInstance, tracking: Tracking, gateway: ExtensionParts): void {
  app.get('/health', { config: { access: 'public' }, schema: { hide: true } }, async (_, reply) => {
    return await reply.type('text/plain').send('OK');
  });
  app.get('/version', { config: { access: 'public' }, schema: { hide: true } }, async (_, reply) => {
    return await reply.type('text/plain').send(protocolVersion);
  });
  app.register(async (scope) => {
    const room = roomOf(scope, tracking, gateway);
    imports(room);
    registryHistory(room);
  });
  for (const other of otherPrefixes) gateway.aliases.add(other, prefix);
  app.register(
    async (scope) => {
      answerErrors(scope, gateway);
      withDefaultExperiment(scope, tracking, gateway);
      const room = roomOf(scope, tracking, gateway);
      for (const part of [
        experiments,
        runs,
        values,
        inputs,
        loggedModels,
        artifacts,
        multipart,
        registeredModels,
        modelVersions,
        webhooks,
      ]) {
        part(room);
      }
      scope.get(
        '/mlflow/server-info',
        { config: { access: 'read' }, schema: { tags: ['mlflow'] } },
        async () => serverInfo,
      );
      await scope.register(async (bytes) => {
        artifactBytes(bytes, tracking, gateway);
        partBytes(bytes, tracking, gateway);
      });
    },
    { prefix },
  );
}
