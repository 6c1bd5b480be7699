import { expect } from 'vitest';
import { createTopic, numbers, readAll, record, records, text } from './builders.ts';
import type { LogCase } from './log-harness.ts';

export const readCases: readonly LogCase[] = [
  {
    name: 'reads from one position up to another',
    mutant: 'reads one record too many',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 2 });
      await log.append([...records(topic, 30), ...records(topic, 30, 'w', 1)]);
      const read = await readAll(log, topic, 1, { from: 7, to: 23 });
      expect(read.map(({ offset }) => offset)).toEqual(numbers(7, 23));
      expect(read.map(text)).toEqual(numbers(7, 23).map((offset) => `w${offset}`));
    },
  },
  {
    name: 'ends a reading where the partition ended when it began',
    mutant: 'reads on into what is appended meanwhile',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      await log.append(records(topic, 10));
      const read: number[] = [];
      for await (const batch of log.read({ topic, partition: 0 }, { from: 0 })) {
        if (read.length === 0) await log.append(records(topic, 5));
        read.push(...batch.map(({ offset }) => offset));
      }
      expect(read).toEqual(numbers(0, 10));
    },
  },
  {
    name: 'reads nothing of an empty partition, of an empty range, or at the end',
    mutant: 'reads the last record when asked for nothing',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 2 });
      await log.append(records(topic, 5));
      expect(await readAll(log, topic, 1)).toEqual([]);
      expect(await readAll(log, topic, 0, { from: 3, to: 3 })).toEqual([]);
      expect(await readAll(log, topic, 0, { from: 5 })).toEqual([]);
    },
  },
  {
    name: 'says where each partition starts and ends',
    mutant: 'says the last offset for the end',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 3 });
      await log.append([...records(topic, 4), ...records(topic, 9, 'w', 2)]);
      expect(await log.startOffsets(topic)).toEqual([0, 0, 0]);
      expect(await log.endOffsets(topic)).toEqual([4, 0, 9]);
    },
  },
  {
    name: 'forgets what is truncated, and nothing else',
    mutant: 'truncates nothing',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 2 });
      await log.append([...records(topic, 10), ...records(topic, 10, 'w', 1)]);
      await log.truncateBefore({ topic, partition: 0 }, 6);
      await log.truncateBefore({ topic, partition: 0 }, 6);
      await log.truncateBefore({ topic, partition: 0 }, 2);
      expect(await log.startOffsets(topic)).toEqual([6, 0]);
      expect((await readAll(log, topic, 0, { from: 6 })).map(text)).toEqual(['v6', 'v7', 'v8', 'v9']);
      expect((await readAll(log, topic, 1)).length).toBe(10);
      expect(await log.append([record(topic, 'next')])).toEqual([10]);
    },
  },
  {
    name: 'begins at the start when a reading is asked for what was truncated',
    mutant: 'reads nothing below the start',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      await log.append(records(topic, 10));
      await log.truncateBefore({ topic, partition: 0 }, 4);
      const start = (await log.startOffsets(topic))[0]!;
      expect((await readAll(log, topic)).map(({ offset }) => offset)).toEqual(numbers(start, 10));
    },
  },
];
