import type { FastifyRequest } from 'fastify';
import { MillraceError } from '../../../runtime/ports/index.ts';

/** Who asks: the run whose step calls, else the header `x-millrace-actor`, else the configured actor. The header names a person or system, and proves nothing. */
export function actorOf(request: FastifyRequest, configured: string): string {
  if (request.stepRun !== undefined) return `run:${request.stepRun}`;
  const named = request.headers['x-millrace-actor'];
  if (named === undefined) return configured;
  if (typeof named === 'string' && /^[\w.@+:-]{1,128}$/.test(named)) return named;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    'x-millrace-actor must be 1 to 128 letters, digits or any of . @ + : _ -',
  );
}
