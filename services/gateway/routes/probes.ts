import type { Routes } from '../gateway-context.ts';

/** `/livez`, `/readyz`, `/metrics`. */
export const probes: Routes = (app, { options }) => {
  app.get('/livez', { config: { access: 'public' }, schema: { hide: true } }, async () => ({ live: true }));
  app.get('/readyz', { config: { access: 'public' }, schema: { hide: true } }, async (_, reply) => {
    const ready = options.ready();
    return await reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get('/metrics', { config: { access: 'read' }, schema: { hide: true } }, async (_, reply) => {
    return await reply.type(options.metrics.contentType).send(await options.metrics.metrics());
  });
};
