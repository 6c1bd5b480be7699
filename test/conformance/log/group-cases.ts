import { expect } from 'vitest';
import { createTopic, numbers, record, records, uniqueName } from './builders.ts';
import type { LogCase, LogHarness } from './log-harness.ts';
import { join } from './member.ts';
import { until } from './until.ts';

export const groupCases: readonly LogCase[] = [
  {
    name: 'shares partitions among two members, and says what it takes away',
    mutant: 'keeps silent about what it takes away',
    run: async (harness) => {
      const { topic, group } = await fourPartitions(harness);
      const first = await join(harness, { topics: [topic], group });
      await first.owns(4);
      const second = await join(harness, { topics: [topic], group });
      await until(harness, 'each member had two', () => first.owned.size === 2 && second.owned.size === 2);
      expect([...first.owned, ...second.owned].sort()).toEqual(numbers(0, 4).map((n) => `${topic}/${n}`));
      expect(first.revocations).toEqual(expect.arrayContaining([...second.owned]));
    },
  },
  {
    name: 'raises the generation with each rebalance',
    mutant: 'calls every generation the first',
    run: async (harness) => {
      const { topic, group } = await fourPartitions(harness);
      const first = await join(harness, { topics: [topic], group });
      await first.owns(4);
      const before = Math.max(...first.generations);
      const second = await join(harness, { topics: [topic], group });
      await second.owns(2);
      expect(Math.min(...second.generations)).toBeGreaterThan(before);
      expect([...first.generations]).toEqual([...first.generations].sort((a, b) => a - b));
    },
  },
  {
    name: 'gives the partitions of a member that left to those that stay',
    mutant: 'lets a member that left keep its partitions',
    run: async (harness) => {
      const { topic, group } = await fourPartitions(harness);
      const first = await join(harness, { topics: [topic], group });
      await first.owns(4);
      const second = await join(harness, { topics: [topic], group });
      await second.owns(2);
      await first.active.close();
      await second.owns(4);
      await harness.log.append(numbers(0, 4).map((partition) => record(topic, `last${partition}`, { partition })));
      for (const partition of numbers(0, 4)) await second.heard(`last${partition}`);
    },
  },
  {
    name: 'delivers each record to a member of each group',
    mutant: 'takes all groups for one',
    run: async (harness) => {
      const { topic } = await fourPartitions(harness);
      await harness.log.append(numbers(0, 4).flatMap((partition) => records(topic, 5, `${partition}-`, partition)));
      const one = await join(harness, { topics: [topic], group: uniqueName('one') });
      const other = await join(harness, { topics: [topic], group: uniqueName('other') });
      await one.heardCount(20);
      await other.heardCount(20);
    },
  },
  {
    name: 'ignores the commit of a member that does not own the partition',
    mutant: 'takes a commit from anybody',
    run: async (harness) => {
      const { topic, group } = await fourPartitions(harness);
      await harness.log.append(numbers(0, 4).flatMap((partition) => records(topic, 9, 'v', partition)));
      const first = await join(harness, { topics: [topic], group });
      await first.owns(4);
      const second = await join(harness, { topics: [topic], group });
      await second.owns(2);
      const moved = numbers(0, 4).find((partition) => second.owned.has(`${topic}/${partition}`))!;
      const other = numbers(0, 4).find((partition) => !second.owned.has(`${topic}/${partition}`))!;
      await until(harness, 'the commit of an owner was taken', async () => {
        await first.active.commit([{ topic, partition: moved, offset: 3 }]);
        await first.active.commit([{ topic, partition: other, offset: 5 }]);
        return (await harness.log.committed(group, topic))[other] === 5;
      });
      expect((await harness.log.committed(group, topic))[moved]).not.toBe(3);
    },
  },
  {
    name: 'starts where the group committed, and at the start where it never did',
    mutant: 'starts at the start instead of the committed position',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 2 });
      const group = uniqueName('group');
      await harness.log.append([...records(topic, 9), ...records(topic, 9, 'w', 1)]);
      const first = await join(harness, { topics: [topic], group });
      await first.owns(2);
      await first.active.commit([{ topic, partition: 1, offset: 7 }]);
      await first.active.close();
      const second = await join(harness, { topics: [topic], group, start: 'committed' });
      await second.heardCount(11);
      expect(second.offsets(0)).toEqual(numbers(0, 9));
      expect(second.offsets(1)).toEqual([7, 8]);
    },
  },
  {
    name: 'says what a group committed, and nothing where it never did',
    mutant: 'says zero where nothing was committed',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 3 });
      const group = uniqueName('group');
      await harness.log.append(records(topic, 9, 'v', 1));
      const member = await join(harness, { topics: [topic], group });
      await member.owns(3);
      await member.active.commit([{ topic, partition: 1, offset: 4 }]);
      await member.active.commit([{ topic, partition: 1, offset: 6 }]);
      expect(await harness.log.committed(group, topic)).toEqual([undefined, 6, undefined]);
    },
  },
];

async function fourPartitions(harness: LogHarness): Promise<{ readonly topic: string; readonly group: string }> {
  return { topic: await createTopic(harness.log, { partitions: 4 }), group: uniqueName('group') };
}
