import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignPartitions } from '../../../runtime/adapters/embedded-log/assignment.ts';
import type { SubscriptionHandler, TopicPartition } from '../../../runtime/ports/log.ts';
import { createTopic, numbers, records } from '../../conformance/log/builders.ts';
import { until } from '../../conformance/log/until.ts';
import { createFolder, openLog } from './log-fixture.ts';

const patient = { deadlineMs: 20_000 };
const silent: SubscriptionHandler = {
  assigned: async () => [],
  revoked: () => undefined,
  records: () => undefined,
  failed: () => undefined,
};

describe('assignPartitions', () => {
  it('shares evenly, gives every partition away, and moves no more than it must', () => {
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.uniqueArray(fc.nat(12), { minLength: 1 }),
        fc.uniqueArray(fc.nat(12), { minLength: 1 }),
        (partitions, first, second) => {
          const before = assignPartitions(partitions, first, []);
          const after = assignPartitions(partitions, second, before);
          const counts = second.map((member) => after.filter((owner) => owner === member).length);
          expect(counts.reduce((sum, count) => sum + count, 0)).toBe(partitions);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          const share = Math.floor(partitions / second.length);
          const kept = numbers(0, partitions).filter((partition) => after[partition] === before[partition]).length;
          const staying = second.filter((member) => first.includes(member));
          const keepable = staying.reduce(
            (sum, member) => sum + Math.min(share, before.filter((owner) => owner === member).length),
            0,
          );
          expect(kept).toBeGreaterThanOrEqual(keepable);
        },
      ),
    );
  });

  it('gives nobody anything when there are no members', () => {
    expect(assignPartitions(3, [], ['a', 'b', 'a'])).toEqual([undefined, undefined, undefined]);
  });
});

describe('a group of an embedded log', () => {
  it('tells a member for which nothing is left that it has joined', async () => {
    const log = await openLog(join(await createFolder(), 'log'));
    const topic = await createTopic(log);
    const told: (readonly TopicPartition[])[] = [];
    const handler = { ...silent, assigned: async (given: readonly TopicPartition[]) => (told.push(given), []) };
    await log.subscribe({ topics: [topic], group: 'g' }, handler);
    await log.subscribe({ topics: [topic], group: 'g' }, handler);
    await until(patient, 'both were told', () => told.length === 2);
    expect(told.map((given) => given.length).sort()).toEqual([0, 1]);
  });

  it('gives the same partition numbers of two topics to the same member', async () => {
    const log = await openLog(join(await createFolder(), 'log'));
    const topics = [await createTopic(log, { partitions: 5 }), await createTopic(log, { partitions: 5 })];
    const owned = [new Set<string>(), new Set<string>(), new Set<string>()];
    for (const own of owned)
      await log.subscribe(
        { topics, group: 'g' },
        {
          ...silent,
          assigned: async (given) => (given.forEach(({ topic, partition }) => own.add(`${topic} ${partition}`)), []),
          revoked: (given) => given.forEach(({ topic, partition }) => own.delete(`${topic} ${partition}`)),
        },
      );
    await until(patient, 'all was shared', () => owned.every(({ size }) => size >= 2) && sum(owned) === 10);
    for (const own of owned) {
      const numbersOf = (topic: string) =>
        [...own].filter((one) => one.startsWith(topic)).map((one) => one.split(' ')[1]);
      expect(numbersOf(topics[0]!).sort()).toEqual(numbersOf(topics[1]!).sort());
    }
  });

  it('lets a partition with a long backlog wait for its turn', async () => {
    const log = await openLog(join(await createFolder(), 'log'), { deliveryRecordsMax: 10 });
    const topic = await createTopic(log, { partitions: 2 });
    await log.append([...records(topic, 1_000), ...records(topic, 20, 'w', 1)]);
    const order: number[] = [];
    await log.subscribe({ topics: [topic] }, { ...silent, records: ({ partition }) => order.push(partition) });
    await until(patient, 'all was delivered', () => order.length === 102);
    expect(order.slice(0, 4).filter((partition) => partition === 1).length).toBe(2);
  });

  it('fails a member that throws, and no other', async () => {
    const log = await openLog(join(await createFolder(), 'log'));
    const topic = await createTopic(log);
    const failures: unknown[] = [];
    let heard = 0;
    const thrown = new Error('a defect');
    await log.subscribe(
      { topics: [topic] },
      {
        ...silent,
        records: () => {
          throw thrown;
        },
        failed: (error) => failures.push(error),
      },
    );
    await log.subscribe({ topics: [topic] }, { ...silent, records: (_, batch) => (heard += batch.length) });
    await log.append(records(topic, 3));
    await until(patient, 'the other heard everything', () => heard === 3);
    await until(patient, 'the member failed', () => failures.length > 0);
    expect(failures).toEqual([thrown]);
  });

  it('gives the partitions of a member that failed to the others', async () => {
    const log = await openLog(join(await createFolder(), 'log'));
    const topic = await createTopic(log, { partitions: 2 });
    const refused = { ...silent, assigned: () => Promise.reject(new Error('cannot open')) };
    await log.subscribe({ topics: [topic], group: 'g' }, refused);
    const owned = new Set<number>();
    await log.subscribe(
      { topics: [topic], group: 'g' },
      { ...silent, assigned: async (given) => (given.forEach(({ partition }) => owned.add(partition)), []) },
    );
    await until(patient, 'the other had both', () => owned.size === 2);
  });
});

const sum = (sets: readonly Set<string>[]): number => sets.reduce((total, { size }) => total + size, 0);
