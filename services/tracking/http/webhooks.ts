/**
 * MLflow's webhook calls, spoken over the platform's own: a webhook made here is one of `/api/v1/webhooks` with the format `mlflow`, on the topic
 * `registry`, with a filter for its events. Its id is its name.
 */
import { type ErrorCode, errorCodes, invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import type { Webhook, WebhookTest } from '../../../schemas/api/webhooks.ts';
import type { EventFilter } from '../../../schemas/event-filter.ts';
import type { Call, Room } from './calls.ts';
import type { Fields } from './fields.ts';

interface Said {
  readonly entity: string;
  readonly action: string;
}

/** MLflow's events as facts of the registry. */
const events: readonly (Said & { readonly type: string; readonly filter: EventFilter })[] = [
  { entity: 'REGISTERED_MODEL', action: 'CREATED', type: 'edited', filter: { exact: { 'data.edit': 'create' } } },
  { entity: 'MODEL_VERSION', action: 'CREATED', type: 'version-registered', filter: ofType('version-registered') },
  { entity: 'MODEL_VERSION_TAG', action: 'SET', type: 'edited', filter: versionEdit('tag') },
  { entity: 'MODEL_VERSION_TAG', action: 'DELETED', type: 'edited', filter: versionEdit('untag') },
  { entity: 'MODEL_VERSION_ALIAS', action: 'CREATED', type: 'alias-set', filter: ofType('alias-set') },
  {
    entity: 'MODEL_VERSION_ALIAS',
    action: 'DELETED',
    type: 'edited',
    filter: { exact: { 'data.edit': 'remove-alias' } },
  },
];

export function webhooks(room: Room): void {
  const { read, write } = room;

  write('POST', '/mlflow/webhooks', 'webhook.create', async (call) => {
    const { fields } = call;
    const name = fields.text('name');
    const wanted = eventsOf(fields);
    const body = {
      id: webhookIdOf(name),
      url: fields.text('url'),
      topic: 'registry',
      format: 'mlflow',
      secret: fields.optional('secret') ?? '',
      description: fields.optional('description') ?? '',
      ...given('status', statusOf(fields)),
      ...selection(wanted),
    };
    return { webhook: shown((await own(room, call, 'POST', '', body)) as Webhook) };
  });

  read('GET', '/mlflow/webhooks', async (call) => {
    const { webhooks: all } = (await own(room, call, 'GET', '')) as { webhooks: readonly Webhook[] };
    const ours = all.filter(({ format, topic }) => format === 'mlflow' && topic === 'registry');
    return ours.length === 0 ? {} : { webhooks: ours.map(shown) };
  });

  read('GET', '/mlflow/webhooks/:webhook_id', async (call) => ({
    webhook: shown((await own(room, call, 'GET', addressed(call.fields))) as Webhook),
  }));

  write('PATCH', '/mlflow/webhooks/:webhook_id', 'webhook.change', async (call) => {
    const { fields } = call;
    const id = addressed(fields);
    const name = fields.optional('name');
    if (name !== undefined && name !== id) throw invalidArgument('the name of a webhook is its id, and stays');
    const body = {
      ...given('url', fields.optional('url')),
      ...given('description', fields.optional('description')),
      ...given('secret', fields.optional('secret')),
      ...given('status', statusOf(fields)),
      ...(fields.has('events') ? selection(eventsOf(fields)) : {}),
    };
    return { webhook: shown((await own(room, call, 'PUT', id, body)) as Webhook) };
  });

  write('DELETE', '/mlflow/webhooks/:webhook_id', 'webhook.remove', async (call) => {
    await own(room, call, 'DELETE', addressed(call.fields));
    return {};
  });

  write('POST', '/mlflow/webhooks/:webhook_id/test', 'webhook.test', async (call) => {
    const tested = (await own(room, call, 'POST', `${addressed(call.fields)}/test`)) as WebhookTest;
    return {
      result: {
        success: tested.delivered,
        ...(tested.status === 0 ? {} : { response_status: tested.status, response_body: tested.body }),
        ...(tested.reason === '' ? {} : { error_message: tested.reason }),
      },
    };
  });
}

/** The platform's own call, by the same caller. */
async function own(
  { app }: Room,
  { request }: Call,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  rest: string,
  body?: object,
): Promise<unknown> {
  const { 'content-length': _, 'content-type': __, 'transfer-encoding': ___, ...headers } = request.headers;
  const url =
    rest === '' ? '/api/v1/webhooks' : `/api/v1/webhooks/${rest.split('/').map(encodeURIComponent).join('/')}`;
  const answer = await app.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) });
  const said = answer.body === '' ? {} : answer.json<Readonly<Record<string, unknown>>>();
  if (answer.statusCode < 400) return said;
  const code = String(said['code']);
  const known: ErrorCode = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'INVALID_ARGUMENT';
  throw new MillraceError(known, String(said['message'] ?? answer.body));
}

