import { expect, test } from 'vitest';
import { BatchBuilder } from '../../../runtime/adapters/embedded-log/batch-builder.ts';
import { recordsOf } from '../../../runtime/adapters/embedded-log/log-record.ts';
import { recordBytesBound } from '../../../runtime/adapters/embedded-log/record-writer.ts';
import type { OutgoingRecord } from '../../../runtime/ports/log.ts';

const headers = { ce_id: 'first', ce_idx: 'other', '': 'nameless', leer: '', größe: 'groß', ce_ix: 'x'.repeat(300) };

test('the texts of a record are those of its key and headers, in whatever order they are asked for', () => {
  const builder = new BatchBuilder();
  const keys = ['key', 'Schlüssel', '', null];
  keys.forEach((key, offset) => {
    const record: OutgoingRecord = { topic: 't', partition: 0, key, value: Buffer.from('value'), headers };
    builder.add(record, offset, 1, recordBytesBound(record));
  });
  const records = builder.take(1).flatMap((batch) => recordsOf('t', 0, batch));
  expect(records.map((record) => record.keyText())).toEqual(keys.map((key) => key ?? ''));
  for (const record of records) {
    for (const [name, text] of Object.entries(headers)) expect(record.headerText(name)).toBe(text);
    for (const absent of ['ce_i', 'ce_idz', 'traceparent']) expect(record.headerText(absent)).toBeUndefined();
    expect(record.key?.toString() ?? null).toBe(keys[record.offset]);
    expect(record.value?.toString()).toBe('value');
    expect(record.headers['größe']?.toString()).toBe('groß');
  }
});
