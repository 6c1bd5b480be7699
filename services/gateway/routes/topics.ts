/**
 * `GET /api/v1/topics/:topic/events`: a closed topic as server-sent events, from its present end, from its start (`?from=earliest`),
 * from one record on (`?from=<partition>@<offset>`, the other partitions from their ends), or from where a stream broke off (`Last-Event-ID`). The id of an event is the position behind it, over all partitions.
 */
import { Type } from 'typebox';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { EventTopic } from '../../../schemas/events.ts';
import { isTopicName, topics as catalogue } from '../../../schemas/topics.ts';
import { followTopic, positionsOf } from '../event-streams.ts';
import type { Routes } from '../gateway-context.ts';

interface StreamRequest {
  readonly Params: { readonly topic: string };
  readonly Querystring: { readonly from?: string };
}

export const topics: Routes = (app, { options: { runtime }, streams }) => {
  app.get<StreamRequest>(
    '/api/v1/topics/:topic/events',
    {
      config: { access: 'read' },
      schema: {
        summary: 'the events of a closed topic as they come, as server-sent events',
        tags: ['topics'],
        params: Type.Object({ topic: Type.String({ maxLength: 64 }) }),
        querystring: Type.Object({
          from: Type.Optional(Type.String({ pattern: '^(earliest|latest|\\d{1,5}@\\d{1,15})$' })),
        }),
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const topic = readableTopic(request.params.topic);
      await streams.run(reply, 'text/event-stream', async () => {
        const next = positionsOf(request, topic, runtime) ?? (await startPositions(request.query.from, topic, runtime));
        return (stream) => followTopic(stream, runtime, topic, next);
      });
    },
  );
};

function readableTopic(name: string): EventTopic {
  if (isTopicName(name) && catalogue[name].access === 'closed' && catalogue[name].events.length > 0) {
    return name as EventTopic;
  }
  throw new MillraceError('NOT_FOUND', `there is no topic of events named '${name.slice(0, 64)}'`);
}

async function startPositions(
  from: StreamRequest['Querystring']['from'],
  topic: string,
  runtime: Runtime,
): Promise<number[]> {
  const { log } = runtime.parts;
  const name = runtime.topic(topic);
  if (from === 'earliest') return [...(await log.startOffsets(name))];
  const next = [...(await log.endOffsets(name))];
  const [partition, offset] = from === undefined || from === 'latest' ? [] : from.split('@').map(Number);
  if (partition === undefined || offset === undefined) return next;
  const end = next[partition];
  if (end === undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `from: ${topic} has partitions 0 to ${next.length - 1}, not ${partition}`,
    );
  if (offset > end)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `from: ${topic}/${partition} ends at ${end}, there is nothing at ${offset} yet`,
    );
  next[partition] = offset;
  return next;
}
