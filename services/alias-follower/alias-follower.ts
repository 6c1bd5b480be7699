/**
 * Tells deployments that follow an alias that it has moved; what becomes of it is decided where deployments are folded. Said twice, it is
 * decided once.
 */
import { hash } from 'node:crypto';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../runtime/engine/service.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { type DeploymentDocument, modelsOfRoute } from '../../schemas/deployment-document.ts';

/** Opens the tables that it looks at; they close with it. */
export async function startAliasFollower(runtime: Runtime): Promise<Running> {
  const [deployments, models] = await Promise.all([runtime.openTable('deployments'), runtime.openTable('models')]);
  const service: Service<'registry'> = {
    name: 'alias-follower',
    inputs: ['registry'],
    outputs: ['deployment-events'],
    summary: 'tells deployments that follow an alias that it has moved',
    async handle(batch) {
      const outputs: IdentifiedOutput[] = [];
      for (const { event, raw } of batch) {
        if (event?.type !== 'alias-set') continue;
        await Promise.all([deployments.refresh(), models.refresh()]);
        const { model, alias, version, actor } = event.data;
        const row = models.get(`${model}/${version}`);
        // The row leaves the registry together with the fact; it may arrive behind it.
        if (row === undefined)
          throw new MillraceError('UNAVAILABLE', `the row of models:/${model}/${version} is not here yet`);
        for (const { deployment, document } of deployments.rows()) {
          if (!follows(JSON.parse(document) as DeploymentDocument, model, alias)) continue;
          const place = `registry/${raw.partition}@${raw.offset}`;
          const requestId = `alias-${hash('sha256', `${deployment}\u0000${place}`, 'hex').slice(0, 32)}`;
          const moved = { deployment, model, alias, modelVersion: version, artifactHash: row.artifact.hash };
          outputs.push({
            topic: 'deployment-events',
            type: 'alias-moved',
            data: { ...moved, requestId, actor },
            key: deployment,
            id: requestId,
          });
        }
      }
      return { outputs, count: { told: outputs.length } };
    },
  };
  const running = await runtime.runService(service);
  return {
    ready: () => running.ready(),
    close: async () => {
      await running.close();
      await Promise.all([deployments.close(), models.close()]);
    },
  };
}

function follows({ follow, routes }: DeploymentDocument, model: string, alias: string): boolean {
  if (follow !== true) return false;
  return routes.flatMap(modelsOfRoute).some(({ model: pin }) => pin.model === model && pin.alias === alias);
}
