import { expect } from 'vitest';
import { checkChildRecord } from './append-child-records.ts';
import { codeOf, createTopic, numbers, readAll, record, records, text, uniqueName } from './builders.ts';
import type { LogCase } from './log-harness.ts';
import { join } from './member.ts';
import { settled } from './until.ts';

export const lifetimeCases: readonly LogCase[] = [
  {
    name: 'knows records, topics and commits again after it was opened anew',
    mutant: 'forgets commits when it is closed',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 2 });
      const group = uniqueName('group');
      await harness.log.append(records(topic, 9));
      const member = await join(harness, { topics: [topic], group });
      await member.owns(2);
      await member.active.commit([{ topic, partition: 0, offset: 4 }]);
      const log = await harness.reopen();
      expect(await log.partitions(topic)).toBe(2);
      expect((await readAll(log, topic)).map(({ offset }) => offset)).toEqual(numbers(0, 9));
      expect((await log.committed(group, topic))[0]).toBe(4);
      expect(await log.append([record(topic, 'next')])).toEqual([9]);
    },
  },
  {
    name: 'keeps what it acknowledged, in order and whole, when its process is killed',
    mutant: 'acknowledges before it writes',
    needs: 'killWhileAppending',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 2 });
      const acknowledged = await harness.killWhileAppending(topic, 40);
      const partitions = [await readAll(harness.log, topic, 0), await readAll(harness.log, topic, 1)];
      expect(acknowledged.length).toBeGreaterThanOrEqual(40);
      for (const [partition, all] of partitions.entries()) {
        expect(all.map(({ offset }) => offset)).toEqual(numbers(0, all.length));
        expect(all.map(checkChildRecord)).toEqual(numbers(0, all.length).map((index) => 2 * index + partition));
      }
      for (const { first, offsets } of acknowledged)
        for (const [index, offset] of offsets.entries()) {
          const number = first + index;
          expect(checkChildRecord(partitions[number % 2]![offset]!)).toBe(number);
        }
    },
  },
  {
    name: 'settles every append that was under way when it was closed, and has what it acknowledged',
    mutant: 'leaves appends unanswered when it is closed',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const member = await join(harness, { topics: [topic] });
      await member.owns(1);
      const calls = numbers(0, 30).map((index) => harness.log.append([record(topic, `v${index}`)]));
      const closing = harness.log.close();
      const outcomes = await settled(harness, 'all appends had an outcome', Promise.allSettled(calls));
      await settled(harness, 'the log was closed', closing);
      const read = (await readAll(await harness.reopen(), topic)).map(text);
      const acknowledged = outcomes.flatMap(({ status }, index) => (status === 'fulfilled' ? [`v${index}`] : []));
      expect(read).toEqual(expect.arrayContaining(acknowledged));
    },
  },
  {
    name: 'says that it was closed, and may be closed again',
    mutant: 'cannot be closed twice',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const { log } = harness;
      await settled(harness, 'the log was closed', log.close());
      await settled(harness, 'the log was closed again', log.close());
      expect(await codeOf(log.append([record(topic, 'late')]))).toBe('CLOSED');
    },
  },
  {
    name: 'goes on after every connection broke, without losing or skipping',
    mutant: 'skips a record after a broken connection',
    needs: 'dropConnections',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const member = await join(harness, { topics: [topic] });
      await harness.log.append([record(topic, 'before')]);
      await member.heard('before');
      await harness.dropConnections();
      for (const index of numbers(0, 5)) await harness.log.append([record(topic, `after${index}`)]);
      await member.heard('after4');
      expect([...new Set(member.values)]).toEqual(['before', 'after0', 'after1', 'after2', 'after3', 'after4']);
    },
  },
];
