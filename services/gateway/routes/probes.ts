import type { FastifyInstance } from 'fastify';
import type { ResolvedOptions } from '../gateway-options.ts';

export type ProbeOptions = Pick<ResolvedOptions, 'unready' | 'metrics'>;

/** `/livez`, `/readyz`, `/metrics`. */
export function probes(app: FastifyInstance, { options }: { readonly options: ProbeOptions }): void {
  app.get('/livez', { config: { access: 'public' }, schema: { hide: true } }, async () => ({ live: true }));
  app.get('/readyz', { config: { access: 'public' }, schema: { hide: true } }, async (_, reply) => {
    const reason = options.unready();
    return await reply.code(reason === undefined ? 200 : 503).send({ ready: reason === undefined, reason });
  });
  app.get('/metrics', { config: { access: 'read', byAddress: true }, schema: { hide: true } }, async (_, reply) => {
    return await reply.type(options.metrics.contentType).send(await options.metrics.metrics());
  });
}
