import { expect } from 'vitest';
import type { LogRecord } from '../../../runtime/ports/log.ts';
import { createTopic, readAll, record, records } from './builders.ts';
import { fillerKey, type LogCase, type LogHarness } from './log-harness.ts';
import { until } from './until.ts';

const dayMs = 86_400_000;

export const cleaningCases: readonly LogCase[] = [
  {
    name: 'keeps the newest record of each key at its offset when it compacts',
    mutant: 'keeps the oldest value of a key',
    needs: 'compaction',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { cleanup: 'compact' });
      const pairs = ['a1', 'b1', 'a2', 'c1', 'a3', 'b2'];
      await harness.log.append(pairs.map((pair) => record(topic, pair, { key: pair.slice(0, 1) })));
      await harness.clean(topic, 0);
      await until(harness, 'old records were gone', async () => (await left(harness, topic)).length === 3);
      expect(await left(harness, topic)).toEqual(['3 c=c1', '4 a=a3', '5 b=b2']);
      const [next = 0] = await harness.log.append([record(topic, 'd1', { key: 'd' })]);
      expect(next).toBeGreaterThanOrEqual(6);
      expect(await harness.log.append([record(topic, 'd2', { key: 'd' })])).toEqual([next + 1]);
    },
  },
  {
    name: 'keeps a tombstone for a while, so that every reader hears of it',
    mutant: 'forgets tombstones at once',
    needs: 'compaction',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { cleanup: 'compact' });
      await harness.log.append([
        record(topic, 'a1', { key: 'a' }),
        record(topic, 'b1', { key: 'b' }),
        record(topic, null, { key: 'a' }),
      ]);
      await harness.clean(topic, 0);
      await until(harness, 'old records were gone', async () => !(await left(harness, topic)).includes('0 a=a1'));
      expect(await left(harness, topic)).toEqual(['1 b=b1', '2 a=']);
    },
  },
  {
    name: 'forgets what is older than the topic keeps it, and counts on',
    mutant: 'keeps everything for ever',
    needs: 'retention',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { retentionMs: 1000 });
      await harness.log.append(records(topic, 5));
      await harness.clean(topic, dayMs);
      await until(harness, 'old records were gone', async () => (await harness.log.startOffsets(topic))[0] === 5);
      expect(await harness.log.append([record(topic, 'next')])).toEqual([5]);
      expect((await readAll(harness.log, topic, 0, { from: 5 })).map(({ offset }) => offset)).toEqual([5]);
    },
  },
];

/** What a reader finds, but for fillers. */
async function left({ log }: LogHarness, topic: string): Promise<string[]> {
  const all = await readAll(log, topic);
  return all.filter(({ key }) => key?.toString('utf8') !== fillerKey).map(describeRecord);
}

const describeRecord = ({ offset, key, value }: LogRecord): string =>
  `${offset} ${key?.toString('utf8') ?? 'null'}=${value?.toString('utf8') ?? ''}`;
