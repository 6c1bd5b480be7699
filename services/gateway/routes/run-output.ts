import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { followTopic, positionsOf } from '../event-streams.ts';
import { logStreams } from '../../../schemas/codec/log-line.ts';
import type { Routes } from '../gateway-context.ts';
import { type LineSelection, RunLogs } from '../run-logs.ts';

const tags = ['runs'];
const params = Type.Object({ runId: Type.String({ pattern: '^[0-9a-f]{32}$' }) });

interface LogsRequest {
  readonly Params: { readonly runId: string };
  readonly Querystring: Omit<LineSelection, 'attempt'> & {
    readonly attempt?: string;
    readonly follow?: 'true' | 'false';
    readonly ends?: 'true' | 'false';
  };
}

/** What a run says while it runs and afterwards: its events and the lines of its steps. */
export const runOutput: Routes = (app, { options: { runtime, queries }, streams }) => {
  const unknown = (runId: string): MillraceError => new MillraceError('NOT_FOUND', `there is no run '${runId}'`);

  app.get<{ Params: { runId: string } }>(
    '/api/v1/runs/:runId/events',
    {
      config: { access: 'read' },
      schema: {
        summary: 'the events of a run as they come, to its end',
        tags,
        params,
        description: 'What became of the run and its tasks, from its beginning on, or from Last-Event-ID on.',
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const { runId } = request.params;
      await streams.followRun(reply, 'text/event-stream', async () => {
        const place = await queries.placeOfRun(runId);
        if (place === undefined) throw unknown(runId);
        const ends = await runtime.parts.log.endOffsets(runtime.topic('runs'));
        const next = positionsOf(request, 'runs', runtime) ?? ends.with(place.partition, place.offset);
        return (stream) =>
          followTopic(stream, runtime, 'runs', next, ({ key, type }) => key === runId && type !== 'task-heartbeat');
      });
    },
  );

  app.get<{ Params: { runId: string } }>(
    '/api/v1/runs/:runId/checkpoints',
    {
      config: { access: 'read' },
      schema: {
        summary: 'what tasks of a run could go on from, or have kept',
        tags,
        params,
        description: 'What tasks that have not ended well could go on from, and what others have kept.',
      },
    },
    async ({ params: { runId } }) => {
      if ((await queries.placeOfRun(runId)) === undefined) throw unknown(runId);
      return { checkpoints: await queries.listCheckpoints(runId) };
    },
  );

  app.get<LogsRequest>(
    '/api/v1/runs/:runId/logs',
    {
      config: { access: 'read' },
      schema: {
        summary: 'lines that the steps of a run wrote, also as they come',
        tags,
        params,
        description:
          'Lines that the steps wrote, both streams, every attempt, in order: one JSON object a line, ' +
          '{taskId, step, attempt, line, stream, at, text}. With follow, what comes is told until the run has ended.',
        querystring: Type.Object({
          of: Type.Optional(Type.String({ maxLength: 400, description: 'step or task' })),
          attempt: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,4}$' })),
          stream: Type.Optional(
            Type.Enum([...logStreams], { description: 'default: all but trace, the stacks with all frames' }),
          ),
          grep: Type.Optional(Type.String({ minLength: 1, maxLength: 1_000, description: 'case is ignored' })),
          follow: Type.Optional(Type.Enum(['true', 'false'])),
          ends: Type.Optional(
            Type.Enum(['true', 'false'], {
              description: 'also tells when all lines of an attempt were told: {taskId, step, attempt, ended}',
            }),
          ),
        }),
        produces: ['application/x-ndjson'],
      },
    },
    async ({ params: { runId }, query: { attempt, follow, ends, ...rest } }, reply) => {
      const begin = follow === 'true' ? streams.followRun : streams.run;
      await begin.call(streams, reply, 'application/x-ndjson', async () => {
        if ((await queries.placeOfRun(runId)) === undefined) throw unknown(runId);
        const selection = { ...rest, attempt: attempt === undefined ? undefined : Number(attempt) };
        const logs = new RunLogs(runtime, queries, runId, selection);
        return async (stream) => {
          for await (const line of follow === 'true' ? logs.following(stream.signal) : logs.present()) {
            if ('ended' in line && ends !== 'true') continue;
            if (!stream.send(`${JSON.stringify(line)}\n`)) return;
            await stream.drained();
          }
        };
      });
    },
  );
};
