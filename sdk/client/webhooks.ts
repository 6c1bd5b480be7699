import type {
  CreatedWebhook,
  DeliveryAttempt,
  Webhook,
  WebhookDeliveries,
  WebhookTest,
} from '../../schemas/api/webhooks.ts';
import type { EventFilter } from '../../schemas/event-filter.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { type HttpCaller, path, query } from './http-caller.ts';

export interface WebhookOptions {
  /** @default one is made */
  readonly id?: string | undefined;
  readonly url: string;
  readonly topic: EventTopic;
  /** Events of the topic. @default all */
  readonly types?: readonly string[] | undefined;
  /** Only events of this one. @default all */
  readonly deployment?: string | undefined;
  readonly filter?: EventFilter | undefined;
  /** `standard`: Standard Webhooks. @default 'standard' */
  readonly format?: 'standard' | 'mlflow' | undefined;
  readonly description?: string | undefined;
  /** @default one is made */
  readonly secret?: string | undefined;
  /** Where it begins. @default 'latest' */
  readonly from?: 'latest' | 'earliest' | undefined;
}

export interface WebhookChange {
  readonly url?: string | undefined;
  readonly types?: readonly string[] | undefined;
  /** null: all. */
  readonly deployment?: string | null | undefined;
  readonly filter?: EventFilter | null | undefined;
  readonly description?: string | undefined;
  readonly status?: 'active' | 'disabled' | undefined;
  readonly secret?: string | undefined;
}

/** Webhooks: signed requests for events of a topic. */
export class WebhookCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  /** The secret is told this once. FORBIDDEN when the address may not be reached. */
  async create(options: WebhookOptions): Promise<CreatedWebhook> {
    return (await this.#call('POST', '/api/v1/webhooks', options)) as CreatedWebhook;
  }

  async list(): Promise<readonly Webhook[]> {
    return ((await this.#call('GET', '/api/v1/webhooks')) as { webhooks: readonly Webhook[] }).webhooks;
  }

  async show(id: string): Promise<Webhook> {
    return (await this.#call('GET', path`/api/v1/webhooks/${id}`)) as Webhook;
  }

  async change(id: string, change: WebhookChange): Promise<Webhook> {
    return (await this.#call('PUT', path`/api/v1/webhooks/${id}`, change)) as Webhook;
  }

  async remove(id: string): Promise<void> {
    await this.#call('DELETE', path`/api/v1/webhooks/${id}`);
  }

  /** Sends a request that tells of no event. */
  async test(id: string): Promise<WebhookTest> {
    return (await this.#call('POST', path`/api/v1/webhooks/${id}/test`)) as WebhookTest;
  }

  /** Newest attempts first. */
  async deliveries(
    id: string,
    filter: {
      readonly outcome?: string | undefined;
      readonly limit?: number | undefined;
      /** `next` of the page before. */
      readonly cursor?: string | undefined;
    } = {},
  ): Promise<WebhookDeliveries> {
    const { outcome, limit, cursor } = filter;
    const url = path`/api/v1/webhooks/${id}/deliveries` + query({ outcome, limit, cursor });
    return (await this.#call('GET', url)) as WebhookDeliveries;
  }

  /** Sends an event again, now, under the id that it had, such as one that is dead. CONFLICT while it is still tried by itself. */
  async redeliver(id: string, deliveryId: string): Promise<DeliveryAttempt> {
    const url = path`/api/v1/webhooks/${id}/deliveries/${deliveryId}/redeliver`;
    return (await this.#call('POST', url)) as DeliveryAttempt;
  }

  async #call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown): Promise<unknown> {
    return await this.#caller.call({ method, path: url, body });
  }
}
