import { idOf } from '../../../schemas/derived-ids.ts';
import { type Static, Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { StartRequested } from '../../../schemas/events.ts';
import { answerStart } from '../asked-start.ts';
import { cursorQuery, type ListQuery, listQuery, runFilterOf } from '../run-filter.ts';
import { type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';

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

const tasksShown = 1_000;
const text = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 500, description }));
const taskQuery = Type.Object({
  step: text('of the tasks that are shown'),
  status: text('of the tasks that are shown: waiting, running, completed, cancelled or a kind of failure'),
  task: text('the only one that is shown'),
  limit: Type.Optional(
    Type.String({ pattern: '^(0|[1-9][0-9]{0,3})$', description: `tasks of a page, 0 to 9999; default ${tasksShown}` }),
  ),
  cursor: cursorQuery,
});
type TaskQuery = Static<typeof taskQuery>;

/** List, show, start, tag, cancel. */
export const runs: Routes = (app, context) => {
  const { options, operations, decisions } = context;

  app.get<{ Querystring: ListQuery }>(
    '/api/v1/runs',
    { config: { access: 'read' }, schema: { summary: 'runs, newest first, a page', tags, querystring: listQuery } },
    async ({ query }) => await options.queries.listRuns(runFilterOf(query)),
  );

  app.get<{ Params: { runId: string }; Querystring: TaskQuery }>(
    '/api/v1/runs/:runId',
    {
      config: { access: 'read' },
      schema: {
        summary: 'a run, its steps and a page of its tasks',
        tags,
        params,
        querystring: taskQuery,
        description: 'Counts of all steps; tasks in the order of their starts.',
      },
    },
    async ({ params: { runId: id }, query: { limit, ...rest } }) => {
      const run = await options.queries.showRun(id, {
        ...rest,
        limit: limit === undefined ? tasksShown : Number(limit),
      });
      if (run === undefined) throw new MillraceError('NOT_FOUND', `there is no run '${id}'`);
      return run;
    },
  );

  app.post<{ Body: StartBody }>(
    '/api/v1/runs',
    {
      config: { access: 'write', action: 'run.start' },
      schema: { summary: 'start a run of a deployed flow, or of a bundle that was stored', tags, body: startBody },
    },
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
      return await answerStart(context, { request, reply, operation }, data);
    },
  );

  app.post<{ Params: { runId: string }; Body: { add?: readonly string[]; remove?: readonly string[] } }>(
    '/api/v1/runs/:runId/tags',
    {
      config: { access: 'write', action: 'run.tag' },
      schema: {
        summary: 'add and remove user tags of a run',
        tags,
        params,
        body: Type.Object({ add: tagList, remove: tagList }, { additionalProperties: false }),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const id = request.params.runId;
      if ((await options.queries.placeOfRun(id)) === undefined)
        throw new MillraceError('NOT_FOUND', `there is no run '${id}'`);
      const { add = [], remove = [] } = request.body;
      const data = { runId: id, requestId, actor, add, remove };
      const { data: changed } = await decisions.askAny(
        ['run-tags-changed'],
        id,
        requestId,
        () =>
          operations.publish(request, operation, id, [
            { topic: 'runs', type: 'run-tags-requested', data, key: id, id: idOf('tags', id, requestId) },
          ]),
        async () => {
          const tags = (await options.queries.showRun(id, { limit: 0 }))?.tags ?? [];
          const done = add.every((tag) => tags.includes(tag)) && !remove.some((tag) => tags.includes(tag));
          return done ? { type: 'run-tags-changed', data: { tags } } : undefined;
        },
      );
      return { runId: id, tags: changed.tags };
    },
  );

  app.post<{ Params: { runId: string }; Body: { reason?: string } | undefined }>(
    '/api/v1/runs/:runId/cancel',
    {
      config: { access: 'write', action: 'run.cancel' },
      schema: {
        summary: 'stop a run',
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
    if ((await context.tables.flows.find(flow)) === undefined) throw unknownFlow(flow, context.tables.flows.rows());
    return { flow, bundleHash: null, graph: null };
  }
  return { flow, bundleHash: null, graph: null, ...(await uploadedCode({ bundleHash, graph }, context)) };
}

/** With the names that a flow of a project has where it is deployed. */
function unknownFlow(flow: string, deployed: readonly { readonly flow: string }[]): MillraceError {
  const meant = deployed.map((one) => one.flow).filter((name) => name.endsWith(`.${flow}`));
  const hint = meant.length === 0 ? 'deploy it first' : `did you mean ${meant.slice(0, 5).join(', ')}?`;
  return new MillraceError('NOT_FOUND', `there is no deployed flow '${flow}': ${hint}`);
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
