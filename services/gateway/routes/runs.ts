import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { StartRequested } from '../../../schemas/events.ts';
import { type ListQuery, listQuery, runFilterOf } from '../run-filter.ts';
import { type GatewayContext, idOf, nameParam, type Routes } from '../gateway-context.ts';

const tags = ['runs'];
const runId = Type.String({ pattern: '^[0-9a-f]{32}$' });
const params = Type.Object({ runId });

interface StartBody {
  readonly flow: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Runs this bundle instead of the deployed one. */
  readonly bundleHash?: string;
  readonly graph?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly refresh?: boolean;
}

const startBody = Type.Object(
  {
    flow: nameParam,
    parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    bundleHash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'of a bundle that was uploaded' })),
    graph: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'needed with bundleHash' })),
    tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: 50 })),
    refresh: Type.Optional(Type.Boolean({ description: 'run memoised steps, whatever is remembered' })),
  },
  { additionalProperties: false },
);

const tagList = Type.Optional(
  Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: 100, description: 'removed, then added' }),
);

/** List, show, start, tag, cancel. */
export const runs: Routes = (app, context) => {
  const { options, operations, decisions } = context;

  app.get<{ Querystring: ListQuery }>(
    '/api/v1/runs',
    { config: { access: 'read' }, schema: { tags, querystring: listQuery } },
    async ({ query }) => await options.queries.listRuns(runFilterOf(query)),
  );

  app.get<{ Params: { runId: string } }>(
    '/api/v1/runs/:runId',
    { config: { access: 'read' }, schema: { tags, params } },
    async ({ params: { runId: id } }) => {
      const run = await options.queries.showRun(id);
      if (run === undefined) throw new MillraceError('NOT_FOUND', `there is no run '${id}'`);
      return run;
    },
  );

  app.post<{ Body: StartBody }>(
    '/api/v1/runs',
    { config: { access: 'write', action: 'run.start' }, schema: { tags, body: startBody } },
    async (request, reply) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const start = await startOf(request.body, context);
      const data: StartRequested = {
        ...start,
        tags: request.body.tags ?? [],
        refresh: request.body.refresh ?? false,
        requestId,
        parameters: JSON.stringify(request.body.parameters ?? {}),
        cause: { kind: 'manual', id: requestId, position: null },
        actor,
      };
      const { flow } = start;
      const decision = await decisions.askAny(['run-requested', 'start-queued', 'start-skipped'], flow, requestId, () =>
        operations.publish(request, operation, flow, [
          { topic: 'starts', type: 'start-requested', data, key: flow, id: idOf('start', flow, requestId) },
        ]),
      );
      if (decision.type === 'start-skipped') throw new MillraceError('CONFLICT', decision.data.reason);
      if (decision.type === 'start-queued') {
        const { reason, waiting } = decision.data;
        return await reply.code(202).send({ flow, requestId, queued: true, waiting, reason });
      }
      const { runId: started, version } = decision.data;
      return await reply.code(201).send({ runId: started, flow, version });
    },
  );

  app.post<{ Params: { runId: string }; Body: { add?: readonly string[]; remove?: readonly string[] } }>(
    '/api/v1/runs/:runId/tags',
    {
      config: { access: 'write', action: 'run.tag' },
      schema: { tags, params, body: Type.Object({ add: tagList, remove: tagList }, { additionalProperties: false }) },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const id = request.params.runId;
      if ((await options.queries.showRun(id)) === undefined)
        throw new MillraceError('NOT_FOUND', `there is no run '${id}'`);
      const { add = [], remove = [] } = request.body;
      const data = { runId: id, requestId, actor, add, remove };
      const changed = await decisions.ask('run-tags-changed', id, requestId, () =>
        operations.publish(request, operation, id, [
          { topic: 'runs', type: 'run-tags-requested', data, key: id, id: idOf('tags', id, requestId) },
        ]),
      );
      return { runId: id, tags: changed.tags };
    },
  );

  app.post<{ Params: { runId: string }; Body: { reason?: string } | undefined }>(
    '/api/v1/runs/:runId/cancel',
    {
      config: { access: 'write', action: 'run.cancel' },
      schema: {
        tags,
        params,
        body: Type.Optional(Type.Object({ reason: Type.Optional(Type.String({ maxLength: 1_000 })) })),
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const id = request.params.runId;
      const data = { runId: id, requestId, actor, reason: request.body?.reason ?? '' };
      await operations.publish(request, operation, id, [
        { topic: 'runs', type: 'run-cancel-requested', data, key: id, id: idOf('cancel', id, requestId) },
      ]);
      return await reply.code(202).send({ runId: id, requested: 'cancel' });
    },
  );
};

/** The deployed version (which one, the fold knows), or an uploaded bundle as version 0. */
async function startOf(
  { flow, bundleHash, graph }: StartBody,
  context: GatewayContext,
): Promise<Pick<StartRequested, 'flow' | 'bundleHash' | 'graph'>> {
  if (bundleHash === undefined) {
    if ((await context.tables.flows.find(flow)) === undefined)
      throw new MillraceError('NOT_FOUND', `there is no deployed flow '${flow}': deploy it first`);
    return { flow, bundleHash: null, graph: null };
  }
  return { flow, bundleHash: null, graph: null, ...(await uploadedCode({ bundleHash, graph }, context)) };
}

/** A bundle that was uploaded, with its graph; nothing when the request names none. */
export async function uploadedCode(
  {
    bundleHash,
    graph,
  }: { readonly bundleHash?: string | undefined; readonly graph?: Readonly<Record<string, unknown>> | undefined },
  { options }: GatewayContext,
): Promise<Partial<Pick<StartRequested, 'bundleHash' | 'graph'>>> {
  if (bundleHash === undefined) return {};
  if (graph === undefined) throw new MillraceError('INVALID_ARGUMENT', 'body.graph is needed with body.bundleHash');
  if ((await options.runtime.parts.blobs.stat(bundleHash)) === undefined) {
    throw new MillraceError('NOT_FOUND', `bundle ${bundleHash} was not uploaded`);
  }
  return { bundleHash, graph: JSON.stringify(graph) };
}
