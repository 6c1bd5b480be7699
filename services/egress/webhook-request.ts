/** One event as the request that a webhook gets: body, id, time, signature. */
import { createHmac } from 'node:crypto';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { plainJson } from '../../schemas/codec/plain-json.ts';
import { idOf } from '../../schemas/derived-ids.ts';
import { isWebhookFormat, type WebhookEvent, webhookFormat } from '../../schemas/webhook-formats.ts';

export interface WebhookRequest {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Same for every attempt at the same event, and for a repeat of the event on the log. */
export function deliveryIdOf({ topic, id }: Pick<WebhookEvent, 'topic' | 'id'>): string {
  return `msg_${idOf(topic, id)}`;
}

/** undefined: the event is not said in this format. `nowMs`: when it is sent. */
export function webhookRequest(
  format: string,
  secret: string,
  event: WebhookEvent,
  nowMs: number,
): WebhookRequest | undefined {
  if (!isWebhookFormat(format))
    throw new MillraceError('UNSUPPORTED', `this version knows no webhook format '${format}'`);
  const { headers: names, key: keyOf, body: bodyOf } = webhookFormat(format);
  const said = bodyOf(event);
  if (said === undefined) return undefined;
  const body = plainJson(said);
  const id = deliveryIdOf(event);
  const timestamp = String(Math.floor(nowMs / 1_000));
  const headers = { [names.id]: id, [names.timestamp]: timestamp };
  if (secret === '') return { body, headers };
  const key = keyOf(secret);
  if (key === undefined)
    throw new MillraceError('INVALID_ARGUMENT', `the secret is none of the format '${format}' (${secretHint})`);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { body, headers: { ...headers, [names.signature]: `v1,${signature}` } };
}

export const secretHint = 'standard: whsec_ and 24 to 64 bytes in base64; mlflow: any text';
