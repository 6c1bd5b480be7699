import { type EventCodec, PoisonError } from '../../schemas/codec/event-codec.ts';
import { schemaIdOf } from '../../schemas/codec/framing.ts';
import type { EventTopic } from '../../schemas/events.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import { hasCode, MillraceError, messageOf } from '../ports/errors.ts';
import type { LogRecord } from '../ports/log.ts';
import { header, metaOf, placeMark, textHeader } from './envelope.ts';
import type { DecodedRecord } from './fold-core.ts';
import { isClosed } from './output-encoder.ts';
import type { Logger } from './runtime.ts';
import type { RecordMeta } from './topology.ts';

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
    // What outsiders claim in headers is not believed: a made-up claim must not read the blob store, nor a made-up tick be skipped.
    const closed = topic !== undefined && isClosed(topic);
    for (const record of records) {
      time = Math.max(time, record.timestampMs);
      if (this.#isReady(record, topic, closed)) decoded.push(this.#decodeOne(record, topic, time, closed));
      else {
        const { whole, problem } = await this.#lookUp(record, closed, signal);
        decoded.push(this.#decodeOne(whole, topic, time, closed, problem));
      }
    }
    return decoded;
  }

  #isReady(record: LogRecord, topic: EventTopic | undefined, closed: boolean): boolean {
    if (topic === undefined) return true;
    if (closed && textHeader(record, header.claim) !== undefined) return false;
    const { value } = record;
    return value === null || this.#parts.codec.isPrepared(value);
  }

  /**
   * The record with its claimed value, and its schema fetched; or what makes that impossible for ever. An answer "unknown" is a verdict
   * on this record alone: the registry is asked again for the next one.
   */
  async #lookUp(
    record: LogRecord,
    closed: boolean,
    signal: AbortSignal,
  ): Promise<{ whole: LogRecord; problem: unknown }> {
    let whole = record;
    try {
      if (closed && textHeader(record, header.claim) !== undefined) whole = await this.#claimed(record, signal);
      const { value } = whole;
      if (value !== null && !this.#parts.codec.isPrepared(value))
        await this.#persist(`schema ${schemaIdOf(value) ?? ''}`, signal, () => this.#parts.codec.prepare([value]));
      return { whole, problem: undefined };
    } catch (error) {
      if (hasCode(error, 'CLOSED')) throw error;
      return { whole, problem: error };
    }
  }

  #decodeOne(
    record: LogRecord,
    topic: EventTopic | undefined,
    timeMs: number,
    closed: boolean,
    problem?: unknown,
  ): DecodedRecord {
    const meta = metaOf(record, timeMs);
    const { id, traceparent } = meta;
    const control = closed ? textHeader(record, header.control) : undefined;
    let input: unknown;
    let error: unknown;
    if (topic !== undefined && control !== 'tick') {
      error = refusal(record, id) ?? problem;
      if (error === undefined)
        try {
          input = this.#event(meta, topic, record.value as Buffer);
        } catch (cause) {
          error = cause;
        }
    }
    return { record, timeMs, id, traceparent, control, input, error };
  }

  /** A literal of one shape, without spreading: this runs for every record of every fold. */
  #event(
    { topic: logTopic, partition, offset, timeMs, key, id, traceparent }: RecordMeta,
    topic: EventTopic,
    value: Buffer,
  ): unknown {
    const { type, data } = this.#parts.codec.decode(topic, value);
    return { topic: logTopic, partition, offset, timeMs, key, id, traceparent, type, data };
  }

  async #claimed(record: LogRecord, signal: AbortSignal): Promise<LogRecord> {
    const hash = (textHeader(record, header.claim) ?? '').split(':')[0] ?? '';
    const value = await this.#persist(`blob ${hash}`, signal, () => this.#parts.blobs.get(hash));
    const { topic, partition, offset, timestampMs, key, headers } = record;
    return { topic, partition, offset, timestampMs, key, headers, value };
  }

  /** Tries until there is an answer; only "cannot be reached" is tried again. */
  async #persist<T>(what: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    for (let waitMs = 50; ; waitMs = Math.min(2 * waitMs, 5_000)) {
      if (signal.aborted) throw new MillraceError('CLOSED', `closed while waiting for ${what}`);
      try {
        return await attempt();
      } catch (error) {
        if (!hasCode(error, 'UNAVAILABLE', 'TIMEOUT')) throw error;
        this.#parts.logger.warn({ what, waitMs, error: messageOf(error) }, 'cannot be looked up; the partition waits');
        await new Promise<void>((resolve) => this.#parts.clock.after(waitMs, resolve));
      }
    }
  }
}

/** What is wrong with a record's envelope, before its value is looked at. */
function refusal(record: LogRecord, id: string): PoisonError | undefined {
  // What stands in for a missing id has this mark; most ids have not, and need no second look at the headers.
  if (id.includes(placeMark) && record.headers[header.id] === undefined)
    return new PoisonError('a record of a closed topic needs a ce_id');
  return record.value === null ? new PoisonError('a record of a folded topic needs a value') : undefined;
}
