/**
 * Sends the events of one webhook: each partition of its topic in order, one request at a time, from where it has come to. An event that
 * cannot be delivered is tried again, and what is behind it waits, until it is delivered or given up.
 */
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import type { EventTopic, WebhookRow } from '../../schemas/events.ts';
import type { WebhookEvent } from '../../schemas/webhook-formats.ts';
import { wants } from '../../schemas/webhooks.ts';
import type { EgressClient } from './egress-client.ts';
import type { Progress, Trying } from './progress.ts';
import { type Attempt, DeliveryReports } from './reports.ts';
import type { SecretBox } from './secret-box.ts';
import { deliveryIdOf, webhookRequest } from './webhook-request.ts';

export interface CourierParts {
  readonly runtime: Runtime;
  readonly client: EgressClient;
  readonly secrets: SecretBox;
  /** Requests for one event before it is given up. */
  readonly attemptsMax: number;
  readonly backoffMs: number;
  /** The receiver is gone for good (410): nothing more is to be sent. */
  readonly gone: (row: WebhookRow) => Promise<void>;
}

const pollMs = 200;
const backoffMsMax = 3_600_000;
/** A position that has moved by so much is said, though nothing was sent. */
const unsaidRecordsMax = 5_000;
const rememberedIds = 1_000;

export class Courier {
  readonly row: WebhookRow;
  readonly #parts: CourierParts;
  readonly #positions: number[];
  readonly #trying: Map<number, Trying>;
  readonly #abort = new AbortController();
  readonly #reports: DeliveryReports;
  #running: Promise<unknown> = Promise.resolve();

