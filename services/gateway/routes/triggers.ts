import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { cloudEventType, incomingEvent } from '../cloud-events.ts';
import { anyJson, idOf, type Routes } from '../gateway-context.ts';

interface PlainTrigger {
  readonly name: string;
  readonly payload?: unknown;
  readonly id?: string | undefined;
}

/** `POST /api/v1/triggers`: `{name, payload?, id?}`, or a CloudEvent whose type is the name. */
export const triggers: Routes = (app, { operations }) => {
  app.post(
    '/api/v1/triggers',
    {
      config: { access: 'write', action: 'trigger.publish' },
      schema: {
        tags: ['triggers'],
        body: anyJson('{name, payload?: object, id?}, or a CloudEvent'),
        consumes: ['application/json', cloudEventType],
        response: { 202: Type.Object({ triggerId: Type.String(), name: Type.String() }) },
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const event = incomingEvent(request);
      const trigger =
        event.type === undefined ? plainTrigger(event.data) : { ...event, name: event.type, payload: event.data };
      const payload = trigger.payload ?? {};
      if (typeof payload !== 'object' || Array.isArray(payload)) {
        throw new MillraceError('INVALID_ARGUMENT', "the trigger's payload must be a JSON object");
      }
      const triggerId = idOf('trigger', event.source ?? operation.actor, trigger.id ?? operation.requestId);
      const data = { name: trigger.name, payload: JSON.stringify(payload) };
      const key = event.subject ?? trigger.name;
      await operations.publish(
        request,
        operation,
        trigger.name,
        [{ topic: 'triggers', type: 'triggered', data, key, id: triggerId }],
        { triggerId },
      );
      return await reply.code(202).send({ triggerId, name: trigger.name });
    },
  );
};

function plainTrigger(body: unknown): PlainTrigger {
  const { name, payload, id } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (!isShortText(name)) {
    throw new MillraceError('INVALID_ARGUMENT', "body.name must be a text of 1 to 256 characters: the trigger's name");
  }
  if (id !== undefined && !isShortText(id)) {
    throw new MillraceError('INVALID_ARGUMENT', 'body.id must be a text of 1 to 256 characters');
  }
  return { name, payload, id };
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 256;
}
