import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTopic, numbers, readAll, record, text } from '../../conformance/log/builders.ts';
import { createFolder, openLog } from './log-fixture.ts';

type Step =
  | { readonly type: 'append'; readonly sizes: readonly number[] }
  | { readonly type: 'read'; readonly from: number; readonly length: number }
  | { readonly type: 'truncate'; readonly part: number }
  | { readonly type: 'reopen' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant('append' as const), sizes: fc.array(fc.nat(400), { minLength: 1, maxLength: 30 }) }),
  fc.record({ type: fc.constant('read' as const), from: fc.nat(100), length: fc.nat(60) }),
  fc.record({ type: fc.constant('truncate' as const), part: fc.nat(100) }),
  fc.record({ type: fc.constant('reopen' as const) }),
);

describe('an embedded log with small files and little memory', () => {
  it('reads what an array would hold, whatever is appended, truncated and reopened', async () => {
    const folder = await createFolder();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const directory = join(folder, String(run++));
        const options = { segmentBytes: 1_500, tailBytesMax: 2_000, deliveryRecordsMax: 5, deliveryBytesMax: 900 };
        let log = await openLog(directory, options);
        const topic = await createTopic(log);
        const model: string[] = [];
        let start = 0;
        for (const one of steps) {
          if (one.type === 'append') {
            const values = one.sizes.map((size, index) => `${model.length + index}:${'x'.repeat(size)}`);
            const offsets = await log.append(values.map((value) => record(topic, value)));
            expect(offsets).toEqual(numbers(model.length, model.length + values.length));
            model.push(...values);
          } else if (one.type === 'read') {
            const from = Math.floor((one.from / 100) * model.length);
            const read = await readAll(log, topic, 0, { from, to: from + one.length });
            const first = Math.max(from, start);
            const expected = numbers(first, Math.min(model.length, from + one.length));
            expect(read.map(({ offset }) => offset)).toEqual(expected);
            expect(read.map(text)).toEqual(expected.map((offset) => model[offset]));
          } else if (one.type === 'truncate') {
            start = Math.max(start, Math.floor((one.part / 100) * model.length));
            await log.truncateBefore({ topic, partition: 0 }, start);
          } else {
            await log.close();
            log = await openLog(directory, options);
          }
          expect([await log.startOffsets(topic), await log.endOffsets(topic)]).toEqual([[start], [model.length]]);
        }
        await log.close();
      }),
      { numRuns: 60 },
    );
  });
});
