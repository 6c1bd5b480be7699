import { Type } from 'typebox';
import { limitOf, limitQuery, type Routes } from '../gateway-context.ts';

const text = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));

/** Who did what, and why things came about as they did. */
export const history: Routes = (app, { options: { queries } }) => {
  app.get<{ Querystring: { object?: string; actor?: string; limit?: string } }>(
    '/api/v1/operations',
    {
      config: { access: 'read' },
      schema: {
        summary: 'who asked for what, newest first',
        tags: ['operations'],
        querystring: Type.Object({ object: text, actor: text, limit: limitQuery }),
      },
    },
    async ({ query: { object, actor, limit } }) => ({
      operations: await queries.listOperations({ object, actor, limit: limitOf(limit) }),
    }),
  );

  app.get<{ Querystring: { id: string } }>(
    '/api/v1/explanations',
    {
      config: { access: 'read' },
      schema: {
        summary: 'why anything came about, and what came of it, each link checked',
        tags: ['explanations'],
        querystring: Type.Object({
          id: Type.String({
            minLength: 1,
            maxLength: 512,
            description:
              'of a prediction, run, task, artifact, model version, deployment, trigger, finding, operation or record',
          }),
        }),
      },
    },
    async ({ query: { id } }) => await queries.explain(id),
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/predictions/:id/explanation',
    {
      config: { access: 'read' },
      schema: {
        summary: 'why a prediction came about, down to its first cause',
        tags: ['predictions'],
        params: Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) }),
      },
    },
    async ({ params: { id } }) => await queries.explain(id),
  );
};
