/**
 * What the requests to a webhook look like, by format: pure functions of an event. Both sign alike, HMAC-SHA256 over
 * `<id>.<timestamp>.<body>`, said as `v1,<base64>`; they differ in the names of the headers, the key and the body.
 *
 * - `standard`: Standard Webhooks 1.0. The secret is `whsec_` and the key in base64.
 * - `mlflow`: the webhooks of MLflow 3. The secret is the key as text; without one requests are not signed.
 */
import { mlflowBody } from './webhook-formats/mlflow-body.ts';

export interface WebhookEvent {
  readonly id: string;
  /** Catalogue name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Append time, milliseconds. */
  readonly timeMs: number;
  readonly type: string;
  readonly data: object;
}

export interface WebhookFormat {
  readonly headers: { readonly id: string; readonly timestamp: string; readonly signature: string };
  /** undefined: the secret is not of this format. */
  key(secret: string): Buffer | undefined;
  /** What goes as JSON; undefined: this event is not said in this format. */
  body(event: WebhookEvent): object | undefined;
}

const formats = {
  standard: {
    headers: { id: 'webhook-id', timestamp: 'webhook-timestamp', signature: 'webhook-signature' },
    key: (secret) => {
      const [, text = ''] = /^whsec_([A-Za-z0-9+/]{32,86}={0,2})$/.exec(secret) ?? [];
      return text === '' ? undefined : Buffer.from(text, 'base64');
    },
    body: ({ id, topic, partition, offset, key, timeMs, type, data }) => ({
      type: `${topic}.${type}`,
      timestamp: new Date(timeMs).toISOString(),
      data,
      source: { id, topic, partition, offset, key },
    }),
  },
  mlflow: {
    headers: { id: 'X-MLflow-Delivery-Id', timestamp: 'X-MLflow-Timestamp', signature: 'X-MLflow-Signature' },
    key: (secret) => (secret.length > 1_000 ? undefined : Buffer.from(secret, 'utf8')),
    body: mlflowBody,
  },
} as const satisfies Record<string, WebhookFormat>;

export type WebhookFormatName = keyof typeof formats;

export const webhookFormatNames = Object.keys(formats) as readonly WebhookFormatName[];

export function isWebhookFormat(name: string): name is WebhookFormatName {
  return Object.hasOwn(formats, name);
}

export const webhookFormat = (name: WebhookFormatName): WebhookFormat => formats[name];
