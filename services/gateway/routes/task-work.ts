import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { plainJson } from '../../../schemas/codec/plain-json.ts';
import type { TaskDispatched } from '../../../schemas/events.ts';
import type { GatewayContext, Routes } from '../gateway-context.ts';
import { sendBlob } from '../send-blob.ts';

const tags = ['runs'];
const task = { runId: Type.String({ pattern: '^[0-9a-f]{32}$' }), task: Type.String({ maxLength: 400 }) };

/** What a task of a past run worked on, for whoever runs its step again elsewhere. */
export const taskWork: Routes = (app, context) => {
  app.get<{ Params: { runId: string; task: string } }>(
    '/api/v1/runs/:runId/tasks/:task/work',
    {
      config: { access: 'read' },
      schema: {
        summary: 'what a task of a past run worked on, to run it again elsewhere',
        tags,
        params: Type.Object(task),
        description: 'What the last attempt of a task worked on: code, inputs, parameters, settings. Bytes are base64.',
      },
    },
    async ({ params }) => JSON.parse(plainJson(await workOf(context, params))) as object,
  );

  app.get<{ Params: { runId: string; task: string; hash: string } }>(
    '/api/v1/runs/:runId/tasks/:task/blobs/:hash',
    {
      config: { access: 'read' },
      schema: {
        summary: 'bytes that a task worked on',
        tags,
        params: Type.Object({ ...task, hash: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
        description: 'Bytes that the work names: code, packs of items and results, files, inputs.',
        produces: ['application/octet-stream'],
      },
    },
    async ({ params }, reply) => {
      const { blobs } = context.options.runtime.parts;
      const { hash } = params;
      // only what the work names: the store holds more than that
      if (!(await namedBy(await workOf(context, params), blobs)).has(hash))
        throw new MillraceError('NOT_FOUND', `the work of task '${params.task}' names no blob '${hash}'`);
      return await sendBlob(reply.header('content-type', 'application/octet-stream'), blobs, hash);
    },
  );
};

/** A task that took over an outcome has the work of the one that ran. */
async function workOf(
  { options: { queries, runtime } }: GatewayContext,
  { runId, task: taskId }: { readonly runId: string; readonly task: string },
): Promise<TaskDispatched> {
  const attempts = await queries.listAttempts(runId, { task: taskId });
  const place = attempts.findLast(({ work }) => work !== null)?.work ?? undefined;
  if (place === undefined)
    throw new MillraceError('NOT_FOUND', `no worker has begun a task '${taskId}' of run '${runId}'`);
  const topic = runtime.topic('tasks');
  const start = (await runtime.parts.log.startOffsets(topic))[place.partition] ?? 0;
  const range = { from: place.offset, to: place.offset + 1 };
  if (place.offset >= start)
    for await (const [record] of runtime.parts.log.read({ topic, partition: place.partition }, range)) {
      if (record === undefined) break;
      const event = await runtime.decode('tasks', record);
      if (event.type === 'task-dispatched') return event.data;
    }
  throw new MillraceError(
    'NOT_FOUND',
    `what task '${taskId}' worked on is on the log no longer: topic tasks keeps it for 7 days`,
  );
}

/** Of packs of results, also what they name. */
async function namedBy(work: TaskDispatched, blobs: { get(hash: string): Promise<Buffer> }): Promise<Set<string>> {
  const { bundleHash, inputs, items = [], packs = [], checkpoints = [], parameters } = work;
  const named = new Set([bundleHash, ...items.map(({ pack }) => pack), ...packs.map(({ hash }) => hash)]);
  for (const { hash } of [...inputs.flatMap(({ artifacts }) => artifacts), ...checkpoints]) named.add(hash);
  for (const value of Object.values(JSON.parse(parameters) as Readonly<Record<string, unknown>>)) {
    const { hash } = (value ?? {}) as { readonly hash?: unknown };
    if (typeof hash === 'string') named.add(hash);
  }
  for (const { hash: pack } of packs) {
    const results = JSON.parse((await blobs.get(pack)).toString('utf8')) as { readonly hash: string }[][];
    for (const { hash } of results.flat()) named.add(hash);
  }
  return named;
}
