import { join } from 'node:path';
import { packageVersion } from '../../runtime/config/package-version.ts';
import type { Running } from '../../runtime/engine/runtime.ts';
import { queryStores } from '../../runtime/profiles/open-query-store.ts';
import { collectionRoutes } from '../artifact-collector/routes.ts';
import { HeldValues } from '../audit/held-values.ts';
import { auditRoutes } from '../audit/routes.ts';
import { webhookRoutes } from '../egress/routes.ts';
import { createGateway } from '../gateway/gateway.ts';
import { qualityRoutes } from '../monitoring-metrics/quality-routes.ts';
import { startProvenance } from '../provenance/index.ts';
import { statisticsRoutes } from '../provenance/feature-statistics/routes.ts';
import { requestLogRoutes } from '../provenance/request-log/routes.ts';
import { attributionRoutes } from '../scorer/http/attributions.ts';
import { findingRoutes } from '../scorer/http/findings.ts';
import { createReplays } from '../scorer/replay.ts';
import { startTracking } from '../tracking/index.ts';
import { createMaintenance } from '../maintenance/maintenance.ts';
import { egressParts } from './egress-parts.ts';
import { listenOptions } from './listen-options.ts';
import { openPredictionReplays } from './prediction-replays.ts';
import type { RoleContext } from './roles.ts';

/** Starts the gateway with the model server and the query store of this process where they run; else with a query store of its own. */
export async function startGatewayRole({
  runtime,
  configuration,
  metrics,
  shared,
  health,
}: RoleContext): Promise<Running> {
  const startOwn = () =>
    startProvenance(
      runtime,
      queryStores(configuration, 'query-gateway'),
      join(configuration.directory, 'query-gateway'),
    );
  const provenance = shared.provenance ?? (await startOwn());
  const own = provenance === shared.provenance ? undefined : provenance;
  const tracking = await startTracking(runtime, queryStores(configuration, 'query-gateway'));
  const replays = await createReplays(runtime);
  const predictionReplays = await openPredictionReplays(runtime, configuration, provenance.queries);
  const webhooks = await runtime.openTable('webhooks');
  const gateway = await createGateway({
    runtime,
    inference: shared.modelServer,
    queries: provenance.queries,
    extensions: [
      tracking.routes,
      auditRoutes(runtime),
      findingRoutes(replays, (id) => provenance.queries.placeOfDrift(id)),
      attributionRoutes(runtime, provenance.queries),
      statisticsRoutes((search) => provenance.queries.featureStatistics(search)),
      requestLogRoutes({
        search: (asked) => provenance.queries.searchRequests(asked),
        traffic: (deployment) => provenance.queries.traffic(deployment),
      }),
      predictionReplays.routes,
      collectionRoutes(runtime, provenance.queries, () => new HeldValues(runtime)),
      qualityRoutes({
        findQuality: (search) => provenance.queries.findQuality(search),
        rewardFailures: (deployment) => provenance.queries.rewardFailures(deployment),
      }),
      webhookRoutes({ runtime, table: webhooks, queries: provenance.queries, ...egressParts(configuration) }),
    ],
    maintenance: createMaintenance(runtime),
    metrics,
    unready: () => health.unready(),
    version: packageVersion(),
    ...listenOptions(configuration),
    actor: configuration.actor === '' ? undefined : configuration.actor,
    bodyBytesMax: configuration['http.body_bytes_max'],
    grpcPort: configuration['grpc.port'] === '' ? undefined : Number(configuration['grpc.port']),
  });
  const listening = await gateway.listen();
  shared.url = listening.url;
  shared.grpc = listening.grpc;
  shared.followers = () => gateway.followers();
  return {
    ready: async () => {
      await tracking.ready();
      await own?.projection.ready();
    },
    close: async () => {
      await gateway.close();
      await replays.close();
      await predictionReplays.close();
      await webhooks.close();
      await tracking.close();
      await own?.close();
    },
  };
}