function shown({ id, url, description, status, createdAt, updatedAt, types, filter }: Webhook): object {
  const chosen = events.filter((event) => isChosen(event, types, filter));
  return {
    webhook_id: id,
    name: id,
    ...(description === '' ? {} : { description }),
    url,
    events: chosen.map(({ entity, action }) => ({ entity, action })),
    status: status.toUpperCase(),
    creation_timestamp: createdAt,
    last_updated_timestamp: updatedAt,
  };
}

function selection(chosen: typeof events): { readonly types: readonly string[]; readonly filter: EventFilter } {
  return { types: [...new Set(chosen.map(({ type }) => type))], filter: { any: chosen.map(({ filter }) => filter) } };
}

function isChosen(event: (typeof events)[number], types: readonly string[], filter: object | null): boolean {
  if (types.length > 0 && !types.includes(event.type)) return false;
  const { any } = (filter ?? {}) as { readonly any?: readonly EventFilter[] };
  const wanted = JSON.stringify(event.filter);
  return any === undefined || any.some((each) => JSON.stringify(each) === wanted);
}

function eventsOf(fields: Fields): typeof events {
  const said = fields.objects('events');
  if (said.length === 0) throw invalidArgument('Webhook events cannot be empty');
  return said.map((field) => {
    const [entity, action] = [field.text('entity').toUpperCase(), field.text('action').toUpperCase()];
    const event = events.find((each) => each.entity === entity && each.action === action);
    if (event !== undefined) return event;
    const all = events.map((each) => `${each.entity}.${each.action}`).join(', ');
    throw invalidArgument(`there is no event ${entity.slice(0, 40)}.${action.slice(0, 40)}; there are ${all}`);
  });
}

function webhookIdOf(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) return name;
  throw invalidArgument(
    `Invalid webhook name '${name.slice(0, 80)}': 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit`,
  );
}

/** The id becomes a part of the path of another call: what is no id, such as `../deployments`, would reach another object. */
function addressed(fields: Fields): string {
  const id = fields.text('webhook_id');
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)) return id;
  throw invalidArgument(`Invalid webhook id '${id.slice(0, 80)}': 1 to 64 letters, digits, '.', '_' and '-'`);
}

function statusOf(fields: Fields): 'active' | 'disabled' | undefined {
  const status = fields.optional('status');
  if (status === undefined) return undefined;
  if (status === 'ACTIVE') return 'active';
  if (status === 'DISABLED') return 'disabled';
  throw invalidArgument(`Invalid status '${status.slice(0, 40)}': it must be ACTIVE or DISABLED`);
}

function given(name: string, value: string | undefined): object {
  return value === undefined ? {} : { [name]: value };
}

function ofType(type: string): EventFilter {
  return { exact: { type } };
}

/** Of a version, not of its model. */
function versionEdit(edit: string): EventFilter {
  return { all: [{ exact: { 'data.edit': edit } }, { gte: { 'data.version': 1 } }] };
}
