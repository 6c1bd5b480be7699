/** Pause, resume, terminate and remove a flow; its history and slots; backfill of a schedule over a range. */
import { idOf } from '../../../schemas/derived-ids.ts';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { FlowRow } from '../../../schemas/events.ts';
import { policyLimits } from '../../../schemas/flow-policy.ts';
import { isSchedule, parseTriggers, type ScheduleTrigger, triggerName } from '../../../schemas/flow-triggers.ts';
import { type Slot, slotsBetween } from '../../../schemas/schedule-slots.ts';
import { type GatewayContext, limitOf, limitQuery, nameParam, type Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';

const tags = ['flows'];
const params = Type.Object({ flow: nameParam });
const reasonBody = Type.Optional(
  Type.Object({ reason: Type.Optional(Type.String({ maxLength: 1_000 })) }, { additionalProperties: false }),
);
/** Slots of one request of the fold: each may become a run, which carries the graph. */
const slotsPerRecord = 25;
const graphBytesPerRecord = 2 * 1024 * 1024;

interface Control {
  readonly Params: { readonly flow: string };
  readonly Body: { readonly reason?: string } | undefined;
}

interface BackfillBody {
  readonly from: string;
  readonly to: string;
  readonly schedule?: string;
  readonly missing?: boolean;
  readonly dryRun?: boolean;
}

export const flowControl: Routes = (app, context) => {
  const { options, tables } = context;
  for (const [action, summary] of [
    ['pause', 'nothing but people starts it until it is resumed'],
    ['resume', 'go on after a pause'],
    ['terminate', 'stop all open runs and withdraw what waits'],
  ] as const) {
    app.post<Control>(
      `/api/v1/flows/:flow/${action}`,
      { config: { access: 'write', action: `flow.${action}` }, schema: { summary, tags, params, body: reasonBody } },
      async (request) => await control(context, request, request.params.flow, action, request.body?.reason ?? ''),
    );
  }

  app.delete<{ Params: { flow: string } }>(
    '/api/v1/flows/:flow',
    {
      config: { access: 'write', action: 'flow.remove' },
      schema: { summary: 'deploy it no longer; its runs stay', tags, params },
    },
    async (request) => await control(context, request, request.params.flow, 'remove', ''),
  );

  app.get<{ Params: { flow: string }; Querystring: { limit?: string } }>(
    '/api/v1/flows/:flow/history',
    {
      config: { access: 'read' },
      schema: {
        summary: 'versions, pauses and backfills of a deployed flow',
        tags,
        params,
        querystring: Type.Object({ limit: limitQuery }),
      },
    },
    async ({ params: { flow }, query: { limit } }) => ({
      history: await options.queries.flowHistory(flow, limitOf(limit)),
    }),
  );

  app.get<{ Params: { flow: string }; Querystring: { limit?: string } }>(
    '/api/v1/flows/:flow/slots',
    {
      config: { access: 'read' },
      schema: {
        summary: 'what became of the slots of its schedules',
        tags,
        params,
        querystring: Type.Object({ limit: limitQuery }),
      },
    },
    async ({ params: { flow }, query: { limit } }) => ({
      slots: await options.queries.listSlots(flow, limitOf(limit)),
    }),
  );

  app.post<{ Params: { flow: string }; Body: BackfillBody }>(
    '/api/v1/flows/:flow/backfill',
    {
      config: { access: 'write', action: 'flow.backfill' },
      schema: {
        summary: 'run the slots of a schedule over a range',
        tags,
        params,
        body: Type.Object(
          {
            from: Type.String({ description: 'first instant of the range, ISO 8601; UTC unless it says otherwise' }),
            to: Type.String({ description: 'end of the range, which is not in it' }),
            schedule: Type.Optional(Type.String({ description: 'needed when the flow has several' })),
            missing: Type.Optional(Type.Boolean({ description: 'only slots without a completed run' })),
            dryRun: Type.Optional(Type.Boolean({ description: 'only tell the slots' })),
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const { flow } = request.params;
      const { missing = false, dryRun = false } = request.body;
      const row = await tables.flows.find(flow);
      if (row === undefined) throw new MillraceError('NOT_FOUND', `there is no deployed flow '${flow}'`);
      const trigger = scheduleOf(row, request.body.schedule);
      const schedule = triggerName(trigger);
      const all = slotsOfRange(trigger, request.body);
      const done = new Set(missing ? await options.queries.completedSlots(flow, schedule) : []);
      const slots = all.filter(({ atMs }) => !done.has(atMs));
      const answer = { flow, schedule, slots, skipped: all.length - slots.length };
      if (dryRun || slots.length === 0) return { ...answer, dryRun, started: 0, queued: 0, refused: 0 };
      return await reply
        .code(202)
        .send({ ...answer, dryRun, ...(await backfill(context, request, row, schedule, slots)) });
    },
  );
};

async function control(
  { options, operations, decisions, tables }: GatewayContext,
  request: FastifyRequest,
  flow: string,
  action: 'pause' | 'resume' | 'terminate' | 'remove',
  reason: string,
): Promise<object> {
  const operation = operations.begin(request);
  const { requestId, actor } = operation;
  const data = { flow, requestId, action, reason, actor };
  const id = idOf('control', flow, requestId);
  const { runs, withdrawn } = await decisions.ask('flow-controlled', flow, requestId, () =>
    operations.publish(
      request,
      operation,
      flow,
      [{ topic: 'starts', type: 'flow-control-requested', data, key: flow, id }],
      { reason },
    ),
  );
  const wait = { clock: options.runtime.parts.clock, timeoutMs: options.decisionTimeoutMs };
  const row = (): FlowRow | undefined => tables.flows.get(flow);
  if (action === 'pause') await waitForRow(tables.flows, () => row()?.paused === true, `the pause of '${flow}'`, wait);
  if (action === 'resume')
    await waitForRow(tables.flows, () => row()?.paused !== true, `'${flow}' being resumed`, wait);
  if (action === 'remove') await waitForRow(tables.flows, () => row() === undefined, `the removal of '${flow}'`, wait);
  return { flow, action, runs, withdrawn };
}

async function backfill(
  { operations, decisions }: GatewayContext,
  request: FastifyRequest,
  row: FlowRow,
  schedule: string,
  slots: readonly Slot[],
): Promise<{ readonly started: number; readonly queued: number; readonly refused: number }> {
  const { flow } = row;
  const operation = operations.begin(request);
  const { requestId, actor } = operation;
  const sum = { started: 0, queued: 0, refused: 0 };
  const size = Math.max(1, Math.min(slotsPerRecord, Math.floor(graphBytesPerRecord / row.graph.length)));
  for (let from = 0; from < slots.length; from += size) {
    const part = `${requestId}.${from}`;
    const data = { flow, requestId: part, schedule, slots: slots.slice(from, from + size), actor };
    const accepted = await decisions.ask('backfill-accepted', flow, part, () =>
      operations.publish(
        request,
        operation,
        flow,
        [{ topic: 'starts', type: 'backfill-requested', data, key: flow, id: idOf('backfill', flow, part) }],
        { schedule, slots: slots.length },
      ),
    );
    sum.started += accepted.started;
    sum.queued += accepted.queued;
    sum.refused += accepted.refused;
  }
  return sum;
}

function scheduleOf({ flow, triggers }: FlowRow, name: string | undefined): ScheduleTrigger {
  const schedules = parseTriggers(triggers).filter(isSchedule);
  const names = schedules.map((one) => `'${triggerName(one)}'`).join(', ');
  if (schedules.length === 0) throw new MillraceError('INVALID_ARGUMENT', `flow '${flow}' has no schedule`);
  if (name === undefined && schedules.length > 1)
    throw new MillraceError('INVALID_ARGUMENT', `flow '${flow}' has the schedules ${names}: name one`);
  const found = schedules.find((one) => name === undefined || triggerName(one) === name);
  if (found !== undefined) return found;
  throw new MillraceError('NOT_FOUND', `flow '${flow}' has no schedule '${name ?? ''}'; it has ${names}`);
}

function slotsOfRange(trigger: ScheduleTrigger, { from, to }: BackfillBody): readonly Slot[] {
  const [fromMs, toMs] = [instant('from', from), instant('to', to)];
  if (fromMs >= toMs) throw new MillraceError('INVALID_ARGUMENT', `the range is empty: ${from} is not before ${to}`);
  const slots = slotsBetween(trigger, fromMs - 1, toMs - 1, policyLimits.queued + 1);
  if (slots.length <= policyLimits.queued) return slots;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `the range has more than ${policyLimits.queued} slots: take a smaller one, such as until ${slots.at(-1)?.local ?? to}`,
  );
}

function instant(name: string, text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `'${name}' must be a time such as 2026-03-01 or 2026-03-01T06:00:00+01:00, got '${text.slice(0, 80)}'`,
  );
}
