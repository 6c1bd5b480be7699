import type {
  Log,
  LogRecord,
  OutgoingRecord,
  SubscribeOptions,
  Subscription,
  SubscriptionHandler,
} from '../../../runtime/ports/log.ts';

/** What mutants know beside the calls to the log. One per harness, so it outlives a reopening. */
export interface MutantWorld {
  connectionsBroken: boolean;
  wasClosed: boolean;
}

/** A log that is broken on purpose. */
export type Mutant = (log: Log, world?: MutantWorld) => Log;

/** A log that passes everything on, but for `changes`. */
export const alterLog = (log: Log, changes: Partial<Log>): Log => ({
  ensureTopics: (topics) => log.ensureTopics(topics),
  partitions: (topic) => log.partitions(topic),
  append: (records) => log.append(records),
  subscribe: (options, handler) => log.subscribe(options, handler),
  startOffsets: (topic) => log.startOffsets(topic),
  endOffsets: (topic) => log.endOffsets(topic),
  read: (partition, range) => log.read(partition, range),
  committed: (group, topic) => log.committed(group, topic),
  truncateBefore: (partition, offset) => log.truncateBefore(partition, offset),
  close: () => log.close(),
  ...changes,
});

export const alterHandler = (
  handler: SubscriptionHandler,
  changes: Partial<SubscriptionHandler>,
): SubscriptionHandler => ({
  assigned: (partitions, generation) => handler.assigned(partitions, generation),
  revoked: (partitions, generation) => handler.revoked(partitions, generation),
  records: (partition, records, endOffset) => handler.records(partition, records, endOffset),
  failed: (error) => handler.failed(error),
  ...changes,
});

export const alterSubscription = (subscription: Subscription, changes: Partial<Subscription>): Subscription => ({
  pause: (partitions) => subscription.pause(partitions),
  resume: (partitions) => subscription.resume(partitions),
  commit: (positions) => subscription.commit(positions),
  close: () => subscription.close(),
  ...changes,
});

/** Changes what each member hears. `changes` is called once per member, so it may keep something in its closure. */
export const alterMembers =
  (changes: (handler: SubscriptionHandler, log: Log) => Partial<SubscriptionHandler>): Mutant =>
  (log) =>
    alterLog(log, {
      subscribe: (options, handler) => log.subscribe(options, alterHandler(handler, changes(handler, log))),
    });

export const alterOptions =
  (change: (options: SubscribeOptions) => SubscribeOptions): Mutant =>
  (log) =>
    alterLog(log, { subscribe: (options, handler) => log.subscribe(change(options), handler) });

export const alterAppended =
  (change: (record: OutgoingRecord) => OutgoingRecord): Mutant =>
  (log) =>
    alterLog(log, { append: (records) => log.append(records.map(change)) });

/** Changes (or takes away, by undefined) records that are read. */
export const alterRead =
  (change: (record: LogRecord) => LogRecord | undefined): Mutant =>
  (log) =>
    alterLog(log, {
      async *read(partition, range) {
        for await (const batch of log.read(partition, range))
          yield batch.flatMap((record) => {
            const changed = change(record);
            return changed === undefined ? [] : [changed];
          });
      },
    });

export const copyOf = ({ topic, partition, offset, timestampMs, key, value, headers }: LogRecord): LogRecord => ({
  topic,
  partition,
  offset,
  timestampMs,
  key,
  value,
  headers,
});

export const never = new Promise<never>(() => undefined);
