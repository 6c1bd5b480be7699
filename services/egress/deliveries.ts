/** What became of requests to a webhook, and one sent again because somebody asks for it. */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { DeliveryAttempt, DeliveryPage, DeliverySearch, WebhookDeliveries } from '../../schemas/api/webhooks.ts';
import type { DeliveriesAttempted, EventTopic, WebhookRow } from '../../schemas/events.ts';
import { idOf } from '../../schemas/derived-ids.ts';
import type { EgressClient } from './egress-client.ts';
import { firstProgress } from './progress.ts';
import type { SecretBox } from './secret-box.ts';
import { deliveryIdOf, webhookRequest } from './webhook-request.ts';

const overdueMs = 5 * 60_000;

/** The query store answers. */
export interface DeliveryQueries {
  findDeliveries(search: DeliverySearch): Promise<DeliveryPage>;
  lastAttempt(webhook: string, origin: string, deliveryId: string): Promise<DeliveryAttempt | undefined>;
}

export async function readDeliveries(
  row: WebhookRow,
  search: Omit<DeliverySearch, 'webhook' | 'origin'>,
  { runtime, queries }: { readonly runtime: Runtime; readonly queries: DeliveryQueries },
): Promise<WebhookDeliveries> {
  const found = await queries.findDeliveries({ ...search, webhook: row.webhook, origin: row.origin });
  const ends = await runtime.parts.log.endOffsets(runtime.topic(row.topic));
  const positions = found.positions ?? firstProgress(row, ends.length).positions;
  const behind = ends.reduce((sum, at, index) => sum + Math.max(0, at - (positions[index] ?? 0)), 0);
  return { id: row.webhook, behind, attempts: found.attempts, next: found.next };
}

/**
 * The event again, now, once, under the id that it had: its receiver can tell. What becomes of it is said like any attempt; the events
 * behind it are not held up. NOT_FOUND when no request of that id is known, or the log has the event no more.
 */
export async function redeliver(
  row: WebhookRow,
  deliveryId: string,
  {
    runtime,
    queries,
    client,
    secrets,
  }: {
    readonly runtime: Runtime;
    readonly queries: DeliveryQueries;
    readonly client: EgressClient;
    readonly secrets: SecretBox;
  },
): Promise<DeliveryAttempt> {
  const { webhook, origin, topic } = row;
  const last = await queries.lastAttempt(webhook, origin, deliveryId);
  if (last === undefined)
    throw new MillraceError(
      'NOT_FOUND',
      `webhook '${webhook}' knows no delivery '${deliveryId}'; \`millrace webhooks deliveries ${webhook}\` shows them`,
    );
  const { clock } = runtime.parts;
  // Long past that, whoever had to try it again does not: the webhook was made anew, or is disabled.
  if (last.outcome === 'failed' && last.nextAttemptMs > clock.now() - overdueMs)
    throw new MillraceError(
      'CONFLICT',
      `delivery '${deliveryId}' is tried again by itself at ${timeText(last.nextAttemptMs)}`,
    );
  const event = await eventAt(row, last, runtime);
  const timeMs = clock.now();
  let result: Pick<DeliveryAttempt, 'outcome' | 'status' | 'reason' | 'durationMs'>;
  try {
    const request = webhookRequest(row.format, secrets.open(row.sealedSecret, webhook), event, timeMs);
    if (request === undefined) throw new Error(`the format '${row.format}' has no such event`);
    const { status, durationMs } = await client.post(row.url, request.body, request.headers);
    const delivered = status >= 200 && status < 300;
    result = {
      outcome: delivered ? 'delivered' : 'dead',
      status,
      durationMs,
      reason: delivered ? '' : `answered ${status}`,
    };
  } catch (error) {
    result = { outcome: 'dead', status: 0, durationMs: clock.now() - timeMs, reason: messageOf(error) };
  }
  const { type, partition, offset } = last;
  const attempt = {
    deliveryId,
    type,
    partition,
    offset,
    attempt: last.attempt + 1,
    ...result,
    timeMs,
    nextAttemptMs: 0,
  };
  // Without positions: how far the webhook is only its courier knows.
  const data: DeliveriesAttempted = { webhook, origin, topic, positions: [], attempts: [attempt] };
  const id = `deliveries-${idOf('again', webhook, deliveryId, timeMs)}`;
  await runtime.publish([{ topic: 'webhook-deliveries', type: 'deliveries-attempted', key: webhook, data, id }]);
  return attempt;
}

async function eventAt(row: WebhookRow, { deliveryId, partition, offset }: DeliveryAttempt, runtime: Runtime) {
  const topic = row.topic as EventTopic;
  const place = { topic: runtime.topic(topic), partition };
  for await (const records of runtime.parts.log.read(place, { from: offset, to: offset + 1 })) {
    for (const record of records) {
      if (record.offset !== offset) continue;
      const { id, key, type, data } = await runtime.decode(topic, record);
      const event = { id, topic, partition, offset, key, type, data, timeMs: record.timestampMs };
      if (deliveryIdOf(event) === deliveryId) return event;
    }
  }
  throw new MillraceError('NOT_FOUND', `the log has the event at ${row.topic}/${partition}@${offset} no more`);
}

const timeText = (ms: number): string => new Date(ms).toISOString();
