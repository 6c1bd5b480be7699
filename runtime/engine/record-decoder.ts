import { type EventCodec, PoisonError } from '../../schemas/codec/event-codec.ts';
import { schemaIdOf } from '../../schemas/codec/framing.ts';
import type { EventTopic } from '../../schemas/events.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import { hasCode, MillraceError, messageOf } from '../ports/errors.ts';
import type { LogRecord } from '../ports/log.ts';
import { header, metaOf, textHeader } from './envelope.ts';
import type { DecodedRecord } from './fold-core.ts';
import type { Logger } from './runtime.ts';

export interface DecoderParts {
  readonly codec: EventCodec;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Records to what folds and services get. "Cannot look up" (registry or blob store away) waits and tries again with an alarm in the
 * log; "contradicts its schema" and "the registry knows no such schema" are verdicts on the record.
 */
export class RecordDecoder {
  readonly #parts: DecoderParts;
  /** Schema ids that the registry says it does not have. */
  readonly #unknownSchemas = new Map<number, unknown>();

  constructor(parts: DecoderParts) {
    this.#parts = parts;
  }

  /**
   * Decodes a batch. `topic` is the catalogue name of the input; undefined leaves the values raw. `timeMs` is the running maximum so far.
   */
  async decode(
    records: readonly LogRecord[],
    topic: EventTopic | undefined,
    timeMs: number,
    signal: AbortSignal,
  ): Promise<DecodedRecord[]> {
    let time = timeMs;
    const decoded: DecodedRecord[] = [];
    for (const record of records) {
      time = Math.max(time, record.timestampMs);
      const whole = record.headers[header.claim] === undefined ? record : await this.#claimed(record, signal);
      if (topic !== undefined && whole.value !== null && !this.#parts.codec.isPrepared(whole.value))
        await this.#fetchSchema(whole.value, signal);
      decoded.push(this.#decodeOne(whole, topic, time));
    }
    return decoded;
  }

  #decodeOne(record: LogRecord, topic: EventTopic | undefined, timeMs: number): DecodedRecord {
    const meta = metaOf(record, timeMs);
    const control = topic === undefined ? undefined : textHeader(record, header.control);
    const base = { record, timeMs, id: meta.id, traceparent: meta.traceparent, control };
    if (topic === undefined || control === 'tick') return { ...base, input: undefined, error: undefined };
    if (record.headers[header.id] === undefined)
      return { ...base, input: undefined, error: new PoisonError('a record of a closed topic needs a ce_id') };
    if (record.value === null)
      return { ...base, input: undefined, error: new PoisonError('a record of a folded topic needs a value') };
    const unknown = this.#unknownSchemas.get(schemaIdOf(record.value) ?? -1);
    if (unknown !== undefined) return { ...base, input: undefined, error: unknown };
    try {
      return { ...base, input: Object.assign(meta, this.#parts.codec.decode(topic, record.value)), error: undefined };
    } catch (error) {
      return { ...base, input: undefined, error };
    }
  }

  async #fetchSchema(value: Buffer, signal: AbortSignal): Promise<void> {
    const id = schemaIdOf(value) ?? -1;
    if (this.#unknownSchemas.has(id)) return;
    try {
      await this.#persist(`schema ${id}`, signal, () => this.#parts.codec.prepare([value]));
    } catch (error) {
      if (hasCode(error, 'CLOSED')) throw error;
      this.#unknownSchemas.set(id, error);
    }
  }

  async #claimed(record: LogRecord, signal: AbortSignal): Promise<LogRecord> {
    const hash = (textHeader(record, header.claim) ?? '').split(':')[0] ?? '';
    const value = await this.#persist(`blob ${hash}`, signal, () => this.#parts.blobs.get(hash));
    const { topic, partition, offset, timestampMs, key, headers } = record;
    return { topic, partition, offset, timestampMs, key, headers, value };
  }

  /** Tries until there is an answer; only UNAVAILABLE is tried again. */
  async #persist<T>(what: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 5_000)) {
      if (signal.aborted) throw new MillraceError('CLOSED', `closed while waiting for ${what}`);
      try {
        return await attempt();
      } catch (error) {
        if (!hasCode(error, 'UNAVAILABLE')) throw error;
        this.#parts.logger.warn({ what, waitMs, error: messageOf(error) }, 'cannot be looked up; the partition waits');
        await new Promise<void>((resolve) => this.#parts.clock.after(waitMs, resolve));
      }
    }
  }
}
