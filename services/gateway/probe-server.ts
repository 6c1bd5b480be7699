/** Probes and metrics of a process that has no gateway: `/livez`, `/readyz`, `/metrics`, under the same rules as the gateway's. */
import { fastify } from 'fastify';
import type { GatewayOptions } from './gateway-options.ts';
import { answerErrors } from './error-answers.ts';
import { listen } from './listen.ts';
import { type ProbeOptions, probes } from './routes/probes.ts';
import { authorize } from './security/authorization.ts';
import { checkHostAndOrigin } from './security/host-and-origin.ts';
import { checkListenAddress } from './security/listen-policy.ts';

export type ProbeServerOptions = ProbeOptions &
  Pick<GatewayOptions, 'token' | 'hosts'> & { host: string; port: number };

/** Resolves once it listens. INVALID_CONFIGURATION for an address that needs a token, UNAVAILABLE when the port is taken. */
export async function startProbeServer(
  options: ProbeServerOptions,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { host, port, hosts = [] } = options;
  const token = options.token === '' ? undefined : options.token;
  checkListenAddress(host, token);
  const app = fastify({ logger: false, bodyLimit: 1_024, forceCloseConnections: true });
  checkHostAndOrigin(app, hosts, token);
  authorize(app, token, Date.now, () => undefined);
  answerErrors(app, () => Promise.resolve());
  probes(app, { options });
  return { url: await listen(app, host, port), close: () => app.close() };
}
