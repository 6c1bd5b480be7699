import { expect } from 'vitest';
import { createTopic, readAll, record } from './builders.ts';
import type { LogCase } from './log-harness.ts';

const anyBytes = Buffer.from([0x00, 0xff, 0xfe, 0x80, 0xc3, 0x28, 0x0a]);
const hourMs = 3_600_000;

export const recordCases: readonly LogCase[] = [
  {
    name: 'keeps the bytes of headers',
    mutant: 'takes header values for text',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      const headers = { bytes: anyBytes, 'text-ä': 'grün', empty: Buffer.alloc(0) };
      await log.append([record(topic, 'v', { headers }), record(topic, 'w')]);
      const [first, second] = await readAll(log, topic);
      expect(Object.keys(first!.headers).sort()).toEqual(['bytes', 'empty', 'text-ä']);
      expect(first!.headers['bytes']!.equals(anyBytes)).toBe(true);
      expect(first!.headers['text-ä']!.toString('utf8')).toBe('grün');
      expect(first!.headers['empty']!.length).toBe(0);
      expect(Object.keys(second!.headers)).toEqual([]);
    },
  },
  {
    name: 'keeps the bytes of values',
    mutant: 'takes values for text',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      await log.append([record(topic, anyBytes)]);
      const [read] = await readAll(log, topic);
      expect(Buffer.isBuffer(read!.value)).toBe(true);
      expect(read!.value!.equals(anyBytes)).toBe(true);
    },
  },
  {
    name: 'keeps the bytes of keys, and no key apart from an empty one',
    mutant: 'writes an empty key where there is none',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      await log.append([
        record(topic, 'a', { key: anyBytes }),
        record(topic, 'b', { key: 'schlüssel' }),
        record(topic, 'c', { key: '' }),
        record(topic, 'd', { key: null }),
      ]);
      const keys = (await readAll(log, topic)).map(({ key }) => key?.toString('hex'));
      expect(keys).toEqual([anyBytes.toString('hex'), Buffer.from('schlüssel').toString('hex'), '', undefined]);
    },
  },
  {
    name: 'keeps a tombstone apart from an empty value',
    mutant: 'writes a tombstone as an empty value',
    run: async ({ log }) => {
      const topic = await createTopic(log);
      await log.append([record(topic, null, { key: 'k' }), record(topic, Buffer.alloc(0), { key: 'k' })]);
      expect((await readAll(log, topic)).map(({ value }) => value?.length)).toEqual([undefined, 0]);
    },
  },
  {
    name: 'says where each record lies, and when it was appended',
    mutant: 'says no append time',
    run: async ({ log }) => {
      const topic = await createTopic(log, { partitions: 2 });
      const before = Date.now();
      await log.append([record(topic, 'v', { partition: 1 })]);
      const [read] = await readAll(log, topic, 1);
      expect([read!.topic, read!.partition, read!.offset]).toEqual([topic, 1, 0]);
      expect(Math.abs(read!.timestampMs - before)).toBeLessThan(hourMs);
    },
  },
];
