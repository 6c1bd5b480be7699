import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { FlowRow } from '../../../schemas/events.ts';
import { idOf, nameParam, type Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';

const tags = ['flows'];

interface DeployBody {
  readonly flow: string;
  readonly bundleHash: string;
  readonly graph: Readonly<Record<string, unknown>>;
  readonly triggers?: readonly unknown[];
}

/** Upload a bundle, deploy a flow, list, show. */
export const flows: Routes = (app, { options, operations, decisions, tables }) => {
  app.addContentTypeParser(
    'application/javascript',
    { parseAs: 'buffer', bodyLimit: options.bundleBytesMax },
    (_, body, done) => done(null, body),
  );

  app.post<{ Body: Buffer }>(
    '/api/v1/bundles',
    {
      bodyLimit: options.bundleBytesMax,
      config: { access: 'write', action: 'bundle.upload' },
      schema: {
        tags,
        consumes: ['application/javascript'],
        response: { 201: Type.Object({ hash: Type.String(), sizeBytes: Type.Integer() }) },
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      if (!Buffer.isBuffer(request.body) || request.body.length === 0) {
        throw new MillraceError('INVALID_ARGUMENT', 'the body must be the bundle, sent as application/javascript');
      }
      const { hash, sizeBytes } = await options.runtime.parts.blobs.put(request.body);
      await operations.publish(request, operation, hash, [], { sizeBytes });
      return await reply.code(201).send({ hash, sizeBytes });
    },
  );

  app.get('/api/v1/flows', { config: { access: 'read' }, schema: { tags } }, async () => {
    await tables.flows.refresh();
    return { flows: tables.flows.rows().map(shown) };
  });

  app.get<{ Params: { flow: string } }>(
    '/api/v1/flows/:flow',
    { config: { access: 'read' }, schema: { tags, params: Type.Object({ flow: nameParam }) } },
    async ({ params: { flow } }) => {
      const row = await tables.flows.find(flow);
      if (row === undefined) throw new MillraceError('NOT_FOUND', `there is no deployed flow '${flow}'`);
      return shown(row);
    },
  );

  app.post<{ Body: DeployBody }>(
    '/api/v1/flows',
    {
      config: { access: 'write', action: 'flow.deploy' },
      schema: {
        tags,
        body: Type.Object(
          {
            flow: nameParam,
            bundleHash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
            graph: Type.Record(Type.String(), Type.Unknown()),
            triggers: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 100 })),
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const { flow, bundleHash, graph, triggers = [] } = request.body;
      if ((await options.runtime.parts.blobs.stat(bundleHash)) === undefined) {
        throw new MillraceError('NOT_FOUND', `bundle ${bundleHash} was not uploaded: POST it to /api/v1/bundles first`);
      }
      const data = {
        flow,
        requestId,
        bundleHash,
        graph: JSON.stringify(graph),
        triggers: JSON.stringify(triggers),
        actor,
      };
      const deployed = await decisions.ask('flow-deployed', flow, requestId, () =>
        operations.publish(
          request,
          operation,
          flow,
          [{ topic: 'starts', type: 'flow-deploy-requested', data, key: flow, id: idOf('flow', flow, requestId) }],
          { bundleHash },
        ),
      );
      const there = () => (tables.flows.get(flow)?.version ?? 0) >= deployed.version;
      await waitForRow(tables.flows, there, `version ${deployed.version} of flow '${flow}'`, {
        clock: options.runtime.parts.clock,
        timeoutMs: options.decisionTimeoutMs,
      });
      return await reply.code(201).send({ flow, version: deployed.version, bundleHash });
    },
  );
};

function shown({ graph, triggers, ...row }: FlowRow) {
  return { ...row, graph: JSON.parse(graph) as unknown, triggers: JSON.parse(triggers) as unknown };
}
