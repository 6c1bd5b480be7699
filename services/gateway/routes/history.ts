import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { limitOf, limitQuery, type Routes } from '../gateway-context.ts';

const text = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));

/** Who did what, and why a prediction came out as it did. */
export const history: Routes = (app, { options: { queries } }) => {
  app.get<{ Querystring: { object?: string; actor?: string; limit?: string } }>(
    '/api/v1/operations',
    {
      config: { access: 'read' },
      schema: { tags: ['operations'], querystring: Type.Object({ object: text, actor: text, limit: limitQuery }) },
    },
    async ({ query: { object, actor, limit } }) => ({
      operations: await queries.listOperations({ object, actor, limit: limitOf(limit) }),
    }),
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/predictions/:id/explanation',
    {
      config: { access: 'read' },
      schema: { tags: ['predictions'], params: Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) }) },
    },
    async ({ params: { id } }) => {
      const chain = await queries.explain(id);
      if (chain === undefined) throw new MillraceError('NOT_FOUND', `no prediction '${id}' is known`);
      return chain;
    },
  );
};
