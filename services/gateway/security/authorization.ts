/** Who may call what: declared per route, judged in one place. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { runOfToken } from './run-token.ts';

/**
 * - `public`: probes; no token is asked for.
 * - `read`: shows something.
 * - `predict`: asks a model; its outcome is its own record.
 * - `log`: adds to a run of its caller; the fact is its own record, and names the actor.
 * - `write`: changes something: has an actor and leaves an operation.
 */
export const accessLevels = ['public', 'read', 'predict', 'log', 'write'] as const;
export type Access = (typeof accessLevels)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required on every route. */
    access?: Access;
    /** Of `write` routes: the action of its operation, such as `deployment.deploy`. */
    action?: string;
  }
  interface FastifyRequest {
    /** The run whose step calls, by its token. */
    stepRun: string | undefined;
  }
}

export interface DeclaredRoute {
  readonly method: string;
  readonly url: string;
  readonly config: FastifyContextConfig;
}

/** With a token, everything but public routes needs it. A route that declares no access does not come up. */
export function authorize(
  app: FastifyInstance,
  token: string | undefined,
  declared: (route: DeclaredRoute) => void,
): void {
  app.addHook('onRoute', (route) => {
    const { access, action } = route.config ?? {};
    if (access === undefined || (access === 'write') !== (action !== undefined)) {
      throw new MillraceError(
        'INTERNAL',
        `route ${String(route.method)} ${route.url} must declare config.access, and config.action if it writes`,
      );
    }
    for (const method of [route.method].flat()) declared({ method, url: route.url, config: route.config ?? {} });
  });
  app.decorateRequest('stepRun', undefined);
  const isOpen = tokenCheck(token);
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.access === 'public') return;
    const { authorization = '' } = request.headers;
    const run = runOfToken(authorization, token ?? '');
    if (run !== undefined && mayStep(request.routeOptions.config.access, request.routeOptions.url ?? '')) {
      request.stepRun = run;
      return;
    }
    if (isOpen(authorization)) return;
    reply.header('www-authenticate', 'Bearer');
    throw new MillraceError('FORBIDDEN', 'the call needs the header Authorization: Bearer <token>', {
      details: { status: 401 },
    });
  });
}

/** Code of a step reads and logs, and does what MLflow's clients do: it registers models, and makes experiments. */
function mayStep(access: Access | undefined, url: string): boolean {
  if (access === 'read' || access === 'log') return true;
  return access === 'write' && /^\/(?:ajax-)?api\/[23]\.0\/mlflow\//.test(url);
}

/** Whether a call with this authorization may go on; every one may when no token is asked for. */
export function tokenCheck(token: string | undefined): (authorization: string) => boolean {
  if (token === undefined) return () => true;
  const expected = digest(`Bearer ${token}`);
  return (authorization) => timingSafeEqual(digest(authorization), expected);
}

/** Digests have one length, so comparing tells nothing about the token's. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
