/** The gRPC port of the gateway. The same token as over HTTP, as metadata `authorization`; errors are status codes. */
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status, Metadata } from '@grpc/grpc-js';
import type { FastifyInstance } from 'fastify';
import { Counter } from 'prom-client';
import { type ErrorCode, MillraceError } from '../../../runtime/ports/index.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { retryAfter } from '../error-answers.ts';
import { tokenCheck } from '../security/authorization.ts';
import { type GrpcCall, grpcHandlers } from './grpc-calls.ts';
import { callNames, wireService } from '../../../runtime/adapters/open-inference/wire.ts';

export interface GrpcServer {
  /** host:port */
  readonly address: string;
  /** Answers what is under way, then closes. */
  close(): Promise<void>;
}

/** UNAVAILABLE when another process has the port. */
export async function startGrpcServer(
  context: Pick<GatewayContext, 'options'>,
  app: FastifyInstance,
  port: number,
): Promise<GrpcServer> {
  const { options } = context;
  const server = new Server({
    'grpc.max_receive_message_length': options.bodyBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.connectionsMax,
  });
  const handlers = grpcHandlers(context, app);
  const isOpen = tokenCheck(options.token);
  const handled = new Counter({
    name: 'grpc_server_handled_total',
    help: 'Calls of gRPC that were answered, by their status.',
    labelNames: ['grpc_type', 'grpc_service', 'grpc_method', 'grpc_code'],
    registers: [options.metrics],
  });
  const implementation = Object.fromEntries(
    callNames.map((name) => [
      name,
      (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>): void => {
        void answer(call).then(
          (value) => finish(status.OK, () => done(null, value)),
          (error: unknown) => {
            const failure = failureOf(error);
            finish(failure.code, () => done(failure));
          },
        );
        function finish(code: status, send: () => void): void {
          const labels = { grpc_type: 'unary', grpc_service: 'inference.GRPCInferenceService', grpc_method: name };
          handled.inc({ ...labels, grpc_code: status[code] });
          send();
        }
      },
    ]),
  );

  async function answer(call: ServerUnaryCall<object, object>): Promise<object> {
    const asked = grpcCall(call);
    const name = call.getPath().slice(call.getPath().lastIndexOf('/') + 1) as (typeof callNames)[number];
    if (name !== 'ServerLive' && name !== 'ServerReady' && !isOpen(asked.header('authorization') ?? '')) {
      throw new MillraceError('FORBIDDEN', 'the call needs the metadata authorization: Bearer <token>', {
        details: { status: 401 },
      });
    }
    return await handlers[name](call.request as never, asked);
  }

  server.addService(wireService, implementation);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (cause, taken) => {
      if (cause === null) resolve(taken);
      else
        reject(new MillraceError('UNAVAILABLE', `gRPC cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
    });
  });
  return {
    address: `${host}:${bound}`,
    close: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
  };
}

function grpcCall(call: ServerUnaryCall<object, object>): GrpcCall {
  const deadline = call.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return {
    header: (name) => {
      const [value] = call.metadata.get(name);
      return value === undefined ? undefined : String(value).slice(0, 4_096);
    },
    deadlineMs: Number.isFinite(at) ? at : undefined,
    cancelled: () => call.cancelled,
  };
}

const statuses: Partial<Record<ErrorCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  UNSUPPORTED: status.INVALID_ARGUMENT,
  MODEL_REFUSED: status.FAILED_PRECONDITION,
  NO_ANSWER: status.FAILED_PRECONDITION,
  NOT_FOUND: status.NOT_FOUND,
  CONFLICT: status.ALREADY_EXISTS,
  FORBIDDEN: status.PERMISSION_DENIED,
  TOO_LARGE: status.RESOURCE_EXHAUSTED,
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  UNAVAILABLE: status.UNAVAILABLE,
  CLOSED: status.UNAVAILABLE,
  TIMEOUT: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  USER_CODE_FAILED: status.UNKNOWN,
};

interface Failure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/**
 * Trailing metadata `millrace-code` and `millrace-prediction` say what the status alone does not, and `grpc-retry-pushback-ms` (gRPC's own name)
 * when to come again.
 */
function failureOf(error: unknown): Failure {
  const metadata = new Metadata();
  if (!(error instanceof MillraceError)) {
    return { code: status.INTERNAL, details: 'the call failed for a reason inside of the platform', metadata };
  }
  metadata.set('millrace-code', error.code);
  const { predictionId } = error.details;
  if (error.code === 'OVERLOADED' || error.code === 'RATE_LIMITED')
    metadata.set('grpc-retry-pushback-ms', String(1_000 * Number(retryAfter(error))));
  if (typeof predictionId === 'string') metadata.set('millrace-prediction', predictionId);
  const code = error.details['status'] === 401 ? status.UNAUTHENTICATED : (statuses[error.code] ?? status.INTERNAL);
  return { code, details: error.message, metadata };
}
