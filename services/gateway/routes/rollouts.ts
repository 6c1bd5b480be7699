import { idOf } from '../../../schemas/derived-ids.ts';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { RouterRow } from '../../../schemas/events.ts';
import { initialWeights } from '../../../schemas/traffic.ts';
import { type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';

const tags = ['deployments'];
const params = Type.Object({ deployment: nameParam });
interface Named {
  readonly Params: { readonly deployment: string };
}

/** How the routes of a deployment share its traffic, rollouts, and why a prediction took its route. */
export const rollouts: Routes = (app, context) => {
  const { options, operations, decisions, tables } = context;
  const read = { access: 'read' } as const;

  app.get<Named>(
    '/api/v1/deployments/:deployment/routes',
    {
      config: read,
      schema: { summary: 'the weights in force, what justifies them, and what became of shadows', tags, params },
    },
    async (request) => {
      const { deployment } = request.params;
      const { version, document, router } = await currentOf(deployment, context);
      const { weightsVersion = 0, cause = 'document', reason = '', evidence = [], updatedAt = null } = router ?? {};
      const weights = router?.weights ?? initialWeights(document);
      const shadows = await options.queries.shadowTraffic(deployment);
      return { deployment, version, weightsVersion, weights, cause, reason, evidence, updatedAt, shadows };
    },
  );

  app.get<Named>(
    '/api/v1/deployments/:deployment/rollout',
    { config: read, schema: { summary: 'how far a rollout is, and what it waits for', tags, params } },
    async (request) => {
      const { deployment } = request.params;
      const { version, router } = await currentOf(deployment, context);
      if (router?.rollout === undefined || router.rollout === null)
        throw new MillraceError('NOT_FOUND', `deployment '${deployment}' has no rollout`);
      return { deployment, version, ...shown(router) };
    },
  );

  app.post<Named & { Body: { action: string; reason?: string } }>(
    '/api/v1/deployments/:deployment/rollout',
    {
      config: { access: 'write', action: 'deployment.rollout' },
      schema: {
        summary: 'move a rollout by hand: advance, promote, rollback, pause, resume',
        tags,
        params,
        body: Type.Object(
          {
            action: Type.Enum(['advance', 'promote', 'rollback', 'pause', 'resume'], {
              description: 'advance: to the next step; promote: all of the traffic to the canary',
            }),
            reason: Type.Optional(Type.String({ maxLength: 1_000 })),
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { deployment } = request.params;
      const { action, reason = '' } = request.body;
      const { requestId, actor } = operation;
      const moved = await decisions.ask('rollout-moved', deployment, requestId, () =>
        operations.publish(
          request,
          operation,
          deployment,
          [
            {
              topic: 'route-evidence',
              type: 'rollout-control-requested',
              data: { deployment, requestId, action, reason, actor },
              key: deployment,
              id: idOf('rollout', deployment, requestId),
            },
          ],
          { rollout: action },
        ),
      );
      const { rollout, deploymentVersion: version } = moved;
      const there = (): boolean => {
        const row = tables.routers.get(deployment);
        if (row === undefined || row.deploymentVersion > version || row.updatedAt > rollout.sinceMs) return true;
        return row.rollout?.phase === rollout.phase && row.rollout.step === rollout.step;
      };
      await waitForRow(tables.routers, there, `${action} of the rollout of '${deployment}'`, {
        clock: options.runtime.parts.clock,
        timeoutMs: options.decisionTimeoutMs,
      });
      return { deployment, version, ...rollout, evidence: moved.evidence };
    },
  );

  app.get<{ Params: { prediction: string } }>(
    '/api/v1/predictions/:prediction/route',
    {
      config: read,
      schema: {
        summary: 'why a prediction took its route, computed again from the evidence',
        tags: ['predictions'],
        params: Type.Object({ prediction: nameParam }),
      },
    },
    (request) => options.queries.explainRoute(request.params.prediction),
  );
};

/** What is in force now; the row only where it speaks of this version. */
async function currentOf(
  deployment: string,
  { tables }: GatewayContext,
): Promise<{ version: number; document: DeploymentDocument; router: RouterRow | undefined }> {
  await Promise.all([tables.deployments.refresh(), tables.routers.refresh()]);
  const row = tables.deployments.get(deployment);
  if (row === undefined) throw new MillraceError('NOT_FOUND', `there is no deployment '${deployment}'`);
  const router = tables.routers.get(deployment);
  const current = router?.deploymentVersion === row.version ? router : undefined;
  return { version: row.version, document: JSON.parse(row.document) as DeploymentDocument, router: current };
}

function shown({ rollout, weights, weightsVersion, evidence }: RouterRow): object {
  return { ...rollout, weightsVersion, weights, evidence };
}
