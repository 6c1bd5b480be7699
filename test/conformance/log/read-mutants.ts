import type { Log, LogRecord, OutgoingRecord } from '../../../runtime/ports/log.ts';
import { alterLog, alterRead, copyOf, type Mutant } from './altered-log.ts';

export const readMutants: Readonly<Record<string, Mutant>> = {
  'reads one record too many': (log) =>
    alterLog(log, {
      read: (partition, range) =>
        log.read(
          partition,
          range.to !== undefined && range.to > range.from ? { from: range.from, to: range.to + 1 } : range,
        ),
    }),
  'reads on into what is appended meanwhile': (log) =>
    alterLog(log, {
      async *read(partition, range) {
        let next = range.from;
        for await (const batch of log.read(partition, range)) {
          yield batch;
          next = (batch.at(-1)?.offset ?? next) + 1;
        }
        if (range.to === undefined) yield* log.read(partition, { from: next });
      },
    }),
  'reads the last record when asked for nothing': (log) =>
    alterLog(log, {
      async *read(partition, range) {
        const end = (await log.endOffsets(partition.topic))[partition.partition] ?? 0;
        const nothing = range.from >= Math.min(end, range.to ?? end);
        yield* log.read(partition, nothing && end > 0 ? { from: end - 1 } : range);
      },
    }),
  'says the last offset for the end': (log) =>
    alterLog(log, {
      endOffsets: async (topic) => (await log.endOffsets(topic)).map((end) => Math.max(0, end - 1)),
    }),
  'truncates nothing': (log) => alterLog(log, { truncateBefore: async () => undefined }),
  'reads nothing below the start': (log) =>
    alterLog(log, {
      async *read(partition, range) {
        const start = (await log.startOffsets(partition.topic))[partition.partition] ?? 0;
        if (range.from >= start) yield* log.read(partition, range);
      },
    }),
  'keeps the oldest value of a key': (log) => {
    const oldest = new Map<string, OutgoingRecord['value']>();
    return rememberCompacted(log, (name, { value }) => {
      if (!oldest.has(name)) oldest.set(name, value);
    })((name, record) => {
      const value = oldest.get(name);
      return value === undefined || value === null || record.value === null
        ? record
        : { ...copyOf(record), value: Buffer.from(value) };
    });
  },
  'forgets tombstones at once': (log) =>
    rememberCompacted(log, () => undefined)((_, record) => (record.value === null ? undefined : record)),
  'keeps everything for ever': (log) =>
    alterLog(log, {
      ensureTopics: (topics) => log.ensureTopics(topics.map(({ retentionMs: _, ...topic }) => topic)),
    }),
};

/** Looks at what is appended to compacted topics, and changes what is read of them. */
function rememberCompacted(log: Log, appended: (name: string, record: OutgoingRecord) => void) {
  const compacted = new Set<string>();
  const nameOf = (topic: string, key: string): string => `${topic} ${key}`;
  return (change: (name: string, record: LogRecord) => LogRecord | undefined): Log =>
    alterLog(
      alterRead((record) =>
        compacted.has(record.topic) ? change(nameOf(record.topic, String(record.key)), record) : record,
      )(log),
      {
        ensureTopics: async (topics) => {
          await log.ensureTopics(topics);
          for (const { name, cleanup } of topics) if (cleanup === 'compact') compacted.add(name);
        },
        append: (records) => {
          for (const record of records)
            if (compacted.has(record.topic)) appended(nameOf(record.topic, String(record.key)), record);
          return log.append(records);
        },
      },
    );
}
