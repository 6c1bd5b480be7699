import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryStateStore } from '../../../runtime/adapters/state/memory-state-store.ts';
import { outboxEntry, readOutbox } from '../../../runtime/engine/outbox.ts';
import type { OutgoingRecord } from '../../../runtime/ports/log.ts';

const text = fc.constantFrom('', 'a', 'b', 'true', 'ü');
const bytes = fc.uint8Array({ maxLength: 3 }).map((array) => Buffer.from(array));
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constantFrom('rewards', 'predictions'),
  partition: fc.nat(3),
  key: fc.option(fc.oneof(text, bytes)),
  value: fc.option(bytes),
  headers: fc.dictionary(fc.constantFrom('ce_id', 'ce_subject', 'traceparent'), fc.oneof(text, bytes)),
});

test('an outbox comes back as it was stored', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 8 }), async (records) => {
      const state = await createMemoryStateStore().open('t');
      await state.commit(undefined, { position: 1, put: [outboxEntry(records)], delete: [] });
      const stored = await readOutbox(state);
      expect(stored.map(plain)).toEqual(records.map(plain));
      for (const [index, { headers }] of stored.entries())
        expect(Object.keys(headers)).toEqual(Object.keys(records[index]?.headers ?? {}));
    }),
  );
});

/** Texts and bytes told apart, whatever class the bytes are of. */
function plain({ topic, partition, key, value, headers }: OutgoingRecord): unknown {
  const shown = (part: Uint8Array | string | null): unknown => (part instanceof Uint8Array ? [...part] : part);
  const entries = Object.entries(headers).map(([name, part]) => [name, shown(part)]);
  return { topic, partition, key: shown(key), value: shown(value), headers: entries };
}
