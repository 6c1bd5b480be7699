/** What each call of gRPC does: the same as its path of HTTP. */
import type { FastifyInstance } from 'fastify';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { GatewayContext } from '../gateway-context.ts';
import {
  checkVersion,
  inferenceOf,
  modelMetadata,
  serverMetadata,
  shownMessage,
  unreadyModel,
} from '../routes/open-inference.ts';
import { repositoryIndex } from '../routes/model-repository.ts';
import type { CallName, WireInferRequest } from '../../../runtime/adapters/open-inference/wire.ts';
import { openBody, type OpenResponse, wireResponse } from './wire-tensors.ts';

export interface GrpcCall {
  /** Metadata by name. */
  header(name: string): string | undefined;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number | undefined;
  /** The client has ended the call. */
  cancelled(): boolean;
}

/** Throws MillraceError; `details.predictionId` names the outcome of a failed prediction. */
export type GrpcHandler = (request: never, call: GrpcCall) => object | Promise<object>;

interface ModelName {
  readonly name: string;
  readonly version: string;
}

export function grpcHandlers(
  context: Pick<GatewayContext, 'options'>,
  app: FastifyInstance,
): Readonly<Record<CallName, GrpcHandler>> {
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: context.options.inference !== undefined && context.options.unready() === undefined }),
    ServerMetadata: () => {
      const { extensions, ...server } = serverMetadata(context);
      return { ...server, extensions: extensions.filter((name) => name !== 'binary_tensor_data') };
    },
    ModelReady: async ({ name, version }: ModelName) => ({
      ready: (await unreadyModel(name, version, context)) === undefined,
    }),
    ModelMetadata: ({ name, version }: ModelName) => modelMetadata(name, version, context),
    ModelInfer: (request: WireInferRequest, call) => modelInfer(request, call, context),
    RepositoryIndex: ({ ready }: { ready: boolean }) => ({ models: repositoryIndex(context, ready) }),
    RepositoryModelLoad: ({ model_name: name }: { model_name: string }, call) =>
      repositoryCall(app, name, 'load', call),
    RepositoryModelUnload: ({ model_name: name }: { model_name: string }, call) =>
      repositoryCall(app, name, 'unload', call),
  };
}

async function modelInfer(
  request: WireInferRequest,
  call: GrpcCall,
  context: Pick<GatewayContext, 'options'>,
): Promise<object> {
  const { model_name: deployment, model_version: version, raw_input_contents: raw } = request;
  const inference = inferenceOf(context);
  if (version !== '') checkVersion((await inference.describe(deployment)).version, deployment, version);
  const rawAnswer = raw.length > 0 || (await hasHalfOutputs(deployment, context));
  const answer = await inference.inferOpen({
    deployment,
    body: () => openBody(request, rawAnswer),
    ...(raw.length > 0 && { binary: Buffer.concat(raw) }),
    entity: call.header('millrace-entity'),
    deadline: call.header('millrace-deadline'),
    eventTime: call.header('millrace-event-time'),
    deadlineMs: call.deadlineMs,
    cancelled: () => call.cancelled(),
    versionMin: call.header('millrace-deployment-version'),
    route: call.header('millrace-route') ?? call.header('x-seldon-route'),
    source: 'grpc',
  });
  if (answer.type === 'completed') return wireResponse(answer.body as OpenResponse, answer.binary);
  const { code, message, predictionId } = answer;
  throw new MillraceError(code as 'INTERNAL', shownMessage(code, message), { details: { predictionId } });
}

/** Half-precision numbers have no typed contents. A deployment that is not there fails as the prediction that it is. */
async function hasHalfOutputs(deployment: string, context: Pick<GatewayContext, 'options'>): Promise<boolean> {
  try {
    const { signature } = await inferenceOf(context).describe(deployment);
    return signature.outputs.some(({ datatype }) => datatype === 'FP16');
  } catch {
    return false;
  }
}

/** Through the route of HTTP, which records the operation. */
async function repositoryCall(
  app: FastifyInstance,
  model: string,
  verb: 'load' | 'unload',
  call: GrpcCall,
): Promise<object> {
  const headers: Record<string, string> = { host: 'localhost' };
  for (const name of ['authorization', 'x-millrace-actor']) {
    const value = call.header(name);
    if (value !== undefined) headers[name] = value;
  }
  const url = `/v2/repository/models/${encodeURIComponent(model)}/${verb}`;
  const answer = await app.inject({ method: 'POST', url, headers });
  if (answer.statusCode === 200) return {};
  const { code, message } = answer.json<{ code: 'INTERNAL'; message: string }>();
  throw new MillraceError(code, message);
}
