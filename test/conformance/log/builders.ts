import { randomUUID } from 'node:crypto';
import { hasCode } from '../../../runtime/ports/errors.ts';
import type { Log, LogRecord, OutgoingRecord, TopicConfig } from '../../../runtime/ports/log.ts';

export const uniqueName = (stem: string): string => `${stem}-${randomUUID().slice(0, 13)}`;

/** Creates a topic with a name of its own, and answers the name. */
export async function createTopic(log: Log, config: Partial<TopicConfig> = {}): Promise<string> {
  const name = uniqueName('suite');
  await log.ensureTopics([topicConfig(name, config)]);
  return name;
}

export const topicConfig = (name: string, config: Partial<TopicConfig> = {}): TopicConfig => ({
  name,
  partitions: 1,
  cleanup: 'delete',
  recordBytesMax: 1_000_000,
  replication: 1,
  minInsyncReplicas: 1,
  ...config,
});

export const record = (topic: string, value: string | Uint8Array | null, rest: Partial<OutgoingRecord> = {}) => ({
  topic,
  partition: 0,
  key: null,
  value: typeof value === 'string' ? Buffer.from(value) : value,
  headers: {},
  ...rest,
});

/** `count` records of one partition whose values are `prefix` and a number from 0. */
export const records = (topic: string, count: number, prefix = 'v', partition = 0): OutgoingRecord[] =>
  Array.from({ length: count }, (_, index) => record(topic, `${prefix}${index}`, { partition }));

export const text = ({ value }: Pick<LogRecord, 'value'>): string => value?.toString('utf8') ?? 'null';

export async function readAll(
  log: Log,
  topic: string,
  partition = 0,
  range: { readonly from: number; readonly to?: number } = { from: 0 },
): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const batch of log.read({ topic, partition }, range)) all.push(...batch);
  return all;
}

/** `from`, `from + 1` … `to - 1`. */
export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);

/** The code with which a promise rejects, or how it came out otherwise. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return hasCode(error, ...allCodes) ? error.code : `not a MillraceError: ${String(error)}`;
  }
}

const allCodes = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'TOO_LARGE',
  'TOPIC_MISMATCH',
  'CLOSED',
  'UNKNOWN_OUTCOME',
  'STATE_AHEAD_OF_LOG',
  'UNAVAILABLE',
  'TIMEOUT',
  'DISK_FULL',
  'CORRUPT',
  'LOCKED',
  'NEWER_FORMAT',
] as const;
