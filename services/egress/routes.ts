/** Webhooks over HTTP: make, list, show, change, remove, test, deliveries. Their secrets are told once, when they are made. */
import { randomBytes } from 'node:crypto';
import { idOf } from '../../schemas/derived-ids.ts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { CreatedWebhook, Webhook } from '../../schemas/api/webhooks.ts';
import type { WebhookRow } from '../../schemas/events.ts';
import { isWebhookFormat, webhookFormat } from '../../schemas/webhook-formats.ts';
import { webhookProblems } from '../../schemas/webhooks.ts';
import type { ExtensionParts } from '../gateway/extension.ts';
import { type DeliveryQueries, readDeliveries, redeliver } from './deliveries.ts';
import type { EgressClient } from './egress-client.ts';
import type { SecretBox } from './secret-box.ts';
import { sendTest } from './test-request.ts';
import { secretHint } from './webhook-request.ts';

interface Wish {
  readonly id?: string;
  readonly url: string;
  readonly topic: string;
  readonly types?: readonly string[];
  readonly deployment?: string;
  readonly filter?: object;
  readonly format?: string;
  readonly description?: string;
  readonly status?: 'active' | 'disabled';
  readonly secret?: string;
  readonly from?: 'latest' | 'earliest';
}

interface Change {
  readonly url?: string;
  readonly types?: readonly string[];
  readonly deployment?: string | null;
  readonly filter?: object | null;
  readonly description?: string;
  readonly status?: 'active' | 'disabled';
  readonly secret?: string;
}

export interface WebhookRouteParts {
  readonly runtime: Runtime;
  /** Closed by whoever opened it. */
  readonly table: Table<'webhooks'>;
  readonly client: EgressClient;
  readonly secrets: SecretBox;
  readonly queries: DeliveryQueries;
}

const tags = ['webhooks'];
const id = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' });
const fields = {
  url: Type.String({ minLength: 8, maxLength: 2_048 }),
  types: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 64 }),
  filter: Type.Object({}, { additionalProperties: true, description: 'as those of triggers: docs/triggers.md' }),
  description: Type.String({ maxLength: 500 }),
  secret: Type.String({ maxLength: 1_000 }),
};
const deployment = Type.String({ minLength: 1, maxLength: 128 });
const wish = Type.Object(
  {
    id: Type.Optional(id),
    topic: Type.String({ minLength: 1, maxLength: 64 }),
    url: fields.url,
    types: Type.Optional(fields.types),
    deployment: Type.Optional(deployment),
    filter: Type.Optional(fields.filter),
    format: Type.Optional(Type.Enum(['standard', 'mlflow'])),
    description: Type.Optional(fields.description),
    status: Type.Optional(Type.Enum(['active', 'disabled'])),
    secret: Type.Optional(fields.secret),
    from: Type.Optional(Type.Enum(['latest', 'earliest'])),
  },
  { additionalProperties: false },
);
const change = Type.Object(
  {
    url: Type.Optional(fields.url),
    types: Type.Optional(fields.types),
    deployment: Type.Optional(Type.Union([deployment, Type.Null()])),
    filter: Type.Optional(Type.Union([fields.filter, Type.Null()])),
    description: Type.Optional(fields.description),
    status: Type.Optional(Type.Enum(['active', 'disabled'])),
    secret: Type.Optional(fields.secret),
  },
  { additionalProperties: false },
);

