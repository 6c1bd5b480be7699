import { MillraceError } from '../../../runtime/ports/errors.ts';
import { type LogRecord, partitionName, type Subscription } from '../../../runtime/ports/log.ts';
import { alterHandler, alterLog, alterMembers, alterOptions, alterSubscription, type Mutant } from './altered-log.ts';

export const deliveryMutants: Readonly<Record<string, Mutant>> = {
  'swaps two records of a delivery': alterMembers((handler) => ({
    records: (partition, records, endOffset) => {
      const [first, second, ...rest] = records;
      const swaps = partition.partition === 2 && records.length > 10;
      handler.records(partition, swaps ? [second!, first!, ...rest] : records, endOffset);
    },
  })),
  'falls asleep at the end': alterMembers((handler) => {
    let single = 0;
    return {
      records: (partition, records, endOffset) => {
        single = records.length === 1 ? single + 1 : 0;
        if (single < 20) handler.records(partition, records, endOffset);
      },
    };
  }),
  'says the end of the delivery for the end of the partition': alterMembers((handler) => ({
    records: (partition, records) => handler.records(partition, records, (records.at(-1)?.offset ?? -1) + 1),
  })),
  'starts at the start in any case': alterOptions((options) => ({
    ...options,
    start: options.start === 'latest' ? 'earliest' : options.start,
  })),
  'starts one record late': alterMembers((handler) => ({
    assigned: async (partitions, generation) =>
      (await handler.assigned(partitions, generation)).map((start) => ({ ...start, offset: start.offset + 1 })),
  })),
  'fails a member behind the start': alterMembers((handler, log) => ({
    assigned: async (partitions, generation) => {
      const starts = await handler.assigned(partitions, generation);
      for (const { topic, partition, offset } of starts)
        if (offset < ((await log.startOffsets(topic))[partition] ?? 0))
          handler.failed(new MillraceError('LOG_TRUNCATED', 'mutant'));
      return starts;
    },
  })),
  'waits silently beyond the end': alterMembers(() => ({ failed: () => undefined })),
  'does not wait for the member': alterMembers((handler) => ({
    assigned: (partitions, generation) =>
      Promise.race([
        handler.assigned(partitions, generation),
        new Promise<[]>((resolve) => {
          setImmediate(() => resolve([]));
        }),
      ]),
  })),
  'ignores pause': (log) =>
    alterLog(log, {
      subscribe: async (options, handler) => {
        const seen = new Set<string>();
        const subscription = await log.subscribe(
          options,
          alterHandler(handler, {
            records: (partition, records, endOffset) => {
              seen.add(partitionName(partition));
              handler.records(partition, records, endOffset);
            },
          }),
        );
        return alterSubscription(subscription, {
          pause: (partitions) => subscription.pause(partitions.filter((one) => seen.has(partitionName(one)))),
        });
      },
    }),
  'loses what was appended during a pause': (log) => {
    const paused = new Set<string>();
    const lost = new Set<string>();
    const kept = ({ topic, partition, offset }: LogRecord): boolean => !lost.has(`${topic}/${partition}@${offset}`);
    return alterLog(log, {
      append: async (records) => {
        const during = records.map((record) => paused.has(partitionName(record)));
        const offsets = await log.append(records);
        for (const [index, record] of records.entries())
          if (during[index] === true) lost.add(`${partitionName(record)}@${offsets[index]}`);
        return offsets;
      },
      subscribe: async (options, handler) => {
        const subscription = await log.subscribe(
          options,
          alterHandler(handler, {
            records: (partition, records, endOffset) => handler.records(partition, records.filter(kept), endOffset),
          }),
        );
        return alterSubscription(subscription, {
          pause: (partitions) => {
            for (const partition of partitions) paused.add(partitionName(partition));
            subscription.pause(partitions);
          },
          resume: (partitions) => {
            for (const partition of partitions) paused.delete(partitionName(partition));
            subscription.resume(partitions);
          },
        });
      },
    });
  },
  'loses records of a member that pauses often': (log) =>
    alterLog(log, {
      subscribe: async (options, handler) => {
        let pauses = 0;
        const subscription = await log.subscribe(
          options,
          alterHandler(handler, {
            records: (partition, records, endOffset) =>
              handler.records(partition, pauses === 5 ? records.slice(0, -1) : records, endOffset),
          }),
        );
        return alterSubscription(subscription, {
          pause: (partitions) => {
            pauses++;
            subscription.pause(partitions);
          },
        });
      },
    }),
  'shares partitions among members without a group': alterOptions((options) => ({
    ...options,
    group: options.group ?? `shared-${options.topics.join('-')}`,
  })),
  'goes on delivering after close': (log) =>
    alterLog(log, {
      subscribe: async (options, handler) => {
        const subscription: Subscription = await log.subscribe(options, handler);
        let closed = false;
        return alterSubscription(subscription, {
          close: async () => {
            await subscription.close();
            if (closed) return;
            closed = true;
            const silent = { assigned: async () => [], revoked: () => undefined };
            await log.subscribe({ topics: options.topics, start: 'latest' }, alterHandler(handler, silent));
          },
        });
      },
    }),
};
