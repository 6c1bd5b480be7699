/** A request that shows whether a receiver can be reached and checks the signature; it tells of no event. */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { WebhookTest } from '../../schemas/api/webhooks.ts';
import type { WebhookRow } from '../../schemas/events.ts';
import type { WebhookEvent } from '../../schemas/webhook-formats.ts';
import type { EgressClient } from './egress-client.ts';
import type { SecretBox } from './secret-box.ts';
import { webhookRequest } from './webhook-request.ts';

export async function sendTest(
  row: WebhookRow,
  { runtime, client, secrets }: { runtime: Runtime; client: EgressClient; secrets: SecretBox },
): Promise<WebhookTest> {
  const nowMs = runtime.parts.clock.now();
  const event = testEvent(row, runtime.parts.ids.next(), nowMs);
  try {
    const request = webhookRequest(row.format, secrets.open(row.sealedSecret, row.webhook), event, nowMs);
    if (request === undefined) throw new Error(`the format '${row.format}' has no test`);
    const { status, body, durationMs } = await client.post(row.url, request.body, request.headers);
    const delivered = status >= 200 && status < 300;
    return { delivered, status, body, reason: delivered ? '' : `answered ${status}`, durationMs };
  } catch (error) {
    const durationMs = runtime.parts.clock.now() - nowMs;
    return { delivered: false, status: 0, body: '', reason: messageOf(error), durationMs };
  }
}

function testEvent({ webhook, topic, format }: WebhookRow, id: string, timeMs: number): WebhookEvent {
  const place = { id, topic, partition: 0, offset: 0, key: webhook, timeMs };
  if (format !== 'mlflow') return { ...place, type: 'test', data: { webhook } };
  const data = {
    model: 'example_model',
    version: 1,
    runId: 'abcd1234abcd5678',
    source: 'runs:/abcd1234abcd5678/model',
    tags: { example_key: 'example_value' },
    description: 'An example model version',
  };
  return { ...place, type: 'version-registered', data };
}
