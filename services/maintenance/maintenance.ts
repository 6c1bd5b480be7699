import { deadLetterHeader } from '../../runtime/engine/dead-letter.ts';
import { header, textHeader } from '../../runtime/engine/envelope.ts';
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
  /**
   * Writes the dead record again. On a closed topic it is addressed to its task, which takes it once, and only if it is still dead. On
   * an open one it is a new record for every reader, under the id that its sender gave or else one of the letter's own, so whoever reads
   * it twice drops it as a repeat; CONFLICT once that was done.
   */
  replayDeadLetter(id: string): Promise<DeadLetter>;
  tasks(): readonly TaskStats[];
  topics(): Promise<readonly TopicStats[]>;
}

export function createMaintenance(runtime: Runtime): Maintenance {
  const { log } = runtime.parts;
  const letters = { topic: runtime.topic('dead-letters'), partition: 0 };
  const openTopics = new Set(
    topicNames.filter((name) => topics[name].access === 'open').map((name) => runtime.topic(name)),
  );
  const records = async () => {
    const found: { letter: DeadLetter; record: LogRecord }[] = [];
    const replayed = new Set<string>();
    for await (const batch of log.read(letters, { from: 0 })) {
      for (const record of batch) {
        const done = textHeader(record, deadLetterHeader.replayed);
        if (done === undefined) found.push({ letter: letterOf(record), record });
        else replayed.add(done);
      }
    }
    return { found, replayed };
  };
  return {
    listDeadLetters: async () => (await records()).found.map(({ letter }) => letter).reverse(),
    replayDeadLetter: async (id) => {
      const { found, replayed } = await records();
      const one = found.find(({ letter }) => letter.id === id);
      if (one === undefined)
        throw new MillraceError('NOT_FOUND', `there is no dead letter ${id}: see \`millrace dead-letters list\``);
      const { letter, record } = one;
      const open = openTopics.has(letter.topic);
      if (open && replayed.has(id)) {
        throw new MillraceError(
          'CONFLICT',
          `dead letter ${id} was replayed before: what became of it is an event of its own, or another dead letter: see \`millrace dead-letters list\``,
        );
      }
      const own = Object.fromEntries(
        Object.entries(record.headers).filter(([name]) => !name.startsWith('__streams.errors.')),
      );
      const headers = open
        ? { [header.id]: `dead-letter/${id}`, ...own }
        : { ...own, [header.control]: 'replay', [header.replay]: id };
      const { topic, partition } = letter;
      await log.append([{ topic, partition, key: record.key, value: record.value, headers }]);
      if (open) {
        const mark = { [deadLetterHeader.replayed]: id };
        await log.append([{ ...letters, key: letter.task, value: null, headers: mark }]);
      }
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
