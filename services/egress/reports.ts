/** Facts about deliveries, a few attempts in one: said soon, bounded, in order. */
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import { idOf } from '../../schemas/derived-ids.ts';
import type { DeliveriesAttempted, WebhookRow } from '../../schemas/events.ts';

export type Attempt = DeliveriesAttempted['attempts'][number];

const attemptsMax = 100;
const lingerMs = 100;
const retryMs = 1_000;

export class DeliveryReports {
  readonly #runtime: Runtime;
  readonly #row: Pick<WebhookRow, 'webhook' | 'origin' | 'topic'>;
  readonly #positions: () => readonly number[];
  readonly #attempts: Attempt[] = [];
  #said = '';
  #saying: Promise<void> | undefined;

  constructor(
    runtime: Runtime,
    row: Pick<WebhookRow, 'webhook' | 'origin' | 'topic'>,
    positions: () => readonly number[],
  ) {
    this.#runtime = runtime;
    this.#row = row;
    this.#positions = positions;
  }

  /** Resolves at once while there is room, else when there is some again. */
  async add(...attempts: readonly Attempt[]): Promise<void> {
    this.#attempts.push(...attempts);
    const saying = (this.#saying ??= this.#say().finally(() => {
      this.#saying = undefined;
    }));
    if (this.#attempts.length >= attemptsMax) await saying;
  }

  /** Says what is left. */
  async flush(): Promise<void> {
    if (this.#saying === undefined) return;
    await this.#saying;
  }

  async #say(): Promise<void> {
    const { clock } = this.#runtime.parts;
    await new Promise<void>((resolve) => void clock.after(lingerMs, resolve));
    do {
      const attempts = this.#attempts.splice(0, attemptsMax);
      const data: DeliveriesAttempted = { ...this.#row, positions: [...this.#positions()], attempts };
      const text = JSON.stringify(data);
      if (text === this.#said) return;
      const id = `deliveries-${idOf(text)}`;
      await this.#publish(data, id);
      this.#said = text;
    } while (this.#attempts.length > 0);
  }

  /** The log may be away for a while; what was delivered is not forgotten for that. */
  async #publish(data: DeliveriesAttempted, id: string): Promise<void> {
    const { clock, logger } = this.#runtime.parts;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#runtime.publish([
          { topic: 'webhook-deliveries', type: 'deliveries-attempted', key: data.webhook, data, id },
        ]);
        return;
      } catch (error) {
        logger.warn({ webhook: data.webhook, error: messageOf(error) }, 'deliveries could not be said yet');
        if (attempt >= 10) return;
        await new Promise<void>((resolve) => void clock.after(retryMs, resolve));
      }
    }
  }
}
