import { expect } from 'vitest';
import { codeOf, createTopic, numbers, readAll, record, records, text, topicConfig, uniqueName } from './builders.ts';
import type { LogCase } from './log-harness.ts';
import { settled } from './until.ts';

export const appendCases: readonly LogCase[] = [
  {
    name: 'keeps the order of calls that did not wait for each other',
    mutant: 'swaps two appends',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      const calls = numbers(0, 20).map((call) => log.append([record(topic, `${call}a`), record(topic, `${call}b`)]));
      const offsets = (await Promise.all(calls)).flat();
      expect(offsets).toEqual(numbers(0, 40));
      expect((await readAll(log, topic)).map(text)).toEqual(numbers(0, 20).flatMap((call) => [`${call}a`, `${call}b`]));
    },
  },
  {
    name: 'has everything that it acknowledged',
    mutant: 'acknowledges the end of a large append without writing it',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      await log.append(records(topic, 250));
      expect((await readAll(log, topic)).map(text)).toEqual(records(topic, 250).map((one) => String(one.value)));
    },
  },
  {
    name: 'answers the offset of each record in the order of the records',
    mutant: 'answers offsets in the order of partitions',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 3 });
      await log.append([record(topic, 'before', { partition: 2 })]);
      const partitions = [2, 0, 2, 1, 0];
      const offsets = await log.append(
        partitions.map((partition, index) => record(topic, String(index), { partition })),
      );
      expect(offsets).toEqual([1, 0, 2, 0, 1]);
      expect((await readAll(log, topic, 2)).map(text)).toEqual(['before', '0', '2']);
    },
  },
  {
    name: 'answers an empty append with no offsets',
    mutant: 'never answers an empty append',
    run: async (harness) => {
      expect(await settled(harness, 'an empty append was answered', harness.log.append([]))).toEqual([]);
    },
  },
  {
    name: 'says that an unknown topic is not there, and does not create it',
    mutant: 'creates what is appended to',
    run: async ({ log }) => {
      const topic = uniqueName('unknown');
      expect(await codeOf(log.append([record(topic, 'v')]))).toBe('NOT_FOUND');
      expect(await codeOf(log.partitions(topic))).toBe('NOT_FOUND');
      expect(await codeOf(log.endOffsets(topic))).toBe('NOT_FOUND');
    },
  },
  {
    name: 'writes nothing of a call with a record that is too large',
    mutant: 'writes the good records of a refused call',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 2, recordBytesMax: 10_000 });
      const call = [
        record(topic, 'good'),
        record(topic, Buffer.alloc(50_000), { partition: 1 }),
        record(topic, 'after'),
      ];
      expect(await codeOf(log.append(call))).toBe('TOO_LARGE');
      expect(await log.append([record(topic, 'next')])).toEqual([0]);
      expect((await readAll(log, topic)).map(text)).toEqual(['next']);
    },
  },
  {
    name: 'does not let a refused call touch its neighbours',
    mutant: 'refuses the neighbours of a refused call',
    run: async ({ log }) => {
      const topic = await createTopic(log, { recordBytesMax: 10_000 });
      const [before, guilty, after] = await Promise.allSettled([
        log.append([record(topic, 'before')]),
        log.append([record(topic, Buffer.alloc(50_000))]),
        log.append([record(topic, 'after')]),
      ]);
      expect([before.status, guilty.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((await readAll(log, topic)).map(text)).toEqual(['before', 'after']);
    },
  },
  {
    name: 'refuses another partition count for a topic that exists, and takes the same one again',
    mutant: 'takes any partition count',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 3 });
      expect(await codeOf(log.ensureTopics([topicConfig(topic, { partitions: 4 })]))).toBe('TOPIC_MISMATCH');
      await log.ensureTopics([topicConfig(topic, { partitions: 3 })]);
      expect(await log.partitions(topic)).toBe(3);
    },
  },
];
