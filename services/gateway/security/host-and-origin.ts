/** Against pages of other sites: the Host header must be one of ours (DNS rebinding), and so must the Origin of a mutating call. */
import type { FastifyInstance } from 'fastify';
import { MillraceError } from '../../../runtime/ports/index.ts';

const readMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Called by whatever address its process has, as probes and scrapers do. */
    byAddress?: boolean;
  }
}

/**
 * `hosts`: names besides the loopback ones. Ports are not compared. With a token, which no page of another site knows, what is called by
 * address is served under any Host; so are public routes always.
 */
export function checkHostAndOrigin(app: FastifyInstance, hosts: readonly string[], token: string | undefined): void {
  const allowed = new Set([...loopbackNames, ...hosts.map((host) => host.toLowerCase())]);
  // Clients name the same host call after call.
  let lastAllowed: string | undefined;
  app.addHook('onRequest', (request, _, done) => {
    const { host, origin } = request.headers;
    if (host === lastAllowed && origin === undefined && host !== undefined) return done();
    const { access, byAddress } = request.routeOptions.config;
    if (access === 'public' || (byAddress === true && token !== undefined)) return done();
    const problem = problemOf(host, origin, request.method, allowed);
    if (problem === undefined) lastAllowed = host;
    done(problem);
  });
}

function problemOf(
  host: string | undefined,
  origin: string | undefined,
  method: string,
  allowed: ReadonlySet<string>,
): MillraceError | undefined {
  if (host === undefined || !allowed.has(withoutPort(host))) {
    return new MillraceError('FORBIDDEN', 'the Host header is not one of this server: see the setting http.hosts');
  }
  if (origin === undefined || readMethods.has(method)) return undefined;
  if (URL.canParse(origin) && allowed.has(withoutPort(new URL(origin).host))) return undefined;
  return new MillraceError('FORBIDDEN', 'a page of another origin may not change anything here');
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, '').toLowerCase();
}
