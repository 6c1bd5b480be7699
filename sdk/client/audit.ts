import type { AuditEntry, AuditVerification, HoldBounds, RetentionChange, Seals } from '../../schemas/api/audit.ts';
import type { HoldPlaced, HoldReleased, RecordRedacted, RetentionSet } from '../../schemas/events.ts';
import { errorOf, type HttpCaller, parseJson, path, query, timeText } from './http-caller.ts';

/** Which entries are wanted. Times are milliseconds since the epoch, ISO 8601, or dates. */
export interface AuditEntryFilter {
  /** One of the audited topics. @default all */
  readonly topic?: string | undefined;
  readonly since?: number | string | Date | undefined;
  readonly until?: number | string | Date | undefined;
  readonly actor?: string | undefined;
}

export interface Redaction {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Paths of fields of the event, joined by dots. @default all of it */
  readonly fields?: readonly string[] | undefined;
  readonly reason: string;
}

/** The audit trail. */
export class AuditCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  /** Reads the audited topics again and holds them against their chains, and sealed files against their seals. */
  async verify(): Promise<AuditVerification> {
    return (await this.#get('/api/v1/audit/verification')) as AuditVerification;
  }

  /** In the order of time. */
  async *entries({ topic, since, until, actor }: AuditEntryFilter = {}): AsyncGenerator<AuditEntry> {
    const filter = query({ topic, since: timeText(since), until: timeText(until), actor });
    const call = { method: 'GET', path: `/api/v1/audit/entries${filter}` } as const;
    const response = await this.#caller.open(call);
    if (!response.ok || response.body === null) throw errorOf(response.status, parseJson(await response.text()), call);
    let rest = '';
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as AuditEntry;
    }
  }

  async seals(): Promise<Seals> {
    return (await this.#get('/api/v1/audit/seals')) as Seals;
  }

  /** A sealed file, by the hash that its seal or its last redaction names. */
  async file(hash: string): Promise<Uint8Array> {
    return await this.#caller.bytes({ method: 'GET', path: path`/api/v1/audit/files/${hash}` });
  }

  /** Forgets fields of a sealed record; its digest stays. NOT_FOUND while the record is not sealed. */
  async redact(redaction: Redaction, options: { readonly idempotencyKey?: string } = {}): Promise<RecordRedacted> {
    return (await this.#caller.call({
      method: 'POST',
      path: '/api/v1/audit/redactions',
      body: redaction,
      headers: { 'idempotency-key': options.idempotencyKey },
    })) as RecordRedacted;
  }

  /** Says how long sealed files are kept. Who sets fewer days has older files deleted, unless a hold is on them. */
  async setRetention(change: RetentionChange): Promise<RetentionSet> {
    const call = { method: 'PUT', path: '/api/v1/audit/retention', body: change } as const;
    return (await this.#caller.call(call)) as RetentionSet;
  }

  /** Keeps sealed files from being deleted or redacted. CONFLICT when a hold of that name has other bounds. */
  async hold(name: string, bounds: HoldBounds): Promise<HoldPlaced> {
    const call = { method: 'PUT', path: path`/api/v1/audit/holds/${name}`, body: bounds } as const;
    return (await this.#caller.call(call)) as HoldPlaced;
  }

  /** Ends a hold. NOT_FOUND when none of that name is in force. */
  async release(name: string, reason: string): Promise<HoldReleased> {
    const call = { method: 'POST', path: path`/api/v1/audit/holds/${name}/release`, body: { reason } } as const;
    return (await this.#caller.call(call)) as HoldReleased;
  }

  async #get(url: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: url });
  }
}