  constructor(row: WebhookRow, progress: Progress, parts: CourierParts) {
    this.row = row;
    this.#parts = parts;
    this.#positions = [...progress.positions];
    this.#trying = new Map(Object.entries(progress.trying).map(([partition, trying]) => [Number(partition), trying]));
    this.#reports = new DeliveryReports(
      parts.runtime,
      { webhook: row.webhook, origin: row.origin, topic: row.topic },
      () => this.#positions,
    );
  }

  start(): void {
    this.#running = Promise.all(this.#positions.map((_, partition) => this.#keepSending(partition)));
  }

  /** How far it has come by now. */
  progress(): Progress {
    return { positions: [...this.#positions], trying: Object.fromEntries(this.#trying) };
  }

  /** What is on the wire is broken off: it is sent again later, under the same id. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await this.#reports.flush();
  }

  async #keepSending(partition: number): Promise<void> {
    const { logger } = this.#parts.runtime.parts;
    const seen = new Set<string>();
    let said = this.#positions[partition] ?? 0;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#sendToEnd(partition, seen);
        const position = this.#positions[partition] ?? 0;
        if (position - said >= unsaidRecordsMax) {
          said = position;
          await this.#reports.add();
        }
        await this.#pause(pollMs);
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        logger.warn({ webhook: this.row.webhook, partition, error: messageOf(error) }, 'a webhook waits for the log');
        await this.#pause(2_000);
      }
    }
  }

  async #sendToEnd(partition: number, seen: Set<string>): Promise<void> {
    const { runtime } = this.#parts;
    const { log } = runtime.parts;
    const place = { topic: runtime.topic(this.row.topic), partition };
    const to = (await log.endOffsets(place.topic))[partition] ?? 0;
    const from = this.#positions[partition] ?? 0;
    if (from >= to) return;
    const start = (await log.startOffsets(place.topic))[partition] ?? 0;
    if (start > from) await this.#expired(partition, from, start);
    for await (const records of log.read(place, { from: Math.max(from, start), to })) {
      for (const record of records) {
        await this.#send(record, seen);
        if (this.#abort.signal.aborted) return;
        this.#positions[partition] = record.offset + 1;
      }
    }
  }

  async #expired(partition: number, from: number, start: number): Promise<void> {
    const event = { deliveryId: '', type: '', partition, offset: from };
    this.#positions[partition] = start;
    const reason = `offsets ${from}..${start - 1} were deleted before they could be sent`;
    await this.#reports.add(this.#attempt(event, { attempt: 0, outcome: 'expired', reason }));
  }

  async #send(record: LogRecord, seen: Set<string>): Promise<void> {
    const event = await this.#eventOf(record);
    if (event === undefined || !wants(this.row, event)) return;
    const deliveryId = deliveryIdOf(event);
    if (seen.has(deliveryId)) return;
    const before = this.#trying.get(event.partition);
    let attempts = before?.offset === event.offset ? before.attempts : 0;
    if (before?.offset === event.offset) await this.#pause(before.nextAttemptMs - this.#now());
    const of = { deliveryId, type: event.type, partition: event.partition, offset: event.offset };
    while (!this.#abort.signal.aborted) {
      attempts += 1;
      const timeMs = this.#now();
      const result = await this.#try(event, attempts);
      if (result === undefined || this.#abort.signal.aborted) return;
      const { outcome, nextAttemptMs } = result;
      // behind what is said of it: the position that goes with it tells that it is over
      if (outcome === 'failed')
        this.#trying.set(event.partition, { offset: event.offset, attempts, nextAttemptMs: nextAttemptMs ?? 0 });
      else this.#positions[event.partition] = event.offset + 1;
      await this.#reports.add(this.#attempt(of, { timeMs, ...result, attempt: attempts }));
      if (outcome !== 'failed') break;
      await this.#pause((nextAttemptMs ?? 0) - this.#now());
    }
    if (this.#abort.signal.aborted && (this.#positions[event.partition] ?? 0) <= event.offset) return;
    this.#trying.delete(event.partition);
    seen.add(deliveryId);
    if (seen.size > rememberedIds) for (const oldest of seen) if (seen.delete(oldest)) break;
  }

  /** undefined: there is nothing to say of this event in the webhook's format. */
  async #try(event: WebhookEvent, attempts: number): Promise<Partial<Attempt> | undefined> {
    const { client, secrets, attemptsMax, backoffMs, gone } = this.#parts;
    const { webhook, url, format, sealedSecret } = this.row;
    try {
      const request = webhookRequest(format, secrets.open(sealedSecret, webhook), event, this.#now());
      if (request === undefined) return undefined;
      const {
        status,
        durationMs,
        retryAfterMs = 0,
      } = await client.post(url, request.body, request.headers, this.#abort.signal);
      if (status >= 200 && status < 300) return { outcome: 'delivered', status, durationMs };
      const reason = `answered ${status}${status >= 300 && status < 400 ? ': redirects are not followed' : ''}`;
      if (status === 410) {
        await gone(this.row);
        return { outcome: 'dead', status, durationMs, reason: `${reason}: the receiver is gone for good` };
      }
      if (attempts >= attemptsMax) return { outcome: 'dead', status, durationMs, reason };
      const nextAttemptMs = this.#now() + waitMs(attempts, backoffMs, retryAfterMs);
      return { outcome: 'failed', status, durationMs, reason, nextAttemptMs };
    } catch (error) {
      const reason = messageOf(error);
      const isHopeless = hasCode(error, 'TOO_LARGE');
      if (isHopeless || attempts >= attemptsMax) return { outcome: 'dead', reason };
      return { outcome: 'failed', reason, nextAttemptMs: this.#now() + waitMs(attempts, backoffMs, 0) };
    }
  }

  /** undefined: a tick, or bytes that are no event; those are dead letters elsewhere. */
  async #eventOf(record: LogRecord): Promise<WebhookEvent | undefined> {
    const topic = this.row.topic as EventTopic;
    let event: FollowedEvent<EventTopic>;
    try {
      event = await this.#parts.runtime.decode(topic, record);
    } catch (error) {
      if (hasCode(error, 'POISON_RECORD', 'UNKNOWN_SCHEMA')) return undefined;
      throw error;
    }
    const { id, partition, offset, key, type, data } = event;
    return { id, topic, partition, offset, key, timeMs: record.timestampMs, type, data };
  }

  #attempt(of: Pick<Attempt, 'deliveryId' | 'type' | 'partition' | 'offset'>, result: Partial<Attempt>): Attempt {
    const unset = {
      attempt: 0,
      outcome: '',
      status: 0,
      reason: '',
      durationMs: 0,
      timeMs: this.#now(),
      nextAttemptMs: 0,
    };
    const { reason = '', ...rest } = result;
    return { ...unset, ...of, ...rest, reason: reason.slice(0, 500) };
  }

  #now(): number {
    return this.#parts.runtime.parts.clock.now();
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#abort;
    if (ms <= 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.runtime.parts.clock.after(ms, done);
      function done(): void {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

function waitMs(attempts: number, backoffMs: number, retryAfterMs: number): number {
  return Math.min(backoffMsMax, Math.max(retryAfterMs, backoffMs * 2 ** (attempts - 1)));
}
