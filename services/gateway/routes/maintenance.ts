import { Type } from 'typebox';
import { limitOf, limitQuery, type Routes } from '../gateway-context.ts';

const text = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));

/** Dead letters, tasks, topics and findings. */
export const maintenance: Routes = (app, { options: { maintenance: offered, queries }, operations }) => {
  const read = (tag: string, summary: string) => ({
    config: { access: 'read' as const },
    schema: { summary, tags: [tag] },
  });

  app.get<{ Querystring: { deployment?: string; kind?: string; limit?: string } }>(
    '/api/v1/findings',
    {
      config: { access: 'read' },
      schema: {
        summary: 'drift, outliers, experiments and alerts, newest first',
        tags: ['findings'],
        querystring: Type.Object({ deployment: text, kind: text, limit: limitQuery }),
      },
    },
    async ({ query: { deployment, kind, limit } }) => ({
      findings: await queries.listFindings({ deployment, kind, limit: limitOf(limit) }),
    }),
  );
  if (offered === undefined) return;

  app.get('/api/v1/dead-letters', read('dead-letters', 'what could not be processed, newest first'), async () => ({
    deadLetters: await offered.listDeadLetters(),
  }));

  app.post<{ Body: { id: string } }>(
    '/api/v1/dead-letters/replay',
    {
      config: { access: 'write', action: 'dead-letter.replay' },
      schema: {
        summary: 'process a dead record again; it counts once',
        tags: ['dead-letters'],
        body: Type.Object({ id: Type.String({ minLength: 3, maxLength: 512 }) }, { additionalProperties: false }),
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      await operations.publish(request, operation, request.body.id, []);
      return await reply.code(202).send(await offered.replayDeadLetter(request.body.id));
    },
  );

  app.get(
    '/api/v1/tasks',
    read('tasks', 'what this process works on: position, lag and state of each partition'),
    async () => ({
      tasks: offered.tasks(),
    }),
  );
  app.get('/api/v1/topics', read('topics', 'topics with their partitions and ends'), async () => ({
    topics: await offered.topics(),
  }));
};
