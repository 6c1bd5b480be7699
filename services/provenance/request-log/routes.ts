/** The request log over HTTP. */
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { CountedTraffic, RequestPage, RequestSearch } from '../../../schemas/api/request-log.ts';
import { timeOf, timeQuery } from '../time-query.ts';

const text = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));
const condition = Type.String({ minLength: 1, maxLength: 300 });

const querystring = Type.Object({
  deployment: text,
  version: Type.Optional(Type.String({ pattern: '^\\d{1,9}$', description: 'of the deployment' })),
  route: text,
  model: Type.Optional(
    Type.String({ pattern: '^[^/]{1,128}(/[1-9]\\d{0,8})?$', description: 'that answered: `name` or `name/version`' }),
  ),
  entity: text,
  outcome: Type.Optional(
    Type.String({ pattern: '^[A-Za-z_]{1,64}$', description: '`completed`, `failed`, or the code of a failure' }),
  ),
  since: timeQuery('received at or after'),
  until: timeQuery('received before'),
  outlier: Type.Optional(Type.Enum(['true', 'false'])),
  slowerThanMs: Type.Optional(Type.String({ pattern: '^\\d{1,9}$', description: 'least latency' })),
  where: Type.Optional(
    Type.Union([condition, Type.Array(condition, { maxItems: 20 })], {
      description: 'on features and outputs, such as `carat > 2`; one row has all that are given',
    }),
  ),
  limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$', description: '1 to 1000; default 50' })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 90, description: '`next` of the page before' })),
});

const deployment = Type.Object({ deployment: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }) });

/** The query store answers. */
export interface RequestLogQueries {
  readonly search: (asked: RequestSearch) => Promise<RequestPage>;
  readonly traffic: (deployment: string) => Promise<readonly CountedTraffic[]>;
}

export const requestLogRoutes =
  ({ search, traffic }: RequestLogQueries) =>
  (app: FastifyInstance): void => {
    app.get<{ Params: Static<typeof deployment> }>(
      '/api/v1/deployments/:deployment/traffic',
      {
        config: { access: 'read' },
        schema: {
          tags: ['predictions'],
          params: deployment,
          summary: 'how many predictions each version and route made, and how many failed by which code',
        },
      },
      async ({ params }) => ({ traffic: await traffic(params.deployment) }),
    );
    app.get<{ Querystring: Static<typeof querystring> }>(
      '/api/v1/predictions',
      {
        config: { access: 'read' },
        schema: { tags: ['predictions'], querystring, summary: 'the request log, newest first' },
      },
      async ({ query: { version, since, until, outlier, slowerThanMs, where, limit, ...rest } }) =>
        await search({
          ...rest,
          version: version === undefined ? undefined : Number(version),
          since: timeOf('since', since),
          until: timeOf('until', until),
          outlier: outlier === undefined ? undefined : outlier === 'true',
          slowerThanMs: slowerThanMs === undefined ? undefined : Number(slowerThanMs),
          where: typeof where === 'string' ? [where] : where,
          limit: limit === undefined ? 50 : Number(limit),
        }),
    );
  };
