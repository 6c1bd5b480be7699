/** Against pages of other sites: the Host header must be one of ours (DNS rebinding), and so must the Origin of a mutating call. */
import type { FastifyInstance } from 'fastify';
import { MillraceError } from '../../../runtime/ports/index.ts';

const readMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** `hosts`: names besides the loopback ones. Ports are not compared. */
export function checkHostAndOrigin(app: FastifyInstance, hosts: readonly string[]): void {
  const allowed = new Set([...loopbackNames, ...hosts.map((host) => host.toLowerCase())]);
  app.addHook('onRequest', (request, _, done) => {
    const { host, origin } = request.headers;
    done(problemOf(host, origin, request.method, allowed));
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
