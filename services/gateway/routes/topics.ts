/**
 * `GET /api/v1/topics/:topic/events`: a closed topic as server-sent events, from its present end, from its start (`?from=earliest`), or
 * from where a stream broke off (`Last-Event-ID`). The id of an event is the position behind it, over all partitions.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { EventTopic } from '../../../schemas/events.ts';
import { isTopicName, topics as catalogue } from '../../../schemas/topics.ts';
import type { GatewayContext, Routes } from '../gateway-context.ts';

/** A reader that is slower than this many bytes behind is let go; it comes back with its last id. */
const bufferedBytesMax = 8 * 1024 * 1024;
const heartbeatMs = 15_000;

interface StreamRequest {
  readonly Params: { readonly topic: string };
  readonly Querystring: { readonly from?: 'earliest' | 'latest' };
}

export const topics: Routes = (app, context) => {
  let streams = 0;
  const open = new Set<() => void>();
  app.addHook('preClose', () => {
    for (const end of open) end();
  });

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
      if (streams >= context.options.streamsMax) {
        throw new MillraceError('UNAVAILABLE', `${streams} event streams are open, the most allowed: try again`);
      }
      streams += 1;
      try {
        const next = await startPositions(request, topic, context.options.runtime);
        await stream(reply, topic, next, context, open);
      } finally {
        streams -= 1;
      }
    },
  );
};

async function stream(
  reply: FastifyReply,
  topic: EventTopic,
  next: number[],
  { options: { runtime } }: GatewayContext,
  open: Set<() => void>,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' });
  raw.write(`retry: 1000\nid: ${next.join('.')}\n\n`);
  const send = (text: string): void => {
    if (!raw.write(text) && raw.writableLength > bufferedBytesMax) raw.destroy();
  };
  const follower = await runtime.follow(topic, {
    from: [...next],
    onEvent: ({ partition, offset, id, key, timeMs, type, data }) => {
      next[partition] = offset + 1;
      const event = { id, topic, partition, offset, key, timeMs, type, data };
      send(`id: ${next.join('.')}\nevent: ${type}\ndata: ${JSON.stringify(event, plain)}\n\n`);
    },
  });
  const heartbeat = setInterval(() => send(':\n\n'), heartbeatMs);
  await new Promise<void>((resolve) => {
    const end = (): void => {
      open.delete(end);
      raw.end();
      resolve();
    };
    open.add(end);
    raw.on('close', end);
    if (raw.destroyed) end();
  });
  clearInterval(heartbeat);
  await follower.close();
}

function readableTopic(name: string): EventTopic {
  if (isTopicName(name) && catalogue[name].access === 'closed' && catalogue[name].events.length > 0) {
    return name as EventTopic;
  }
  throw new MillraceError('NOT_FOUND', `there is no topic of events named '${name.slice(0, 64)}'`);
}

/** Next offset of each partition. INVALID_ARGUMENT when a last id does not fit the topic. */
async function startPositions(
  request: FastifyRequest<StreamRequest>,
  topic: string,
  runtime: Runtime,
): Promise<number[]> {
  const { log } = runtime.parts;
  const last = request.headers['last-event-id'];
  if (last === undefined || last === '') {
    const name = runtime.topic(topic);
    const offsets = request.query.from === 'earliest' ? await log.startOffsets(name) : await log.endOffsets(name);
    return [...offsets];
  }
  const offsets = typeof last === 'string' && /^\d{1,15}(\.\d{1,15})*$/.test(last) ? last.split('.').map(Number) : [];
  if (offsets.length === runtime.partitions(topic)) return offsets;
  throw new MillraceError('INVALID_ARGUMENT', `Last-Event-ID must be an id that this topic's stream gave`);
}

/** JSON has no NaN and no infinity: they go as text. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
