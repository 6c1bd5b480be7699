/** Errors as answers: `{code, message, id}`, nothing of the inside. Paths of Open Inference Protocol also say `error`. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, errorCodes, MillraceError } from '../../runtime/ports/index.ts';

export interface ErrorAnswer {
  readonly code: string;
  readonly message: string;
  /** Of the call; the log line of the error has it too. */
  readonly id: string;
  /** Open Inference Protocol's name for the message. */
  readonly error?: string;
}

/** `refused` hears of every error answer of a call that would have changed something, before it is sent. */
export function answerErrors(
  app: FastifyInstance,
  refused: (request: FastifyRequest, answer: ErrorAnswer) => Promise<void>,
): void {
  app.setErrorHandler(async (error: FastifyError | Error, request, reply) => {
    const { status, code, message } = classify(error);
    if (status === 503 || status === 429) reply.header('retry-after', retryAfter(error));
    if (status >= 500) request.log.error({ err: error, id: request.id }, 'a call failed');
    const answer = errorAnswer(request, code, message);
    if (request.routeOptions.config.access === 'write') {
      await refused(request, answer).catch((cause: unknown) =>
        request.log.error({ err: cause }, 'refusal not recorded'),
      );
    }
    return await sendError(reply, status, answer);
  });
  app.setNotFoundHandler(async (request, reply) => {
    return await sendError(reply, 404, errorAnswer(request, 'NOT_FOUND', 'there is nothing at this path'));
  });
}

/** Whole seconds, as the header says it: what the error expects, within a minute. */
export function retryAfter(error: unknown): string {
  const ms = error instanceof MillraceError ? error.details['retryAfterMs'] : undefined;
  return String(typeof ms === 'number' ? Math.min(60, Math.max(1, Math.ceil(ms / 1_000))) : 1);
}

export function errorAnswer(request: FastifyRequest, code: string, message: string): ErrorAnswer {
  const answer = { code, message, id: request.id };
  return request.url.startsWith('/v2') ? { error: message, ...answer } : answer;
}

/** HTTP status of an error code; 500 for one that is not in the catalogue. */
export function statusOf(code: string): number {
  return Object.hasOwn(errorCodes, code) ? errorCodes[code as ErrorCode].status : 500;
}

async function sendError(reply: FastifyReply, status: number, answer: ErrorAnswer): Promise<FastifyReply> {
  return await reply.code(status).type('application/json').send(JSON.stringify(answer));
}

interface Classified {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const internal: Classified = {
  status: 500,
  code: 'INTERNAL',
  message: 'the call failed for a reason inside of the platform; its log has the details under the id',
};

function classify(error: FastifyError | Error): Classified {
  if (error instanceof MillraceError) {
    const status = error.details['status'] === 401 ? 401 : statusOf(error.code);
    // a wrong setting is told too: the message names it, and whoever calls may be the one who can set it
    const hidden = status === 500 && error.code !== 'INVALID_CONFIGURATION';
    return hidden ? internal : { status, code: error.code, message: error.message };
  }
  if (!('statusCode' in error) || error.statusCode === undefined || error.statusCode >= 500) return internal;
  const status = error.statusCode;
  if (status === 413) return { status, code: 'TOO_LARGE', message: 'the body is larger than this server takes' };
  if (status === 404) return { status, code: 'NOT_FOUND', message: error.message };
  return { status, code: 'INVALID_ARGUMENT', message: error.message };
}
