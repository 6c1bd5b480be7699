/**
 * Open Inference Protocol v2 over HTTP. A model of the protocol is a deployment, its version that of the deployment.
 *
 * Headers beyond the protocol: `millrace-entity` (key of the outcome), `millrace-deadline` (ISO 8601), `millrace-deployment-version`
 * (oldest version that may answer), `millrace-event-time` (when what it is about happened), `millrace-route` or Seldon's `x-seldon-route` (route to take while it has traffic; answers carry it, so
 * that a client who sends it back stays on its route). The answer's parameters name the prediction id, which feedback refers to.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { cloudEventType, incomingEvent } from '../cloud-events.ts';
import { errorAnswer, statusOf } from '../error-answers.ts';
import { anyJson, type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';
import { acceptBinaryBodies, BinaryBody, sendBinary } from '../infer-body.ts';
import type { FailedAnswer, Inference, OpenInferRequest, TensorDescription } from '../inference.ts';

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
  app.get(
    '/v2/health/live',
    { config: { access: 'public' }, schema: { summary: 'whether the process lives', tags } },
    async () => ({ live: true }),
  );
  app.get(
    '/v2/health/ready',
    { config: { access: 'public' }, schema: { summary: 'whether the server takes requests', tags } },
    async (_, reply) => {
      const ready = context.options.inference !== undefined && context.options.unready() === undefined;
      return await reply.code(ready ? 200 : 503).send({ ready });
    },
  );
  app.get(
    '/v2',
    { config: { access: 'read' }, schema: { summary: 'name, version and extensions of the server', tags } },
    async () => serverMetadata(context),
  );
  app.get(
    '/v2/models',
    { config: { access: 'read' }, schema: { summary: 'names of the deployments', tags } },
    async () => ({
      models: inferenceOf(context)
        .deployments()
        .map(({ name }) => name)
        .sort(),
    }),
  );
  app.register((scope, _, done) => {
    acceptBinaryBodies(scope);
    for (const [path, schema] of [
      ['/v2/models/:model', params],
      ['/v2/models/:model/versions/:version', versionParams],
    ] as const) {
      ofModel(scope, context, path, schema);
    }
    done();
  });
};

function ofModel(scope: FastifyInstance, context: GatewayContext, path: string, schema: TSchema): void {
  const read = (summary: string) =>
    ({ config: { access: 'read' }, schema: { summary, tags, params: schema } }) as const;
  const [describes, tells] = [read('inputs and outputs of a deployment'), read('whether a deployment can answer')];
  scope.get<{ Params: ModelPath }>(path, describes, ({ params: { model, version } }) =>
    modelMetadata(model, version, context),
  );
  scope.get<{ Params: ModelPath }>(`${path}/ready`, tells, async ({ params: { model, version } }, reply) => {
    const reason = await unreadyModel(model, version, context);
    if (reason === undefined) return { name: model, ready: true };
    return await reply.code(503).header('retry-after', '1').send({ error: reason, name: model, ready: false });
  });
  scope.post<{ Params: ModelPath }>(
    `${path}/infer`,
    {
      config: { access: 'predict' },
      schema: {
        summary: 'ask for a prediction by the Open Inference Protocol',
        tags,
        params: schema,
        body,
        consumes: ['application/json', 'application/octet-stream', cloudEventType],
      },
    },
    (request, reply) => infer(request, reply, context),
  );
}

export function serverMetadata({ options }: Pick<GatewayContext, 'options'>): {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
} {
  const extensions = ['binary_tensor_data', 'model_repository', 'parameters'];
  return { name: 'millrace', version: options.version, extensions };
}

/** How long whoever asks waits for models that are being loaded: probes of clusters ask every few seconds. */
const readyMsMax = 1_000;

/** Loads the models; undefined when all is there, else what stands in the way. NOT_FOUND when there is no such deployment or version. */
export async function unreadyModel(
  model: string,
  version: string | undefined,
  context: Pick<GatewayContext, 'options'>,
): Promise<string | undefined> {
  const inference = inferenceOf(context);
  const deployed = inference.deployments().find(({ name }) => name === model)?.version;
  try {
    checkVersion(deployed ?? (await inference.describe(model)).version, model, version);
    await inference.warm(model, undefined, readyMsMax);
    return undefined;
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code === 'NOT_FOUND') throw error;
    return error.message;
  }
}

