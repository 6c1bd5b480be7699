import type { Routes } from '../gateway-context.ts';

/** What lies where, for whoever opens the address in a browser. */
export const root: Routes = (app, { options: { version } }) => {
  app.get('/', { config: { access: 'read' }, schema: { hide: true } }, async () => ({
    name: 'millrace',
    version,
    api: '/api/v1/openapi.json',
    inference: '/v2',
    metrics: '/metrics',
    ready: '/readyz',
  }));
};
