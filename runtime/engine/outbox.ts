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

/** Outputs that stand one after the other with the same topic and header names. */
type Run = readonly [topic: string, names: readonly string[], rows: readonly Row[]];

/** partition, key, value, then a header each: `true` is the record's key, `false` what the row before had. */
type Row = readonly unknown[];

export function outboxEntry(records: readonly OutgoingRecord[]): StateEntry {
  const bytes = encodeValue(runsOf(records));
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
  return (decodeValue(bytes) as Run[]).flatMap(recordsOf);
}

/** Most headers say what those of the output before say, so little of them is encoded with each commit. */
function runsOf(records: readonly OutgoingRecord[]): Run[] {
  const runs: Run[] = [];
  let topic: string | undefined;
  let names: readonly string[] = [];
  let rows: Row[] = [];
  let before: OutgoingRecord['headers'] = {};
  for (const { topic: its, partition, key: recordKey, value, headers } of records) {
    if (its !== topic || !hasNames(headers, names)) {
      topic = its;
      names = Object.keys(headers);
      rows = [];
      runs.push([topic, names, rows]);
      before = {};
    }
    const row: unknown[] = [partition, recordKey, value];
    for (const name of names) {
      const text = headers[name];
      row.push(text === before[name] ? false : text === recordKey ? true : text);
    }
    rows.push(row);
    before = headers;
  }
  return runs;
}

function recordsOf([topic, names, rows]: Run): OutgoingRecord[] {
  let before: OutgoingRecord['headers'] = {};
  return rows.map(([partition, recordKey, value, ...texts]) => {
    const headers: Record<string, Uint8Array | string> = {};
    names.forEach((name, index) => {
      const text = texts[index];
      headers[name] = (text === false ? before[name] : text === true ? recordKey : text) as Uint8Array | string;
    });
    before = headers;
    return {
      topic,
      partition: partition as number,
      key: recordKey as OutgoingRecord['key'],
      value: value as OutgoingRecord['value'],
      headers,
    };
  });
}

function hasNames(headers: OutgoingRecord['headers'], names: readonly string[]): boolean {
  let index = 0;
  for (const name in headers) if (names[index++] !== name) return false;
  return index === names.length;
}
