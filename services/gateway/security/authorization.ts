/** Who may call what: declared per route, judged in one place. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { stepOfToken } from './run-token.ts';

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
    /** False: it wants a token, and has none that is right. */
    isKnown: boolean;
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
  now: () => number,
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
  app.decorateRequest('isKnown', true);
  const isOpen = tokenCheck(token);
  app.addHook('onRequest', (request, reply, done) => {
    const { authorization = '' } = request.headers;
    if (authorization === '' && token === undefined) return done();
    const { config, url = '' } = request.routeOptions;
    if (config.access === 'public') return done();
    const step = stepOfToken(authorization, token ?? '', now());
    if (step?.over === false && mayStep(config.access, url)) {
      request.stepRun = step.runId;
      return done();
    }
    if (isOpen(authorization)) return done();
    request.isKnown = false;
    reply.header('www-authenticate', 'Bearer');
    const message =
      step?.over === true
        ? `the token of the step of run ${step.runId} is over, as the time of the step is: log from a step that runs, or with the platform's token`
        : 'the call needs the header Authorization: Bearer <token>';
    done(new MillraceError('FORBIDDEN', message, { details: { status: 401 } }));
  });
}

/** Code of a step reads, logs and asks models, and does what MLflow's clients do, of any run: docs/tracking.md says what that is. */
function mayStep(access: Access | undefined, url: string): boolean {
  if (access === 'read' || access === 'log' || access === 'predict') return true;
  return access === 'write' && url.startsWith('/api/2.0/mlflow/');
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
