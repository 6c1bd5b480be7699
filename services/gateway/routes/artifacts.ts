import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { limitOf, limitQuery, type Routes } from '../gateway-context.ts';
import { cursorQuery, jsonText } from '../run-filter.ts';
import { sendBlob } from '../send-blob.ts';

const tags = ['artifacts'];
const text = Type.Optional(Type.String({ minLength: 1, maxLength: 400 }));
const sha = Type.String({ pattern: '^[0-9a-f]{64}$' });

interface ListQuery {
  readonly run?: string;
  readonly task?: string;
  readonly step?: string;
  readonly name?: string;
  readonly hash?: string;
  readonly value?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

/** What tasks wrote: found by run, task, name, hash or value, and the bytes. */
export const artifacts: Routes = (app, { options: { queries, runtime } }) => {
  app.get<{ Querystring: ListQuery }>(
    '/api/v1/artifacts',
    {
      config: { access: 'read' },
      schema: {
        summary: 'what tasks wrote, newest first, a page',
        tags,
        querystring: Type.Object({
          run: text,
          task: text,
          step: text,
          name: text,
          hash: Type.Optional(sha),
          value: Type.Optional(Type.String({ maxLength: 200, description: 'short JSON, or plain text' })),
          limit: limitQuery,
          cursor: cursorQuery,
        }),
      },
    },
    async ({ query: { run, task, step, name, hash, value, limit, cursor } }) =>
      await queries.listArtifacts({
        runId: run,
        taskId: task,
        step,
        name,
        hash,
        value: value === undefined ? undefined : jsonText(value),
        limit: limitOf(limit),
        cursor,
      }),
  );

  app.get<{ Params: { hash: string } }>(
    '/api/v1/artifacts/:hash',
    {
      config: { access: 'read' },
      schema: { summary: 'the bytes of an artifact by their hash', tags, params: Type.Object({ hash: sha }) },
    },
    async ({ params: { hash } }, reply) => {
      // only what an artifact names: the store holds more than that
      const { artifacts: named } = await queries.listArtifacts({ hash, limit: 1 });
      const [artifact] = named;
      if (artifact === undefined) throw new MillraceError('NOT_FOUND', `no artifact has the hash '${hash}'`);
      reply.header('content-type', 'application/octet-stream').header('x-millrace-codec', artifact.codec);
      if (artifact.inline !== null) return await reply.send(Buffer.from(artifact.inline, 'base64'));
      return await sendBlob(reply, runtime.parts.blobs, hash);
    },
  );
};
