/** How long sealed files of the audit trail are kept, and what a hold keeps from that, over HTTP. Said to every partition of `audit-seals`. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { HoldBounds, RetentionChange } from '../../schemas/api/audit.ts';
import type { HoldPlaced } from '../../schemas/events.ts';
import { auditedTopics } from '../../schemas/topics.ts';
import { holdsMax } from '../../topologies/audit-holds.ts';
import type { ExtensionParts } from '../gateway/extension.ts';
import { readSeals } from './seals.ts';
import { idOf } from '../../schemas/derived-ids.ts';
import { timeOf } from './time-of.ts';

const tags = ['audit'];
const audited = Type.String({ enum: [...auditedTopics] });
const reasonText = Type.String({ minLength: 1, maxLength: 1_000 });
const time = Type.Optional(Type.String({ maxLength: 40, description: 'milliseconds since the epoch, or ISO 8601' }));
const named = Type.Object({ name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' }) });

interface Named {
  readonly name: string;
}

export function retentionRoutes(runtime: Runtime, app: FastifyInstance, { operations }: ExtensionParts): void {
  const inForce = async (name: string): Promise<{ readonly hold: HoldPlaced | undefined; readonly count: number }> => {
    const { holds } = await readSeals(runtime.parts.log, runtime);
    return { hold: holds.find((one) => one.name === name), count: holds.length };
  };

  app.put<{ Body: RetentionChange }>(
    '/api/v1/audit/retention',
    {
      config: { access: 'write', action: 'audit.retention' },
      schema: {
        summary: 'say how long sealed files of the audit trail are kept; their seals stay',
        tags,
        body: Type.Object(
          {
            topic: Type.Optional(audited),
            keepDays: Type.Union([Type.Integer({ minimum: 1, maximum: 36_500 }), Type.Null()]),
            reason: reasonText,
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { topic = '', keepDays, reason } = request.body;
      const data = { ...operation, topic, keepDays, reason };
      const object = `audit/${topic === '' ? 'all' : topic}`;
      const said = { ...everywhere(object, operation.requestId), type: 'retention-set', data } as const;
      await operations.publish(request, operation, object, [said], { keepDays, reason });
      return data;
    },
  );

  app.put<{ Params: Named; Body: HoldBounds }>(
    '/api/v1/audit/holds/:name',
    {
      config: { access: 'write', action: 'audit.hold' },
      schema: {
        summary: 'keep sealed files from being deleted or redacted, whatever their age',
        tags,
        params: named,
        body: Type.Object(
          {
            topics: Type.Optional(Type.Array(audited, { maxItems: auditedTopics.length })),
            since: time,
            until: time,
            reason: reasonText,
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { name } = request.params;
      const { topics = [], since, until, reason } = request.body;
      const sinceMs = timeOf('since', since) ?? null;
      const untilMs = timeOf('until', until) ?? null;
      if (sinceMs !== null && untilMs !== null && untilMs <= sinceMs)
        throw new MillraceError('INVALID_ARGUMENT', `until '${until}' is not after since '${since}'`);
      const data = { ...operation, name, topics: [...new Set(topics)].sort(), sinceMs, untilMs, reason };
      const { hold, count } = await inForce(name);
      if (hold !== undefined && boundsOf(hold) !== boundsOf(data))
        throw new MillraceError(
          'CONFLICT',
          `the hold '${name}' is in force with other bounds: place another, or release it first`,
        );
      if (hold === undefined && count >= holdsMax)
        throw new MillraceError('CONFLICT', `${count} holds are in force: release one first`);
      const object = `audit/holds/${name}`;
      const said = { ...everywhere(object, operation.requestId), type: 'hold-placed', data } as const;
      await operations.publish(request, operation, object, [said], { topics, sinceMs, untilMs, reason });
      return data;
    },
  );

  app.post<{ Params: Named; Body: { readonly reason: string } }>(
    '/api/v1/audit/holds/:name/release',
    {
      config: { access: 'write', action: 'audit.release' },
      schema: {
        summary: 'end a hold: what it alone kept goes by its age again',
        tags,
        params: named,
        body: Type.Object({ reason: reasonText }, { additionalProperties: false }),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { name } = request.params;
      const { reason } = request.body;
      if ((await inForce(name)).hold === undefined)
        throw new MillraceError('NOT_FOUND', `no hold '${name}' is in force: see 'millrace audit retention'`);
      const data = { ...operation, name, reason };
      const object = `audit/holds/${name}`;
      const said = { ...everywhere(object, operation.requestId), type: 'hold-released', data } as const;
      await operations.publish(request, operation, object, [said], { reason });
      return data;
    },
  );
}

const everywhere = (
  key: string,
  requestId: string,
): Pick<IdentifiedOutput, 'key' | 'partition' | 'id'> & { topic: 'audit-seals' } => ({
  ...{ topic: 'audit-seals', key, partition: 'all' },
  id: idOf(key, requestId),
});

const boundsOf = ({ topics, sinceMs, untilMs }: Pick<HoldPlaced, 'topics' | 'sinceMs' | 'untilMs'>): string =>
  JSON.stringify([topics, sinceMs, untilMs]);
