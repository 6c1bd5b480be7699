import { deadLetterHeader } from '../../runtime/engine/dead-letter.ts';
import { header } from '../../runtime/engine/envelope.ts';
import type { Runtime, TaskStats } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { LogRecord } from '../../runtime/ports/log.ts';
import { topicNames, topics } from '../../schemas/topics.ts';

export interface DeadLetter {
  /** `<task>@<offset>`: what `replay` takes. */
  readonly id: string;
  readonly task: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly code: string;
  readonly message: string;
  readonly at: number;
  readonly valueBytes: number;
}

export interface TopicStats {
  readonly topic: string;
  readonly access: string;
  readonly says: string;
  readonly partitions: readonly { readonly start: number; readonly end: number }[];
}

/** Dead letters, tasks and topics, for the people who run the platform. */
export interface Maintenance {
  listDeadLetters(): Promise<readonly DeadLetter[]>;
  /** Writes the dead record again, addressed to its task; it is folded once, and only if it is still dead. */
  replayDeadLetter(id: string): Promise<DeadLetter>;
  tasks(): readonly TaskStats[];
  topics(): Promise<readonly TopicStats[]>;
}

export function createMaintenance(runtime: Runtime): Maintenance {
  const { log } = runtime.parts;
  const records = async (): Promise<readonly { letter: DeadLetter; record: LogRecord }[]> => {
    const found: { letter: DeadLetter; record: LogRecord }[] = [];
    for await (const batch of log.read({ topic: runtime.topic('dead-letters'), partition: 0 }, { from: 0 })) {
      for (const record of batch) found.push({ letter: letterOf(record), record });
    }
    return found;
  };
  return {
    listDeadLetters: async () => (await records()).map(({ letter }) => letter).reverse(),
    replayDeadLetter: async (id) => {
      const found = (await records()).find(({ letter }) => letter.id === id);
      if (found === undefined)
        throw new MillraceError('NOT_FOUND', `there is no dead letter ${id}: see \`millrace dead-letters list\``);
      const { letter, record } = found;
      const own = Object.fromEntries(
        Object.entries(record.headers).filter(([name]) => !name.startsWith('__streams.errors.')),
      );
      const headers = { ...own, [header.control]: 'replay', [header.replay]: id };
      await log.append([
        { topic: letter.topic, partition: letter.partition, key: record.key, value: record.value, headers },
      ]);
      return letter;
    },
    tasks: () => runtime.stats(),
    topics: async () => {
      const stats: TopicStats[] = [];
      for (const name of topicNames) {
        const starts = await log.startOffsets(runtime.topic(name));
        const ends = await log.endOffsets(runtime.topic(name));
        const { access, says } = topics[name];
        stats.push({
          topic: name,
          access,
          says,
          partitions: ends.map((end, partition) => ({ start: starts[partition] ?? 0, end })),
        });
      }
      return stats;
    },
  };
}

function letterOf(record: LogRecord): DeadLetter {
  const text = (name: string): string => record.headers[name]?.toString('utf8') ?? '';
  const task = text(deadLetterHeader.task);
  const offset = Number(text(deadLetterHeader.offset) || -1);
  return {
    id: `${task}@${offset}`,
    task,
    topic: text(deadLetterHeader.topic),
    partition: Number(text(deadLetterHeader.partition) || 0),
    offset,
    code: text(deadLetterHeader.code),
    message: text(deadLetterHeader.message),
    at: record.timestampMs,
    valueBytes: record.value?.length ?? 0,
  };
}
