/**
 * `GET /api/v1/topics/:topic/events`: a closed topic as server-sent events, from its present end, from its start (`?from=earliest`), or
 * from where a stream broke off (`Last-Event-ID`). The id of an event is the position behind it, over all partitions.
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
  readonly Querystring: { readonly from?: 'earliest' | 'latest' };
}

export const topics: Routes = (app, { options: { runtime }, streams }) => {
  app.get<StreamRequest>(
    '/api/v1/topics/:topic/events',
    {
      config: { access: 'read' },
      schema: {
        tags: ['topics'],
        params: Type.Object({ topic: Type.String({ maxLength: 64 }) }),
        querystring: Type.Object({ from: Type.Optional(Type.Enum(['earliest', 'latest'])) }),
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
  return [...(from === 'earliest' ? await log.startOffsets(name) : await log.endOffsets(name))];
}
