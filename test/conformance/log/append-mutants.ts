import { hasCode } from '../../../runtime/ports/errors.ts';
import { type Log, type OutgoingRecord, partitionName } from '../../../runtime/ports/log.ts';
import { alterAppended, alterLog, alterRead, copyOf, never, type Mutant } from './altered-log.ts';
import { topicConfig } from './builders.ts';

export const appendMutants: Readonly<Record<string, Mutant>> = {
  'swaps two appends': (log) =>
    gatherTurn(log, (calls) => {
      for (let index = 0; index < calls.length; index += 2)
        for (const call of [calls[index + 1], calls[index]])
          if (call !== undefined) log.append(call.records).then(call.resolve, call.reject);
    }),
  'acknowledges the end of a large append without writing it': (log) =>
    alterLog(log, {
      append: async (records) => {
        if (records.length <= 200) return log.append(records);
        const offsets = await log.append(records.slice(0, -1));
        return [...offsets, (offsets.at(-1) ?? 0) + 1];
      },
    }),
  'answers offsets in the order of partitions': (log) =>
    alterLog(log, {
      append: async (records) => {
        const offsets = await log.append(records);
        const places = [...records.keys()].sort((a, b) => records[a]!.partition - records[b]!.partition);
        return places.map((place) => offsets[place]!);
      },
    }),
  'never answers an empty append': (log) =>
    alterLog(log, { append: (records) => (records.length === 0 ? never : log.append(records)) }),
  'creates what is appended to': (log) =>
    alterLog(log, {
      append: async (records) => {
        try {
          return await log.append(records);
        } catch (error) {
          if (!hasCode(error, 'NOT_FOUND')) throw error;
          await log.ensureTopics(records.map(({ topic }) => topicConfig(topic)));
          return log.append(records);
        }
      },
    }),
  'writes the good records of a refused call': (log) =>
    alterLog(log, {
      append: async (records) => {
        try {
          return await log.append(records);
        } catch (error) {
          if (hasCode(error, 'TOO_LARGE')) await log.append(records.filter(({ value }) => (value?.length ?? 0) < 100));
          throw error;
        }
      },
    }),
  'refuses the neighbours of a refused call': (log) =>
    gatherTurn(log, (calls) => {
      const all = log.append(calls.flatMap(({ records }) => records));
      let from = 0;
      for (const { records, resolve, reject } of calls) {
        const [start, end] = [from, from + records.length];
        from = end;
        all.then((offsets) => resolve(offsets.slice(start, end)), reject);
      }
    }),
  'takes any partition count': (log) =>
    alterLog(log, {
      ensureTopics: (topics) =>
        log.ensureTopics(topics).catch((error: unknown) => {
          if (!hasCode(error, 'TOPIC_MISMATCH')) throw error;
        }),
    }),
  'takes header values for text': alterAppended((record) => ({
    ...record,
    headers: Object.fromEntries(Object.entries(record.headers).map(([name, bytes]) => [name, asText(bytes)])),
  })),
  'takes values for text': alterAppended((record) => ({
    ...record,
    value: record.value === null ? null : asText(record.value),
  })),
  'writes an empty key where there is none': alterAppended((record) => ({ ...record, key: record.key ?? '' })),
  'writes a tombstone as an empty value': alterAppended((record) => ({
    ...record,
    value: record.value ?? Buffer.alloc(0),
  })),
  'says no append time': alterRead((record) => ({ ...copyOf(record), timestampMs: 0 })),
  'acknowledges before it writes': acknowledgeEarly,
};

interface GatheredCall {
  readonly records: readonly OutgoingRecord[];
  resolve(offsets: readonly number[]): void;
  reject(error: unknown): void;
}

/** Hands over all calls of one turn together. */
function gatherTurn(log: Log, send: (calls: readonly GatheredCall[]) => void): Log {
  let calls: GatheredCall[] = [];
  return alterLog(log, {
    append: (records) =>
      new Promise((resolve, reject) => {
        if (calls.length === 0)
          queueMicrotask(() => {
            const gathered = calls;
            calls = [];
            send(gathered);
          });
        calls.push({ records, resolve, reject });
      }),
  });
}

/** With more than four calls under way, it says the offsets that come next, and writes 2 s later, or before the next reading. */
function acknowledgeEarly(log: Log): Log {
  const next = new Map<string, number>();
  let buffered: OutgoingRecord[] = [];
  let underWay = 0;
  let timer: NodeJS.Timeout | undefined;
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const records = buffered;
    buffered = [];
    if (records.length > 0) await log.append(records);
  };
  return alterLog(log, {
    append: async (records) => {
      const offsets = records.map((record) => {
        const offset = next.get(partitionName(record)) ?? 0;
        next.set(partitionName(record), offset + 1);
        return offset;
      });
      underWay++;
      try {
        if (underWay <= 4 && buffered.length === 0) return await log.append(records);
        buffered.push(...records);
        timer ??= setTimeout(() => void flush().catch(() => undefined), 2_000);
        await new Promise((resolve) => setImmediate(resolve));
        return offsets;
      } finally {
        underWay--;
      }
    },
    async *read(partition, range) {
      await flush();
      yield* log.read(partition, range);
    },
    close: async () => {
      await flush();
      await log.close();
    },
  });
}

const asText = (bytes: Uint8Array | string): Buffer => Buffer.from(Buffer.from(bytes).toString('utf8'));
