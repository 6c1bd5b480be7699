import { idOf } from '../../../schemas/derived-ids.ts';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { cloudEventType, type IncomingEvent, incomingEvent } from '../cloud-events.ts';
import { anyJson, type Routes } from '../gateway-context.ts';
import { judgeHypothetical } from '../hypothetical-event.ts';

interface PlainTrigger {
  readonly name: string;
  readonly payload?: unknown;
  readonly id?: string | undefined;
}

/** `POST /api/v1/triggers`: `{name, payload?, id?}`, or a CloudEvent whose type is the name. */
export const triggers: Routes = (app, { operations, options, tables }) => {
  app.post(
    '/api/v1/triggers',
    {
      config: { access: 'write', action: 'trigger.publish' },
      schema: {
        summary: 'publish a trigger, also as a CloudEvent',
        tags: ['triggers'],
        body: anyJson('{name, payload?: object, id?}, or a CloudEvent'),
        consumes: ['application/json', cloudEventType],
        response: { 202: Type.Object({ triggerId: Type.String(), name: Type.String() }) },
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const event = incomingEvent(request);
      const trigger = namedEvent(event);
      const { payload } = trigger;
      const triggerId = idOf('trigger', event.source ?? operation.actor, event.id ?? trigger.id ?? operation.requestId);
      const attributes = attributesOf(event, trigger, operation.actor);
      const data = { name: trigger.name, payload: JSON.stringify(payload), attributes };
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

  app.post(
    '/api/v1/triggers/dry-run',
    {
      config: { access: 'read' },
      schema: {
        summary: 'what a trigger would do, without publishing it',
        tags: ['triggers'],
        body: anyJson('{name, payload?: object, id?}, or a CloudEvent: what it would do, without sending it'),
        consumes: ['application/json', cloudEventType],
      },
    },
    async (request) => {
      const event = incomingEvent(request);
      const trigger = namedEvent(event);
      const { name, payload } = trigger;
      const attributes = attributesOf(event, trigger, operations.begin(request).actor);
      await tables.flows.refresh();
      const hypothetical = { name, attributes, payload };
      return { name, outcomes: await judgeHypothetical(tables.flows.rows(), hypothetical, options.queries) };
    },
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/triggers/:id',
    {
      config: { access: 'read' },
      schema: {
        summary: 'what became of an event: flows that it matched or not, and why',
        tags: ['triggers'],
        params: Type.Object({
          id: Type.String({
            minLength: 1,
            maxLength: 256,
            description: 'as it was answered, or as its publisher gave it',
          }),
        }),
      },
    },
    async ({ params: { id } }) => {
      const explanation = await options.queries.explainEvent(id);
      if (explanation === undefined)
        throw new MillraceError('NOT_FOUND', `no event '${id}' is known: was it published, and its topic read so far?`);
      return explanation;
    },
  );
};

/** What filters see of an event that came as a plain body: its name, who sent it, and its own id. */
function attributesOf(
  { type, attributes }: IncomingEvent,
  { name, id }: PlainTrigger,
  actor: string,
): Readonly<Record<string, string>> {
  if (type !== undefined) return attributes;
  return { type: name, source: actor, ...(id === undefined ? {} : { id }) };
}

/** A CloudEvent's type is the name; else the body says it. */
function namedEvent(event: IncomingEvent): PlainTrigger & { readonly payload: Readonly<Record<string, unknown>> } {
  const trigger = event.type === undefined ? plainTrigger(event.data) : { name: event.type, payload: event.data };
  const payload = trigger.payload ?? {};
  if (typeof payload !== 'object' || Array.isArray(payload)) {
    throw new MillraceError('INVALID_ARGUMENT', "the trigger's payload must be a JSON object");
  }
  return { ...trigger, payload: payload as Readonly<Record<string, unknown>> };
}

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
