/** Errors as MLflow says them: `{error_code, message}`. A fault of the call is never answered with a status that its client tries again. */
import type { FastifyError, FastifyInstance } from 'fastify';
import { type ErrorCode, MillraceError } from '../../../runtime/ports/errors.ts';
import { type ExtensionParts, retryAfter } from '../../gateway/extension.ts';

interface Answer {
  readonly status: number;
  readonly error_code: string;
  readonly message: string;
}

const answers: Partial<Record<ErrorCode, readonly [status: number, code: string]>> = {
  INVALID_ARGUMENT: [400, 'INVALID_PARAMETER_VALUE'],
  UNSUPPORTED: [400, 'INVALID_PARAMETER_VALUE'],
  NOT_FOUND: [404, 'RESOURCE_DOES_NOT_EXIST'],
  // MLflow's client takes a name that is there as an answer only with this pair.
  CONFLICT: [400, 'RESOURCE_ALREADY_EXISTS'],
  FORBIDDEN: [403, 'PERMISSION_DENIED'],
  TOO_LARGE: [413, 'INVALID_PARAMETER_VALUE'],
  UNAVAILABLE: [503, 'TEMPORARILY_UNAVAILABLE'],
  CLOSED: [503, 'TEMPORARILY_UNAVAILABLE'],
  OVERLOADED: [503, 'TEMPORARILY_UNAVAILABLE'],
  RATE_LIMITED: [429, 'REQUEST_LIMIT_EXCEEDED'],
  // not among the statuses that MLflow's client tries again: a full disk stays full for a while
  DISK_FULL: [507, 'TEMPORARILY_UNAVAILABLE'],
  // the message names the setting
  INVALID_CONFIGURATION: [500, 'INTERNAL_ERROR'],
  UNKNOWN_OUTCOME: [503, 'TEMPORARILY_UNAVAILABLE'],
  TIMEOUT: [504, 'TEMPORARILY_UNAVAILABLE'],
};

export function answerErrors(app: FastifyInstance, { operations }: ExtensionParts): void {
  app.setErrorHandler(async (error: FastifyError | Error, request, reply) => {
    const { status, error_code, message } = answerOf(error);
    if (status >= 500) request.log.error({ err: error, id: request.id }, 'a call failed');
    if (request.routeOptions.config.access === 'write') {
      await operations
        .refused(request, error_code, message)
        .catch((cause: unknown) => request.log.error({ err: cause }, 'refusal not recorded'));
    }
    if (status === 503 || status === 429) reply.header('retry-after', retryAfter(error));
    return await reply.code(status).type('application/json').send(JSON.stringify({ error_code, message }));
  });
  app.setNotFoundHandler(async (request, reply) => {
    const [path = ''] = request.url.split('?', 1);
    const why = /\/mlflow\/traces(?:\/|$)/.test(path) ? notKept : '';
    const message = `there is nothing at ${request.method} ${path}${why}`;
    return await reply
      .code(404)
      .type('application/json')
      .send(JSON.stringify({ error_code: 'ENDPOINT_NOT_FOUND', message }));
  });
}

function answerOf(error: FastifyError | Error): Answer {
  if (error instanceof MillraceError) {
    if (error.details['status'] === 401) return { status: 401, error_code: 'UNAUTHENTICATED', message: error.message };
    const [status, code] = answers[error.code] ?? internal;
    return { status, error_code: code, message: answers[error.code] === undefined ? inside : error.message };
  }
  if (!('statusCode' in error) || error.statusCode === undefined || error.statusCode >= 500) {
    return { status: 500, error_code: internal[1], message: inside };
  }
  const status = error.statusCode === 413 ? 413 : 400;
  return { status, error_code: status === 413 ? 'INVALID_PARAMETER_VALUE' : 'BAD_REQUEST', message: error.message };
}

const notKept = ': this server keeps no traces; mlflow.tracing.disable() stops the client from sending them';
const internal = [500, 'INTERNAL_ERROR'] as const;
const inside = 'the call failed for a reason inside of the platform; its log has the details';
