import { idOf } from '../../schemas/derived-ids.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '../../runtime/ports/index.ts';
import type { StartRequested } from '../../schemas/events.ts';
import type { GatewayContext } from './gateway-context.ts';
import type { Operation } from './operations.ts';

/**
 * Asks for a run and answers 201 with its id, or 202 when it waits in the flow's queue; `more` stands in either answer. CONFLICT when it is
 * skipped. A request that was asked before is answered by the run that it started, whoever heard of it then.
 */
export async function answerStart(
  { options, operations, decisions }: GatewayContext,
  call: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly operation: Operation },
  data: StartRequested,
  more: object = {},
): Promise<FastifyReply> {
  const { request, reply, operation } = call;
  const { flow, requestId } = data;
  const decision = await decisions.askAny(
    ['run-requested', 'start-queued', 'start-skipped'],
    flow,
    requestId,
    () =>
      operations.publish(request, operation, flow, [
        { topic: 'starts', type: 'start-requested', data, key: flow, id: idOf('start', flow, requestId) },
      ]),
    async () => {
      const run = await options.queries.runOfRequest(flow, requestId);
      return run === undefined ? undefined : { type: 'run-requested', data: run };
    },
  );
  switch (decision.type) {
    case 'run-requested': {
      const { runId, version } = decision.data;
      return await reply.code(201).send({ runId, flow, version, ...more });
    }
    case 'start-queued': {
      const { reason, waiting } = decision.data;
      return await reply.code(202).send({ flow, requestId, ...more, queued: true, waiting, reason });
    }
    case 'start-skipped':
      throw new MillraceError('CONFLICT', decision.data.reason);
  }
}
