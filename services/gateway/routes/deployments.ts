import { idOf } from '../../../schemas/derived-ids.ts';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { messageOf, MillraceError } from '../../../runtime/ports/index.ts';
import { type DeploymentDocument, modelsOfRoute } from '../../../schemas/deployment-document.ts';
import type { DeploymentRow } from '../../../schemas/events.ts';
import { type DeploymentSpec, parseDeployment, resolveDocument } from '../../../sdk/deployment/index.ts';
import { deploymentStatus } from '../deployment-status.ts';
import { keepMonitored } from '../monitored-blobs.ts';
import type { Operation } from '../operations.ts';
import { anyJson, type GatewayContext, limitOf, limitQuery, nameParam, type Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';
import { infer } from './open-inference.ts';

const tags = ['deployments'];
const params = Type.Object({ deployment: nameParam });
interface Named {
  readonly Params: { readonly deployment: string };
}

/** Deploy, list, show, history, remove, predict. */
export const deployments: Routes = (app, context) => {
  const { options, operations, decisions, tables } = context;
  const waiting = { clock: options.runtime.parts.clock, timeoutMs: options.decisionTimeoutMs };

  app.get(
    '/api/v1/deployments',
    { config: { access: 'read' }, schema: { summary: 'what is deployed', tags } },
    async () => {
      await tables.deployments.refresh();
      return { deployments: tables.deployments.rows().map(shown).sort(byName) };
    },
  );

  app.get<Named>(
    '/api/v1/deployments/:deployment',
    { config: { access: 'read' }, schema: { summary: 'the document in force', tags, params } },
    async (request) => shown(await rowOf(request.params.deployment, context)),
  );

  app.get<Named>(
    '/api/v1/deployments/:deployment/status',
    {
      config: { access: 'read' },
      schema: { summary: 'whether it can answer, and what stands in the way', tags, params },
    },
    async ({ params: { deployment } }) => {
      const { version } = await rowOf(deployment, context);
      const status = await deploymentStatus(deployment, version, context);
      if (status !== undefined) return { deployment, version, ...status };
      throw new MillraceError('UNAVAILABLE', 'this process serves no models: ask one that runs the model server');
    },
  );

  app.get<Named & { Querystring: { limit?: string; at?: string } }>(
    '/api/v1/deployments/:deployment/history',
    {
      config: { access: 'read' },
      schema: {
        summary: 'versions that were in force, or what was in force at a time',
        tags,
        params,
        querystring: Type.Object({
          limit: limitQuery,
          at: Type.Optional(Type.String({ maxLength: 64, description: 'ISO 8601: only the version in force then' })),
        }),
      },
    },
    async ({ params: { deployment }, query: { limit, at } }) => {
      if (at === undefined) return { versions: await options.queries.deploymentHistory(deployment, limitOf(limit)) };
      const then = await options.queries.deploymentAt(deployment, timeOf(at));
      return { versions: then === undefined ? [] : [then] };
    },
  );

  app.post(
    '/api/v1/deployments',
    {
      config: { access: 'write', action: 'deployment.deploy' },
      schema: {
        summary: 'apply a deployment; answers once it is in force',
        tags,
        body: anyJson(
          'a deployment as in `sdk/deployment`; models are named models:/<model>/<version> or models:/<model>@<alias>',
        ),
        consumes: ['application/json', 'application/yaml'],
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const spec = specOf(request.body);
      await tables.models.refresh();
      const resolved = resolveDocument(spec, tables.models);
      if (resolved.document === undefined) {
        throw new MillraceError('INVALID_ARGUMENT', resolved.problems.join('; '));
      }
      const absent = await keepMonitored(resolved.document, context);
      if (absent.length > 0) throw new MillraceError('INVALID_ARGUMENT', absent.join('; '));
      const applied = await apply(request, operation, resolved.document, context);
      return await reply.code(201).send(await settled(request, operation, spec, applied, context));
    },
  );

  app.post<Named & { Body: { version?: number } }>(
    '/api/v1/deployments/:deployment/rollback',
    {
      config: { access: 'write', action: 'deployment.rollback' },
      schema: {
        summary: 'apply the document of an earlier version again',
        tags,
        params,
        body: Type.Object(
          { version: Type.Optional(Type.Integer({ minimum: 1, description: 'default: the one before the current' })) },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const { deployment } = request.params;
      const versions = await options.queries.deploymentHistory(deployment, 9_999);
      const wanted = request.body.version ?? (versions[0]?.version ?? 0) - 1;
      const found = versions.find(({ version }) => version === wanted);
      if (found === undefined && request.body.version === undefined && versions.length === 1)
        throw new MillraceError(
          'NOT_FOUND',
          `deployment '${deployment}' has no version before ${wanted + 1}; a rollout within it is taken back by 'deployments rollout rollback'`,
        );
      if (found === undefined) {
        const there = versions.length === 0 ? 'none' : `1 to ${versions[0]?.version ?? 0}`;
        throw new MillraceError('NOT_FOUND', `deployment '${deployment}' has no version ${wanted}; it has ${there}`);
      }
      const document = JSON.parse(found.document) as DeploymentDocument;
      const applied = await apply(request, operation, document, context);
      // A repeat of the call is answered by the version that the first one made: what that restored is told by its document.
      const made = versions.find(({ version }) => version === applied.version)?.document ?? found.document;
      const restored = versions.find((known) => known.version < applied.version && known.document === made);
      return await reply.code(201).send({ ...applied, restored: restored?.version ?? wanted });
    },
  );

  app.delete<Named>(
    '/api/v1/deployments/:deployment',
    { config: { access: 'write', action: 'deployment.remove' }, schema: { summary: 'stop serving it', tags, params } },
    async (request) => {
      const operation = operations.begin(request);
      const { deployment } = request.params;
      const { requestId, actor } = operation;
      const removed = await decisions.ask('deployment-removed', deployment, requestId, () =>
        operations.publish(request, operation, deployment, [
          {
            topic: 'deployment-events',
            type: 'removal-requested',
            data: { deployment, requestId, actor },
            key: deployment,
            id: idOf('remove', deployment, requestId),
          },
        ]),
      );
      const there = () => {
        const row = tables.deployments.get(deployment);
        return row === undefined || row.version > removed.version;
      };
      await waitForRow(tables.deployments, there, `removal of deployment '${deployment}'`, waiting);
      return { deployment, removed: true, version: removed.version };
    },
  );

  app.post<{ Params: { model: string } }>(
    '/api/v1/deployments/:model/predictions',
    {
      config: { access: 'predict' },
      schema: {
        summary: 'ask for a prediction: an infer request, also as a CloudEvent',
        tags: ['predictions'],
        params: Type.Object({ model: nameParam }),
        body: anyJson('Open Inference Protocol v2 infer request, or a CloudEvent around it'),
      },
    },
    (request, reply) => infer(request, reply, context),
  );
};

/**
 * An alias that moved while the deployment was on its way was told to the version before: what follows it is applied again as it is now.
 */
async function settled(
  request: FastifyRequest,
  operation: Operation,
  spec: DeploymentSpec,
  applied: Awaited<ReturnType<typeof apply>>,
  context: GatewayContext,
): Promise<Awaited<ReturnType<typeof apply>>> {
  if (spec.follow !== true) return applied;
  const { models, deployments: rows } = context.tables;
  await models.refresh();
  const row = rows.get(spec.name);
  const { document } = resolveDocument(spec, models);
  if (document === undefined || row?.version !== applied.version || row.document === JSON.stringify(document))
    return applied;
  return await apply(request, { ...operation, requestId: `${operation.requestId}-settled` }, document, context);
}

/** Asks for a version with this document; resolves once it is on the table and its models and code are loaded, or why they are not. */
async function apply(
  request: FastifyRequest,
  operation: Operation,
  whole: DeploymentDocument,
  context: GatewayContext,
): Promise<{
  readonly deployment: string;
  readonly version: number;
  readonly ready?: boolean;
  readonly reason?: string;
}> {
  const { options, operations, decisions, tables } = context;
  const { name } = whole;
  const document = JSON.stringify(whole);
  const { requestId, actor } = operation;
  const data = { deployment: name, requestId, document, actor };
  const id = idOf('deploy', name, requestId);
  const { version } = await decisions.ask('deployment-applied', name, requestId, () =>
    operations.publish(
      request,
      operation,
      name,
      [{ topic: 'deployment-events', type: 'deploy-requested', data, key: name, id }],
      { models: modelNames(whole) },
    ),
  );
  const there = (): boolean => (tables.deployments.get(name)?.version ?? 0) >= version;
  await waitForRow(tables.deployments, there, `version ${version} of deployment '${name}'`, {
    clock: options.runtime.parts.clock,
    timeoutMs: options.decisionTimeoutMs,
  });
  // That the process is still catching up says nothing about this version.
  const loaded = (await deploymentStatus(name, version, context))?.checks[0]?.problem;
  if (loaded === undefined) return { deployment: name, version };
  return { deployment: name, version, ready: loaded === null, ...(loaded === null ? {} : { reason: loaded }) };
}

/** `<model>/<version>` of everything that it serves. */
function modelNames({ routes }: DeploymentDocument): readonly string[] {
  return routes.flatMap(modelsOfRoute).map(({ model: { model, modelVersion } }) => `${model}/${modelVersion}`);
}

function timeOf(text: string): number {
  const at = Date.parse(text);
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(at)) return at;
  throw new MillraceError('INVALID_ARGUMENT', `at must be ISO 8601, like 2026-01-31T12:00:00Z, got '${text}'`);
}

/** YAML arrives as text, JSON as a value; both are filled in and checked alike. */
function specOf(body: unknown): DeploymentSpec {
  try {
    return parseDeployment(typeof body === 'string' ? body : JSON.stringify(body));
  } catch (error) {
    throw new MillraceError('INVALID_ARGUMENT', messageOf(error), { cause: error });
  }
}

async function rowOf(deployment: string, { tables }: GatewayContext): Promise<DeploymentRow> {
  const row = await tables.deployments.find(deployment);
  if (row !== undefined) return row;
  throw new MillraceError('NOT_FOUND', `there is no deployment '${deployment}'`);
}

function shown({ deployment, version, document, actor, appliedAt }: DeploymentRow) {
  return { deployment, version, actor, appliedAt, document: JSON.parse(document) as DeploymentDocument };
}

function byName(a: { readonly deployment: string }, b: { readonly deployment: string }): number {
  return a.deployment < b.deployment ? -1 : 1;
}
