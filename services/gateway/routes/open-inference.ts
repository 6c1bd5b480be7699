/**
 * Open Inference Protocol v2 over HTTP. A model of the protocol is a deployment, its version that of the deployment.
 *
 * Headers beyond the protocol: `millrace-entity` (key of the outcome), `millrace-deadline` (ISO 8601), `millrace-deployment-version`
 * (oldest version that may answer), `millrace-route` or Seldon's `x-seldon-route` (route to take while it has traffic; answers carry it, so
 * that a client who sends it back stays on its route). The answer's parameters name the prediction id, which feedback refers to.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { cloudEventType, incomingEvent } from '../cloud-events.ts';
import { errorAnswer, statusOf } from '../error-answers.ts';
import { anyJson, type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';
import type { Inference } from '../inference.ts';

interface ModelPath {
  readonly model: string;
  readonly version?: string;
}

const tags = ['Open Inference Protocol v2'];
const params = Type.Object({ model: nameParam });
const versionParams = Type.Object({ model: nameParam, version: Type.String({ pattern: '^[1-9][0-9]{0,8}$' }) });
const body = anyJson(
  'Open Inference Protocol v2 infer request: {id?, parameters?, inputs: [{name, shape, datatype, data}]}',
);

export const openInference: Routes = (app, context) => {
  app.get('/v2/health/live', { config: { access: 'public' }, schema: { tags } }, async () => ({ live: true }));
  app.get('/v2/health/ready', { config: { access: 'public' }, schema: { tags } }, async (_, reply) => {
    const ready = context.options.inference !== undefined && context.options.unready() === undefined;
    return await reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get('/v2', { config: { access: 'read' }, schema: { tags } }, async () => ({
    name: 'millrace',
    version: context.options.version,
    extensions: [],
  }));
  app.get('/v2/models', { config: { access: 'read' }, schema: { tags } }, async () => ({
    models: inferenceOf(context)
      .deployments()
      .map(({ name }) => name)
      .sort(),
  }));
  for (const [path, schema] of [
    ['/v2/models/:model', params],
    ['/v2/models/:model/versions/:version', versionParams],
  ] as const) {
    app.get<{ Params: ModelPath }>(path, { config: { access: 'read' }, schema: { tags, params: schema } }, (request) =>
      metadata(request.params, context),
    );
    app.get<{ Params: ModelPath }>(
      `${path}/ready`,
      { config: { access: 'read' }, schema: { tags, params: schema } },
      async ({ params: { model, version } }) => {
        checkVersion((await inferenceOf(context).describe(model)).version, { model, ...(version && { version }) });
        await inferenceOf(context).warm(model);
        return { name: model, ready: true };
      },
    );
    app.post<{ Params: ModelPath }>(
      `${path}/infer`,
      {
        config: { access: 'predict' },
        schema: { tags, params: schema, body, consumes: ['application/json', cloudEventType] },
      },
      (request, reply) => infer(request, reply, context),
    );
  }
};

/** Also behind `/api/v1/deployments/:deployment/predictions`. */
export async function infer(
  request: FastifyRequest<{ Params: ModelPath }>,
  reply: FastifyReply,
  context: GatewayContext,
): Promise<FastifyReply> {
  const { model, version } = request.params;
  const inference = inferenceOf(context);
  if (version !== undefined) checkVersion((await inference.describe(model)).version, request.params);
  const { headers } = request;
  const event = incomingEvent(request);
  const answer = await inference.inferOpen({
    deployment: model,
    body: event.data,
    entity: textHeader(headers['millrace-entity'], 'millrace-entity'),
    clientId: event.id,
    source: event.source,
    deadline: textHeader(headers['millrace-deadline'], 'millrace-deadline'),
    versionMin: textHeader(headers['millrace-deployment-version'], 'millrace-deployment-version'),
    route:
      textHeader(headers['millrace-route'], 'millrace-route') ??
      textHeader(headers['x-seldon-route'], 'x-seldon-route'),
  });
  reply.header('millrace-prediction', answer.predictionId);
  if (answer.type === 'completed') reply.header('x-seldon-route', `:${answer.route}:`);
  if (answer.type === 'completed') return reply.type('application/json').send(JSON.stringify(answer.body));
  const status = statusOf(answer.code);
  if (status === 503) reply.header('retry-after', '1');
  const message = status === 500 && answer.code === 'INTERNAL' ? 'the prediction failed' : answer.message;
  return reply.code(status).send({ ...errorAnswer(request, answer.code, message), predictionId: answer.predictionId });
}

async function metadata({ model, version }: ModelPath, context: GatewayContext): Promise<object> {
  const described = await inferenceOf(context).describe(model);
  checkVersion(described.version, version === undefined ? { model } : { model, version });
  const { inputs, outputs } = described.signature;
  return { name: model, versions: [String(described.version)], platform: 'onnxruntime_onnx', inputs, outputs };
}

function inferenceOf({ options }: GatewayContext): Inference {
  if (options.inference !== undefined) return options.inference;
  throw new MillraceError('UNAVAILABLE', 'this process serves no models: ask one that runs the model server');
}

function checkVersion(current: number, { model, version }: ModelPath): void {
  if (version === undefined || Number(version) === current) return;
  throw new MillraceError(
    'NOT_FOUND',
    `deployment '${model}' is at version ${current}; version ${version} is not served`,
  );
}

function textHeader(value: string | readonly string[] | undefined, name: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= 256)) return value;
  throw new MillraceError('INVALID_ARGUMENT', `the header ${name} must be one text of 1 to 256 characters`);
}