export const webhookRoutes =
  ({ runtime, table, client, secrets, queries }: WebhookRouteParts) =>
  (app: FastifyInstance, { operations, decisions }: ExtensionParts): void => {
    const params = { params: Type.Object({ id }) };
    const read = { access: 'read' as const };
    const rowOf = async (webhook: string): Promise<WebhookRow> => {
      await table.refresh();
      const row = table.get(webhook);
      if (row === undefined) throw new MillraceError('NOT_FOUND', `there is no webhook '${webhook}'`);
      return row;
    };

    app.get('/api/v1/webhooks', { config: read, schema: { summary: 'webhooks', tags } }, async () => {
      await table.refresh();
      return { webhooks: table.rows().map(shown) };
    });

    app.get<{ Params: { id: string } }>(
      '/api/v1/webhooks/:id',
      { config: read, schema: { summary: 'one webhook', tags, ...params } },
      async (request) => shown(await rowOf(request.params.id)),
    );

    app.post<{ Body: Wish }>(
      '/api/v1/webhooks',
      {
        config: { access: 'write', action: 'webhook.create' },
        schema: {
          summary: 'send events of a topic to an address; the answer shows the signing secret this once',
          tags,
          body: wish,
        },
      },
      async (request): Promise<CreatedWebhook> => {
        const operation = operations.begin(request);
        const { requestId, actor } = operation;
        const { body } = request;
        const webhook = body.id ?? `wh-${idOf(requestId).slice(0, 16)}`;
        const { types = [], description = '', format = 'standard', status = 'active', from = 'latest' } = body;
        const secret = body.secret ?? `whsec_${randomBytes(32).toString('base64')}`;
        checkSecret(format, secret);
        const wanted = {
          ...{
            url: body.url,
            topic: body.topic,
            types: [...types],
            deployment: body.deployment ?? '',
            format,
            description,
          },
          filter: body.filter === undefined ? '' : JSON.stringify(body.filter),
          status,
          sealedSecret: secrets.seal(secret, webhook),
        };
        await check({ ...wanted, positions: [] }, client);
        const positions = await positionsOf(wanted.topic, from, runtime);
        const data = { webhook, requestId, mode: 'create', ...wanted, positions, actor, unlessChangedSince: null };
        const set = await decisions.ask('webhook-set', webhook, requestId, () =>
          operations.publish(request, operation, webhook, [requested(webhook, requestId, data)], { url: body.url }),
        );
        // the one that was set, also for a repeat of the request
        return { ...shown(set), secret: secrets.open(set.sealedSecret, webhook) };
      },
    );

    app.put<{ Params: { id: string }; Body: Change }>(
      '/api/v1/webhooks/:id',
      {
        config: { access: 'write', action: 'webhook.change' },
        schema: { summary: 'change, pause or resume a webhook', tags, ...params, body: change },
      },
      async (request): Promise<Webhook> => {
        const operation = operations.begin(request);
        const { requestId, actor } = operation;
        const { body } = request;
        const row = await rowOf(request.params.id);
        const { webhook, origin: _origin, createdAt: _createdAt, updatedAt: _updatedAt, ...before } = row;
        if (body.secret !== undefined) checkSecret(row.format, body.secret);
        const wanted = {
          ...before,
          url: body.url ?? row.url,
          types: [...(body.types ?? row.types)],
          description: body.description ?? row.description,
          status: body.status ?? row.status,
          deployment: body.deployment === undefined ? row.deployment : (body.deployment ?? ''),
          filter: body.filter === undefined ? row.filter : body.filter === null ? '' : JSON.stringify(body.filter),
          sealedSecret: body.secret === undefined ? row.sealedSecret : secrets.seal(body.secret, webhook),
        };
        await check(wanted, client);
        const data = { ...wanted, webhook, requestId, mode: 'change', actor, unlessChangedSince: row.updatedAt };
        const { secret: told, ...detail } = body;
        return shown(
          await decisions.ask('webhook-set', webhook, requestId, () =>
            operations.publish(request, operation, webhook, [requested(webhook, requestId, data)], {
              ...detail,
              ...(told === undefined ? {} : { secret: 'changed' }),
            }),
          ),
        );
      },
    );

    app.delete<{ Params: { id: string } }>(
      '/api/v1/webhooks/:id',
      {
        config: { access: 'write', action: 'webhook.remove' },
        schema: { summary: 'send nothing more', tags, ...params },
      },
      async (request) => {
        const operation = operations.begin(request);
        const { requestId, actor } = operation;
        const webhook = request.params.id;
        await decisions.ask('webhook-removed', webhook, requestId, () =>
          operations.publish(request, operation, webhook, [
            {
              topic: 'webhook-events',
              type: 'webhook-removal-requested',
              key: webhook,
              data: { webhook, requestId, actor },
              id: idOf('webhook', webhook, requestId),
            },
          ]),
        );
        return { id: webhook, removed: true };
      },
    );

    app.post<{ Params: { id: string } }>(
      '/api/v1/webhooks/:id/test',
      {
        config: { access: 'write', action: 'webhook.test' },
        schema: { summary: 'send a request that tells of no event', tags, ...params },
      },
      async (request) => {
        const row = await rowOf(request.params.id);
        await operations.publish(request, operations.begin(request), row.webhook, []);
        return await sendTest(row, { runtime, client, secrets });
      },
    );

    app.post<{ Params: { id: string; delivery: string } }>(
      '/api/v1/webhooks/:id/deliveries/:delivery/redeliver',
      {
        config: { access: 'write', action: 'webhook.redeliver' },
        schema: {
          tags,
          params: Type.Object({ id, delivery: Type.String({ pattern: '^msg_[0-9a-f]{32}$' }) }),
          summary: 'send an event again, now, under the id that it had',
        },
      },
      async (request) => {
        const { id: webhook, delivery } = request.params;
        const row = await rowOf(webhook);
        await operations.publish(request, operations.begin(request), webhook, [], { delivery });
        return await redeliver(row, delivery, { runtime, queries, client, secrets });
      },
    );

    app.get<{ Params: { id: string }; Querystring: { outcome?: string; limit?: string; cursor?: string } }>(
      '/api/v1/webhooks/:id/deliveries',
      {
        config: read,
        schema: {
          summary: 'what became of its requests, newest first, a page',
          tags,
          ...params,
          querystring: Type.Object({
            outcome: Type.Optional(Type.Enum(['delivered', 'failed', 'dead', 'expired'])),
            limit: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$' })),
            cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
          }),
        },
      },
      async (request) => {
        const { outcome, limit = '100', cursor } = request.query;
        const search = { outcome, limit: Number(limit), cursor };
        return await readDeliveries(await rowOf(request.params.id), search, { runtime, queries });
      },
    );
  };

