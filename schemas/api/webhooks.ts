/** Webhooks, as the API answers them. All times are milliseconds since the epoch. */
import type { DeliveriesAttempted } from '../events.ts';

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly topic: string;
  /** Empty: all. */
  readonly types: readonly string[];
  /** null: all. */
  readonly deployment: string | null;
  readonly filter: object | null;
  readonly format: string;
  readonly status: string;
  readonly description: string;
  readonly actor: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** The secret is told this once. */
export interface CreatedWebhook extends Webhook {
  readonly secret: string;
}

export interface WebhookTest {
  /** Whether the receiver answered 2xx. */
  readonly delivered: boolean;
  /** Of HTTP; 0: there was no answer. */
  readonly status: number;
  /** Beginning of the answer's body. */
  readonly body: string;
  readonly reason: string;
  readonly durationMs: number;
}

export type DeliveryAttempt = DeliveriesAttempted['attempts'][number];

export interface WebhookDeliveries {
  readonly id: string;
  /** Records of its topic that it has not come to yet. */
  readonly behind: number;
  /** Newest first. */
  readonly attempts: readonly DeliveryAttempt[];
  /** Cursor of the next page; null on the last. */
  readonly next: string | null;
}

export interface DeliverySearch {
  readonly webhook: string;
  /** Of the webhook's row: one that was made again under its id begins anew. */
  readonly origin: string;
  readonly outcome?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface DeliveryPage {
  readonly attempts: readonly DeliveryAttempt[];
  readonly next: string | null;
  /** How far the webhook has come, by partition of its topic; null: not known yet. */
  readonly positions: readonly number[] | null;
}
