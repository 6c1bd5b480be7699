/** Quality metrics over HTTP: the newest windows of each series of a deployment, and page by page the ones before. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { QualitySearch, QualityWindow, RewardFailures } from '../../schemas/api/quality.ts';

interface Query {
  readonly route?: string;
  readonly segment?: string;
  readonly version?: string;
  readonly until?: string;
  readonly windows?: string;
}

const text = Type.Optional(Type.String({ maxLength: 256 }));
const querystring = Type.Object({
  route: text,
  segment: text,
  version: Type.Optional(Type.String({ pattern: '^[1-9]\\d{0,8}$' })),
  until: Type.Optional(
    Type.String({ pattern: '^\\d{1,15}$', description: 'windows that ended before, milliseconds since the epoch' }),
  ),
  windows: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$' })),
});
const params = Type.Object({ deployment: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }) });

/** The query store answers. */
export interface QualityQueries {
  readonly findQuality: (search: QualitySearch) => Promise<readonly QualityWindow[]>;
  readonly rewardFailures: (deployment: string) => Promise<readonly RewardFailures[]>;
}

export const qualityRoutes =
  ({ findQuality, rewardFailures }: QualityQueries) =>
  (app: FastifyInstance): void => {
    app.get<{ Params: { deployment: string }; Querystring: Query }>(
      '/api/v1/deployments/:deployment/quality',
      {
        config: { access: 'read' },
        schema: {
          summary: 'quality metrics from feedback, by route, segment and window',
          tags: ['quality'],
          params,
          querystring,
        },
      },
      async ({ params: { deployment }, query }) => {
        const { route, segment, version, until, windows = '1' } = query;
        const found = await findQuality({
          ...{ deployment, route, segment },
          version: version === undefined ? undefined : Number(version),
          until: until === undefined ? undefined : Number(until),
          windows: Number(windows),
        });
        return { windows: found };
      },
    );
    app.get<{ Params: { deployment: string } }>(
      '/api/v1/deployments/:deployment/reward-failures',
      {
        config: { access: 'read' },
        schema: {
          summary: 'rewards that its function did not make, by code, with the newest reason',
          tags: ['quality'],
          params,
        },
      },
      async ({ params: { deployment } }) => ({ failures: await rewardFailures(deployment) }),
    );
  };