function shown(row: Omit<WebhookRow, 'origin'>): Webhook {
  const { webhook, url, topic, types, format, status, description, actor, createdAt, updatedAt } = row;
  const filter = row.filter === '' ? null : (JSON.parse(row.filter) as object);
  const about = { id: webhook, url, topic, types, deployment: row.deployment === '' ? null : row.deployment, filter };
  return { ...about, format, status, description, actor, createdAt, updatedAt };
}

/** What the fold would refuse is refused before the log is asked; whether the address may be reached only the door can tell. */
async function check(wanted: Parameters<typeof webhookProblems>[0], client: EgressClient): Promise<void> {
  const problems = webhookProblems(wanted);
  if (problems.length > 0) throw new MillraceError('INVALID_ARGUMENT', problems.join('; '), { details: { problems } });
  try {
    await client.check(wanted.url);
  } catch (error) {
    // Who makes a webhook is told so, and does not ask again and again.
    if (error instanceof MillraceError && error.code === 'UNAVAILABLE')
      throw new MillraceError('INVALID_ARGUMENT', `${error.message}: a webhook is made for an address that is there`, {
        cause: error,
      });
    throw error;
  }
}

function checkSecret(format: string, secret: string): void {
  const known = isWebhookFormat(format) && (secret === '' ? format === 'mlflow' : webhookFormat(format).key(secret));
  if (known === false || known === undefined)
    throw new MillraceError('INVALID_ARGUMENT', `the secret is none of the format '${format}' (${secretHint})`);
}

async function positionsOf(topic: string, from: 'latest' | 'earliest', runtime: Runtime): Promise<number[]> {
  const { log } = runtime.parts;
  const name = runtime.topic(topic);
  return [...(from === 'earliest' ? await log.startOffsets(name) : await log.endOffsets(name))];
}

function requested(webhook: string, requestId: string, data: object) {
  return {
    topic: 'webhook-events',
    type: 'webhook-requested',
    key: webhook,
    data,
    id: idOf('webhook', webhook, requestId),
  } as Parameters<Runtime['publish']>[0][number];
}
