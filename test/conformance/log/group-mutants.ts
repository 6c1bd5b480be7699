import type { Subscription } from '../../../runtime/ports/log.ts';
import {
  alterHandler,
  alterLog,
  alterMembers,
  alterOptions,
  alterSubscription,
  never,
  type Mutant,
} from './altered-log.ts';

export const groupMutants: Readonly<Record<string, Mutant>> = {
  'keeps silent about what it takes away': alterMembers(() => ({ revoked: () => undefined })),
  'calls every generation the first': alterMembers((handler) => ({
    assigned: (partitions) => handler.assigned(partitions, 1),
    revoked: (partitions) => handler.revoked(partitions, 1),
  })),
  'lets a member that left keep its partitions': (log) => {
    const members = new Map<string, number>();
    return alterLog(log, {
      subscribe: async (options, handler) => {
        const { group = '' } = options;
        members.set(group, (members.get(group) ?? 0) + 1);
        let gone = false;
        const subscription = await log.subscribe(
          options,
          alterHandler(handler, {
            records: (partition, records, endOffset) => {
              if (!gone) handler.records(partition, records, endOffset);
            },
          }),
        );
        return alterSubscription(subscription, {
          close: async () => {
            gone = true;
            if (group === '' || members.get(group) === 1) await subscription.close();
          },
        });
      },
    });
  },
  'takes all groups for one': (log) => {
    const one = (group: string | undefined): string | undefined => (group === undefined ? undefined : 'everyone');
    return alterLog(log, {
      subscribe: (options, handler) => log.subscribe({ ...options, group: one(options.group) }, handler),
      committed: (_, topic) => log.committed('everyone', topic),
    });
  },
  'takes a commit from anybody': (log) => {
    const members = new Map<string, Subscription[]>();
    return alterLog(log, {
      subscribe: async (options, handler) => {
        const subscription = await log.subscribe(options, handler);
        const { group = '' } = options;
        const all = members.get(group) ?? [];
        members.set(group, [...all, subscription]);
        return alterSubscription(subscription, {
          commit: async (positions) => {
            for (const member of members.get(group) ?? []) await member.commit(positions);
          },
        });
      },
    });
  },
  'starts at the start instead of the committed position': alterOptions((options) => ({
    ...options,
    start: options.start === 'committed' ? 'earliest' : options.start,
  })),
  'says zero where nothing was committed': (log) =>
    alterLog(log, {
      committed: async (group, topic) => (await log.committed(group, topic)).map((offset) => offset ?? 0),
    }),
  'forgets commits when it is closed': (log, world) => {
    const opensAnew = world?.wasClosed === true;
    return alterLog(log, {
      committed: async (group, topic) => {
        const offsets = await log.committed(group, topic);
        return opensAnew ? offsets.map(() => undefined) : offsets;
      },
      close: async () => {
        if (world !== undefined) world.wasClosed = true;
        await log.close();
      },
    });
  },
  'leaves appends unanswered when it is closed': (log) => {
    let closed = false;
    return alterLog(log, {
      append: async (records) => {
        if (closed) return log.append(records);
        const offsets = await log.append(records);
        return closed ? never : offsets;
      },
      close: () => {
        closed = true;
        return log.close();
      },
    });
  },
  'cannot be closed twice': (log) => {
    let closed = false;
    return alterLog(log, {
      close: async () => {
        if (closed) throw new Error('mutant');
        closed = true;
        await log.close();
      },
    });
  },
  'skips a record after a broken connection': (log, world) =>
    alterMembers((handler) => {
      let skips = 1;
      return {
        records: (partition, records, endOffset) => {
          const skip = world?.connectionsBroken === true && skips > 0;
          if (skip) skips--;
          handler.records(partition, skip ? records.slice(1) : records, endOffset);
        },
      };
    })(log),
};
