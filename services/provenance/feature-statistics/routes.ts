/** Feature statistics over HTTP. */
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { FeatureStatistics, StatisticsSearch } from '../../../schemas/api/feature-statistics.ts';
import { timeOf, timeQuery } from '../time-query.ts';

const params = Type.Object({ deployment: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }) });
const querystring = Type.Object({
  version: Type.Optional(Type.String({ pattern: '^[1-9]\\d{0,8}$' })),
  since: timeQuery('windows that begin at or after; default a day ago'),
  until: timeQuery('windows that begin before'),
  feature: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  points: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$', description: 'pieces of time; default 60' })),
});

export const statisticsRoutes =
  (read: (asked: StatisticsSearch) => Promise<FeatureStatistics>) =>
  (app: FastifyInstance): void => {
    app.get<{ Params: { deployment: string }; Querystring: Static<typeof querystring> }>(
      '/api/v1/deployments/:deployment/features',
      {
        config: { access: 'read' },
        schema: { tags: ['deployments'], params, querystring, summary: 'statistics of features and outputs over time' },
      },
      async ({ params: { deployment }, query: { version, since, until, feature, points } }) =>
        await read({
          deployment,
          feature,
          version: version === undefined ? undefined : Number(version),
          since: timeOf('since', since),
          until: timeOf('until', until),
          points: points === undefined ? undefined : Number(points),
        }),
    );
  };
