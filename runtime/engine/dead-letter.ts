import { MillraceError, messageOf } from '../ports/errors.ts';
import type { LogRecord, OutgoingRecord } from '../ports/log.ts';

/**
 * Header names of a dead letter, after Kafka Streams' KIP-1034; key, value and the record's own headers stay as they were (headers
 * over 4 KiB are left out, so that a dead letter of a record that just fits its topic fits, too).
 * Several tasks may give up on one record: each writes its own dead letter.
 */
export const deadLetterHeader = {
  task: '__streams.errors.task',
  topic: '__streams.errors.topic',
  partition: '__streams.errors.partition',
  offset: '__streams.errors.offset',
  code: '__streams.errors.exception',
  message: '__streams.errors.message',
  attempt: '__streams.errors.attempt',
  /** On a record that is no dead letter: the letter of this id, of an open topic, was written there again. */
  replayed: '__streams.errors.replayed',
} as const;

const headerBytesMax = 4096;

export interface DeadLetterPlace {
  readonly task: string;
  /** Real name of `dead-letters`. */
  readonly topic: string;
}

export function deadLetter(record: LogRecord, error: unknown, place: DeadLetterPlace, attempt = 1): OutgoingRecord {
  return {
    topic: place.topic,
    partition: 0,
    key: record.key,
    value: record.value,
    headers: {
      ...Object.fromEntries(Object.entries(record.headers).filter(([, value]) => value.length <= headerBytesMax)),
      [deadLetterHeader.task]: place.task,
      [deadLetterHeader.topic]: record.topic,
      [deadLetterHeader.partition]: String(record.partition),
      [deadLetterHeader.offset]: String(record.offset),
      [deadLetterHeader.code]: error instanceof MillraceError ? error.code : 'POISON_RECORD',
      [deadLetterHeader.message]: messageOf(error).slice(0, 1000),
      [deadLetterHeader.attempt]: String(attempt),
    },
  };
}

/** A dead letter of a timer whose fold threw: there is no record, so it names the timer. */
export function deadTimer(
  name: string,
  dueMs: number,
  partition: number,
  error: unknown,
  place: DeadLetterPlace,
): OutgoingRecord {
  return {
    topic: place.topic,
    partition: 0,
    key: place.task,
    value: Buffer.from(JSON.stringify({ timer: name, dueMs, partition })),
    headers: {
      [deadLetterHeader.task]: place.task,
      [deadLetterHeader.code]: 'INTERNAL',
      [deadLetterHeader.message]: messageOf(error).slice(0, 1000),
    },
  };
}