/** Also behind `/api/v1/deployments/:deployment/predictions`. */
export async function infer(
  request: FastifyRequest<{ Params: ModelPath }>,
  reply: FastifyReply,
  context: GatewayContext,
): Promise<FastifyReply | string> {
  const { model, version } = request.params;
  const inference = inferenceOf(context);
  if (version !== undefined) checkVersion((await inference.describe(model)).version, model, version);
  const { id, source, attributes, data } = incomingEvent(request);
  const binary = data instanceof BinaryBody;
  const call = callHeaders(request);
  const { socket } = request.raw;
  const answer = await inference.inferOpen({
    deployment: model,
    entity: call.entity,
    deadline: call.deadline,
    versionMin: call.versionMin,
    route: call.route,
    eventTime: call.eventTime ?? attributes['time'],
    clientId: id,
    source,
    body: binary ? data.json : data,
    binary: binary ? data.binary : undefined,
    cancelled: () => socket.destroyed,
  });
  if (answer.type === 'failed') return await sendFailure(request, reply, answer);
  reply.header('millrace-prediction', answer.predictionId);
  reply.header('x-seldon-route', `:${answer.route}:`);
  if (answer.binary !== undefined) return await sendBinary(reply, answer.body, answer.binary);
  // Given back, not sent: whoever waits for a reply that is sent waits for the socket, with listeners for each call.
  reply.header('content-type', jsonType);
  return JSON.stringify(answer.body);
}

/** With its charset, as Fastify writes it. */
const jsonType = 'application/json; charset=utf-8';

/** What a call says in headers beyond the protocol. */
export function callHeaders({
  headers,
}: FastifyRequest): Pick<OpenInferRequest, 'entity' | 'deadline' | 'versionMin' | 'route' | 'eventTime'> {
  return {
    entity: textHeader(headers['millrace-entity'], 'millrace-entity'),
    deadline: textHeader(headers['millrace-deadline'], 'millrace-deadline'),
    versionMin: textHeader(headers['millrace-deployment-version'], 'millrace-deployment-version'),
    eventTime:
      textHeader(headers['millrace-event-time'], 'millrace-event-time') ?? textHeader(headers['ce-time'], 'ce-time'),
    route:
      textHeader(headers['millrace-route'], 'millrace-route') ??
      textHeader(headers['x-seldon-route'], 'x-seldon-route'),
  };
}

export async function sendFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, message, predictionId }: FailedAnswer,
): Promise<FastifyReply> {
  const status = statusOf(code);
  reply.header('millrace-prediction', predictionId);
  if (status === 503 || status === 429) reply.header('retry-after', '1');
  return await reply.code(status).send({ ...errorAnswer(request, code, shownMessage(code, message)), predictionId });
}

/** Nothing of the inside. */
export function shownMessage(code: string, message: string): string {
  return code === 'INTERNAL' ? 'the prediction failed' : message;
}

export async function modelMetadata(
  model: string,
  version: string | undefined,
  context: Pick<GatewayContext, 'options'>,
): Promise<ModelMetadata> {
  const described = await inferenceOf(context).describe(model);
  checkVersion(described.version, model, version);
  const { inputs, outputs } = described.signature;
  return { name: model, versions: [String(described.version)], platform: described.platform, inputs, outputs };
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
}

export function inferenceOf({ options }: Pick<GatewayContext, 'options'>): Inference {
  if (options.inference !== undefined) return options.inference;
  throw new MillraceError('UNAVAILABLE', 'this process serves no models: ask one that runs the model server');
}

/** NOT_FOUND unless the version is the one that is served; '' and undefined are any. */
export function checkVersion(current: number, model: string, version: string | undefined): void {
  if (version === undefined || version === '' || version === String(current)) return;
  const asked = version.slice(0, 20);
  throw new MillraceError(
    'NOT_FOUND',
    `deployment '${model}' is at version ${current}; version ${asked} is not served`,
  );
}

function textHeader(value: string | readonly string[] | undefined, name: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '' && value.length <= 256)) return value;
  throw new MillraceError('INVALID_ARGUMENT', `the header ${name} must be one text of 1 to 256 characters`);
}
