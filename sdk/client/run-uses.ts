/** What came of a run: the model versions that it registered, the deployments that use them now, and how those do. */
import { modelsOfRoute } from '../../schemas/deployment-document.ts';
import type { ShownEvidence, ShownRoutes } from '../../schemas/api/deployments.ts';
import type { CountedTraffic } from '../../schemas/api/request-log.ts';
import type { Finding } from '../../schemas/api/findings.ts';
import type { Client } from './client.ts';

export interface RunUses {
  readonly models: readonly { readonly model: string; readonly version: number; readonly aliases: readonly string[] }[];
  readonly deployments: readonly {
    readonly deployment: string;
    readonly route: string;
    readonly model: string;
    readonly version: number;
    /** Share of the traffic, from 0 to 1. */
    readonly share: number;
    /** Predictions of the route by the deployment's present version, and failures of the deployment, which belong to no route. */
    readonly traffic: { readonly completed: number; readonly failed: number };
    /** Requests, failures and rewards of the route; null where nothing steers the traffic. */
    readonly evidence: ShownEvidence | null;
    /** The newest of each kind: rewards by route, drift, outliers, alerts. */
    readonly findings: readonly Finding[];
  }[];
}

export async function usesOfRun(client: Client, runId: string): Promise<RunUses> {
  const models: { model: string; version: number; aliases: readonly string[] }[] = [];
  for (const { model } of await client.models.list()) {
    const { versions } = await client.models.show(model);
    for (const version of versions) {
      if (version.runId === runId) models.push({ model, version: version.version, aliases: version.aliases });
    }
  }
  return { models, deployments: await usesOfVersions(client, models) };
}

/** The deployments that use one of these versions now. */
export async function usesOfVersions(
  client: Client,
  models: readonly { readonly model: string; readonly version: number }[],
): Promise<RunUses['deployments']> {
  if (models.length === 0) return [];
  const deployments: RunUses['deployments'][number][] = [];
  for (const { deployment, version: present, document } of await client.deployments.list()) {
    for (const route of document.routes) {
      for (const { model } of modelsOfRoute(route)) {
        const used = models.some((own) => own.model === model.model && own.version === model.modelVersion);
        if (!used) continue;
        const found = await client.maintenance.findings({ deployment, limit: 50 });
        const newest = found.filter(({ kind }, index) => found.findIndex((other) => other.kind === kind) === index);
        const shown = await client.routing.show(deployment);
        const counted = await client.traffic(deployment);
        deployments.push({
          deployment,
          route: route.name,
          model: model.model,
          version: model.modelVersion,
          share: shareOf(shown, route.name),
          traffic: {
            completed: sumOf(counted, (one) => one.version === present && one.route === route.name),
            failed: sumOf(counted, ({ outcome }) => outcome !== 'completed'),
          },
          evidence: shown.evidence.find(({ route: name }) => name === route.name) ?? null,
          findings: newest,
        });
      }
    }
  }
  return deployments;
}

function sumOf(traffic: readonly CountedTraffic[], counts: (one: CountedTraffic) => boolean): number {
  return traffic.reduce((total, one) => total + (counts(one) ? one.predictions : 0), 0);
}

function shareOf({ weights }: ShownRoutes, route: string): number {
  const sum = weights.reduce((total, { weight }) => total + weight, 0);
  return sum === 0 ? 0 : (weights.find(({ route: name }) => name === route)?.weight ?? 0) / sum;
}
