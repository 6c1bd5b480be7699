import { expect } from 'vitest';
import { hasCode } from '../../../runtime/ports/errors.ts';
import { createTopic, numbers, record, records, uniqueName } from './builders.ts';
import type { LogCase } from './log-harness.ts';
import { join } from './member.ts';
import { until } from './until.ts';

export const deliveryCases: readonly LogCase[] = [
  {
    name: 'delivers each partition in the order of its offsets',
    mutant: 'swaps two records of a delivery',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 3 });
      await harness.log.append(numbers(0, 3).flatMap((partition) => records(topic, 20, `${partition}-`, partition)));
      const member = await join(harness, { topics: [topic] });
      await member.heardCount(60);
      for (const partition of [0, 1, 2]) expect(member.offsets(partition)).toEqual(numbers(0, 20));
    },
  },
  {
    name: 'goes on delivering what is appended after the end was reached',
    mutant: 'falls asleep at the end',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const member = await join(harness, { topics: [topic] });
      for (const index of numbers(0, 30)) {
        await harness.log.append([record(topic, `v${index}`)]);
        await member.heard(`v${index}`);
      }
      expect(member.offsets(0)).toEqual(numbers(0, 30));
    },
  },
  {
    name: 'says with each delivery where the partition ends',
    mutant: 'says the end of the delivery for the end of the partition',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const value = Buffer.alloc(90_000);
      for (const _ of numbers(0, 6)) await harness.log.append(numbers(0, 8).map(() => record(topic, value)));
      const member = await join(harness, { topics: [topic] });
      await member.heardCount(48);
      expect(member.ends.every(({ end }) => end === 48)).toBe(true);
    },
  },
  {
    name: 'starts at the end for a member that wants only what is new',
    mutant: 'starts at the start in any case',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      await harness.log.append(records(topic, 5, 'old'));
      const member = await join(harness, { topics: [topic], start: 'latest' });
      await member.owns(1);
      await until(harness, 'something new was delivered', async () => {
        await harness.log.append([record(topic, 'new')]);
        return member.delivered.length > 0;
      });
      expect(member.values.filter((value) => value.startsWith('old'))).toEqual([]);
    },
  },
  {
    name: 'starts at the position that the member answers',
    mutant: 'starts one record late',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 2 });
      await harness.log.append([...records(topic, 9), ...records(topic, 9, 'w', 1)]);
      const member = await join(
        harness,
        { topics: [topic] },
        { assigned: async () => [{ topic, partition: 1, offset: 6 }] },
      );
      await member.heardCount(12);
      expect(member.offsets(0)).toEqual(numbers(0, 9));
      expect(member.offsets(1)).toEqual(numbers(6, 9));
    },
  },
  {
    name: 'starts at the start when the answered position was truncated',
    mutant: 'fails a member behind the start',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      await harness.log.append(records(topic, 9));
      await harness.log.truncateBefore({ topic, partition: 0 }, 5);
      const member = await join(
        harness,
        { topics: [topic] },
        { assigned: async () => [{ topic, partition: 0, offset: 2 }] },
      );
      const start = Math.max(2, (await harness.log.startOffsets(topic))[0]!);
      await member.heardCount(9 - start);
      expect(member.offsets(0)).toEqual(numbers(start, 9));
      expect(member.failures).toEqual([]);
    },
  },
  {
    name: 'fails a member whose position lies beyond the end, because the log shrank',
    mutant: 'waits silently beyond the end',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      await harness.log.append(records(topic, 3));
      const member = await join(
        harness,
        { topics: [topic] },
        { assigned: async () => [{ topic, partition: 0, offset: 9 }] },
      );
      await until(harness, 'the member failed', () => member.failures.length > 0);
      expect(hasCode(member.failures[0], 'STATE_AHEAD_OF_LOG')).toBe(true);
      expect(member.delivered).toEqual([]);
    },
  },
  {
    name: 'delivers nothing of a partition before its member was ready for it',
    mutant: 'does not wait for the member',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      await harness.log.append(records(topic, 5));
      let open = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const member = await join(harness, { topics: [topic] }, { assigned: () => gate.then(() => []) });
      const witness = await join(harness, { topics: [topic], group: uniqueName('witness') });
      // The witness goes through several rounds, in each of which the member could have heard something too early.
      for (const index of numbers(0, 5)) {
        await witness.heardCount(5 + index);
        await harness.log.append([record(topic, `w${index}`)]);
      }
      await witness.heardCount(10);
      const early = member.delivered.length;
      open();
      await member.heardCount(10);
      expect(early).toBe(0);
      expect(member.offsets(0)).toEqual(numbers(0, 10));
    },
  },
  {
    name: 'delivers nothing of a paused partition, and goes on with the others',
    mutant: 'ignores pause',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 2 });
      const member = await join(harness, { topics: [topic] });
      await member.owns(2);
      member.active.pause([{ topic, partition: 0 }]);
      for (const index of numbers(0, 5)) {
        await harness.log.append([record(topic, 'still'), record(topic, `on${index}`, { partition: 1 })]);
        await member.heard(`on${index}`);
      }
      expect(member.offsets(0)).toEqual([]);
    },
  },
  {
    name: 'delivers after resume what was appended during the pause',
    mutant: 'loses what was appended during a pause',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const member = await join(harness, { topics: [topic] });
      await harness.log.append([record(topic, 'before')]);
      await member.heard('before');
      member.active.pause([{ topic, partition: 0 }]);
      await harness.log.append(records(topic, 5));
      member.active.resume([{ topic, partition: 0 }]);
      await harness.log.append([record(topic, 'after')]);
      await member.heard('after');
      expect(member.offsets(0)).toEqual(numbers(0, 7));
    },
  },
  {
    name: 'gives a slow member no more than it takes, and all of it',
    mutant: 'loses records of a member that pauses often',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const count = 400;
      const pad = 'x'.repeat(20_000);
      for (const index of numbers(0, count / 10)) await harness.log.append(records(topic, 10, `${index}${pad}`));
      const where = [{ topic, partition: 0 }];
      const queue: number[] = [];
      const taken: number[] = [];
      let paused = false;
      let whilePaused = 0;
      const member = await join(
        harness,
        { topics: [topic] },
        {
          records: (_, batch) => {
            if (paused) whilePaused += batch.length;
            queue.push(...batch.map(({ offset }) => offset));
            paused = true;
            member.active.pause(where);
          },
        },
      );
      await until(harness, `${count} records were taken`, () => {
        taken.push(...queue.splice(0, 20));
        if (paused && queue.length === 0) {
          paused = false;
          member.active.resume(where);
        }
        return taken.length >= count;
      });
      expect(taken).toEqual(numbers(0, count));
      expect(whilePaused).toBe(0);
    },
  },
  {
    name: 'gives every member without a group everything',
    mutant: 'shares partitions among members without a group',
    run: async (harness) => {
      const topic = await createTopic(harness.log, { partitions: 2 });
      await harness.log.append([...records(topic, 5), ...records(topic, 5, 'w', 1)]);
      const members = [await join(harness, { topics: [topic] }), await join(harness, { topics: [topic] })];
      for (const member of members) await member.heardCount(10);
      for (const member of members) expect(member.owned.size).toBe(2);
    },
  },
  {
    name: 'delivers nothing after a subscription was closed',
    mutant: 'goes on delivering after close',
    run: async (harness) => {
      const topic = await createTopic(harness.log);
      const member = await join(harness, { topics: [topic] });
      const witness = await join(harness, { topics: [topic], group: uniqueName('witness') });
      await harness.log.append([record(topic, 'before')]);
      await member.heard('before');
      await member.active.close();
      await member.active.close();
      for (const index of numbers(0, 5)) {
        await harness.log.append([record(topic, `after${index}`)]);
        await witness.heard(`after${index}`);
      }
      expect(member.values).toEqual(['before']);
    },
  },
];
