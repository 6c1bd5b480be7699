import { type FastifyInstance, type FastifySchema, fastify, type HTTPMethods } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Fields of a call that reads them by itself, JSON Schema: for the document alone. They are the query of a GET, else the body. */
    fields?: () => object | undefined;
  }
}

interface Described {
  readonly method: HTTPMethods | HTTPMethods[];
  readonly url: string;
  readonly schema: FastifySchema;
  readonly fields: (() => object | undefined) | undefined;
}

/**
 * Answers the OpenAPI document of the routes that the server gets from now on. It is made when it is first asked for, by a server of its own
 * that nobody calls: what makes it takes as long to load as the rest of the gateway.
 */
export function describeRoutes(app: FastifyInstance, version: string): () => Promise<object> {
  const routes: Described[] = [];
  app.addHook('onRoute', ({ method, url, schema = {}, config }) => {
    if (method !== 'HEAD') routes.push({ method, url, schema, fields: config?.fields });
  });
  let document: Promise<object> | undefined;
  return () => (document ??= documentOf(routes, version));
}

async function documentOf(routes: readonly Described[], version: string): Promise<object> {
  const { default: swagger } = await import('@fastify/swagger');
  const app = fastify({ exposeHeadRoutes: false });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => () => '');
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'Millrace',
        version,
        description:
          'Every call that changes something has an actor (header x-millrace-actor) and leaves an operation.',
      },
    },
  });
  for (const { fields, schema, url, ...route } of routes) {
    const shape = fields?.();
    for (const method of [route.method].flat()) {
      const said = shape === undefined ? {} : { [method === 'GET' ? 'querystring' : 'body']: shape };
      app.route({ method, url, schema: { ...schema, ...said }, handler: () => undefined });
    }
  }
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}
