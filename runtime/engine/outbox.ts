import { MillraceError } from '../ports/errors.ts';
import type { OutgoingRecord } from '../ports/log.ts';
import type { StateEntry, TaskState } from '../ports/state-store.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

/**
 * The outputs of the last commit, stored with it: they are appended after the commit, and again on the next open, since a crash
 * may have come in between. The next commit replaces them.
 */
const key = '~outbox';

/** Most bytes of one outbox; a state value holds 16 MiB. */
export const outboxBytesMax = 8 * 1024 * 1024;

type Row = readonly [topic: string, partition: number, key: unknown, value: unknown, headers: unknown];

export function outboxEntry(records: readonly OutgoingRecord[]): StateEntry {
  const rows = records.map((record): Row => [record.topic, record.partition, record.key, record.value, record.headers]);
  const bytes = encodeValue(rows);
  if (bytes.length > 2 * outboxBytesMax) {
    throw new MillraceError(
      'TOO_LARGE',
      `an outbox of ${records.length} records has ${bytes.length} bytes, at most ${2 * outboxBytesMax} are allowed`,
    );
  }
  return [key, bytes];
}

export const outboxKey = key;

export async function readOutbox(state: TaskState): Promise<readonly OutgoingRecord[]> {
  const [bytes] = await state.get([key]);
  if (bytes === undefined) return [];
  return (decodeValue(bytes) as Row[]).map(([topic, partition, recordKey, value, headers]) => ({
    topic,
    partition,
    key: recordKey as OutgoingRecord['key'],
    value: value as OutgoingRecord['value'],
    headers: headers as OutgoingRecord['headers'],
  }));
}
