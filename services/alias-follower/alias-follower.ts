/**
 * Tells deployments that follow an alias that it has moved, and rollouts that asked for an alias that they do not get it; what becomes of it
 * is decided where deployments and rollouts are folded. Said twice, it is decided once.
 */
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../runtime/engine/service.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { attachedOf, parseAttached } from '../../schemas/attached.ts';
import { type DeploymentDocument, modelsOfRoute } from '../../schemas/deployment-document.ts';
import type { RegistryRefused } from '../../schemas/events.ts';
import { idOf } from '../../schemas/derived-ids.ts';
import { promotionPrefix } from '../../schemas/traffic.ts';

/** A row leaves the registry together with the fact; one that is not here so long after it was taken away since: deleted, or renamed. */
const rowWaitMs = 60_000;

/**
 * Opens the tables that it looks at; they close with it.
 * @param waitMs for the row of the version that an alias names
 */
export async function startAliasFollower(runtime: Runtime, waitMs = rowWaitMs): Promise<Running> {
  const [deployments, models] = await Promise.all([runtime.openTable('deployments'), runtime.openTable('models')]);
  const service: Service<'registry'> = {
    name: 'alias-follower',
    inputs: ['registry'],
    outputs: ['deployment-events', 'route-evidence'],
    summary: 'tells deployments that follow an alias that it has moved, and rollouts that they do not get it',
    async handle(batch) {
      const outputs: IdentifiedOutput[] = [];
      let versionsGone = 0;
      for (const { event, raw, meta } of batch) {
        if (event?.type === 'registry-refused') outputs.push(...refusal(event.data, `${raw.partition}@${raw.offset}`));
        if (event?.type !== 'alias-set') continue;
        await Promise.all([deployments.refresh(), models.refresh()]);
        const { model, alias, version, actor } = event.data;
        const row = models.get(`${model}/${version}`);
        if (row === undefined) {
          if (runtime.parts.clock.now() - meta.timeMs < waitMs)
            throw new MillraceError('UNAVAILABLE', `the row of models:/${model}/${version} is not here yet`);
          versionsGone += 1;
          continue;
        }
        for (const { deployment, document } of deployments.rows()) {
          if (!follows(JSON.parse(document) as DeploymentDocument, model, alias)) continue;
          const place = `registry/${raw.partition}@${raw.offset}`;
          const requestId = `alias-${idOf(deployment, place)}`;
          const moved = { deployment, model, alias, modelVersion: version, artifactHash: row.artifact.hash };
          const attached = attachedOf(row.tags);
          outputs.push({
            topic: 'deployment-events',
            type: 'alias-moved',
            data: { ...moved, attached, requestId, actor },
            key: deployment,
            id: requestId,
          });
        }
      }
      return { outputs, count: { told: outputs.length, versionsGone } };
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

/** Of a request that a rollout made; nothing of others. One may be refused twice: it waits for a second person, who says no. */
function refusal({ requestId, reason }: RegistryRefused, place: string): readonly IdentifiedOutput[] {
  if (!requestId.startsWith(promotionPrefix)) return [];
  const [deployment = '', version] = requestId.slice(promotionPrefix.length).split('/');
  const data = { deployment, deploymentVersion: Number(version), requestId, reason };
  const id = `refused-${idOf(requestId, place)}`;
  return [{ topic: 'route-evidence', type: 'promotion-refused', data, key: deployment, id }];
}

function isAttachedTo(text: string | undefined, model: string, alias: string): boolean {
  const reference = parseAttached(text ?? '');
  return reference?.model === model && reference.alias === alias;
}

function follows({ follow, routes, monitors }: DeploymentDocument, model: string, alias: string): boolean {
  if (follow !== true) return false;
  const watched = [monitors.reference, ...(monitors.detectors ?? []).map(({ fitted }) => fitted)];
  if (watched.some((text) => isAttachedTo(text, model, alias))) return true;
  return routes.flatMap(modelsOfRoute).some(({ model: pin }) => pin.model === model && pin.alias === alias);
}
