/** `GET /api/v1/predictions/:id/replay`: a prediction run again, compared by its bytes. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { PredictionReplays } from './prediction-replays.ts';

export const replayRoutes =
  (replays: Pick<PredictionReplays, 'replay'>) =>
  (app: FastifyInstance): void => {
    app.get<{ Params: { id: string } }>(
      '/api/v1/predictions/:id/replay',
      {
        config: { access: 'read' },
        schema: {
          summary: 'run a prediction again on the recorded model and input, and compare the bytes',
          tags: ['predictions'],
          params: Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) }),
        },
      },
      async ({ params }) => await replays.replay(params.id),
    );
  };
