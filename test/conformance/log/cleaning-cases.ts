import { expect } from 'vitest';
import type { LogRecord } from '../../../runtime/ports/log.ts';
import { createTopic, readAll, record, records } from './builders.ts';
import type { LogCase } from './log-harness.ts';
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
      await until(harness, 'old records were gone', async () => (await readAll(harness.log, topic)).length === 3);
      expect((await readAll(harness.log, topic)).map(describeRecord)).toEqual(['3 c=c1', '4 a=a3', '5 b=b2']);
      expect(await harness.log.append([record(topic, 'd1', { key: 'd' })])).toEqual([6]);
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
      await until(harness, 'old records were gone', async () => (await readAll(harness.log, topic))[0]?.offset !== 0);
      expect((await readAll(harness.log, topic)).map(describeRecord)).toEqual(['1 b=b1', '2 a=']);
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

const describeRecord = ({ offset, key, value }: LogRecord): string =>
  `${offset} ${key?.toString('utf8') ?? 'null'}=${value?.toString('utf8') ?? ''}`;
