/**
 * Deletes what every reader of a topic has behind it. Whoever owns the one partition of `snapshots` does it, each time that a snapshot or
 * a projection's position moves: only then can there be anything new to delete. What is decided is said on `operations` first.
 */
import { createHash } from 'node:crypto';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../runtime/engine/service.ts';
import { readSnapshots } from '../../runtime/engine/snapshot-list.ts';
import type { AnyTopology } from '../../runtime/engine/topology.ts';
import type { TopicPartition } from '../../runtime/ports/log.ts';
import { type TopicEntry, type TopicName, topicNames, topics } from '../../schemas/topics.ts';
import { readingFloors } from './reading-floor.ts';
import { verdictsFloor } from './verdicts.ts';

export interface RetentionOptions {
  readonly runtime: Runtime;
  /** Every topology that may run on this log. */
  readonly topologies: readonly AnyTopology[];
  /** Younger records stay, whoever has read them, milliseconds. */
  readonly keepMs: number;
  /** What is deleted, and who reads it. @default the catalogue's */
  readonly readers?: ReadersByTopic;
}

export type ReadersByTopic = Partial<Record<TopicName, readonly string[]>>;

function catalogueReaders(): ReadersByTopic {
  // dead letters are judged one by one
  const read = topicNames.filter((name) => name !== 'dead-letters' && (topics[name] as TopicEntry).deleted === 'read');
  return Object.fromEntries(read.map((name) => [name, topics[name].readBy]));
}

export function createRetention({
  runtime,
  topologies,
  keepMs,
  readers = catalogueReaders(),
}: RetentionOptions): Service<'snapshots'> {
  const { log, clock, logger } = runtime.parts;
  const declared = new Set([
    ...topologies.map(({ name }) => name),
    ...Object.values(topics).flatMap(({ readBy }): readonly string[] => readBy),
  ]);
  return {
    name: 'log-retention',
    inputs: ['snapshots'],
    outputs: ['operations'],
    summary: 'deletes what every reader of a topic has behind it',
    async handle() {
      const nowMs = clock.now();
      const facts = {
        runtime,
        topologies,
        list: await readSnapshots(runtime.parts, runtime),
        silentSinceMs: nowMs - keepMs,
      };
      const count: Record<string, number> = {};
      for (const [name, readBy] of Object.entries(readers)) {
        const topic = name as TopicName;
        const [starts, ends] = await Promise.all([
          log.startOffsets(runtime.topic(topic)),
          log.endOffsets(runtime.topic(topic)),
        ]);
        if (ends.every((end, partition) => end === starts[partition])) continue;
        for (const [partition, floor] of (await readingFloors(topic, readBy, facts)).entries()) {
          const place = { topic: runtime.topic(topic), partition };
          const from = starts[partition] ?? 0;
          if (floor.offset <= from) continue;
          const to = await firstYounger(runtime, place, from, floor.offset, nowMs - keepMs);
          if (to <= from) continue;
          await runtime.publish([decided(`${topic}/${partition}`, from, to, floor.reader)]);
          await log.truncateBefore(place, to);
          logger.info({ topic, partition, from, to }, 'records that every reader has behind it were deleted');
          count[`deleted.${topic}`] = (count[`deleted.${topic}`] ?? 0) + to - from;
        }
      }
      const letters = { topic: runtime.topic('dead-letters'), partition: 0 };
      const [from = 0] = await log.startOffsets(letters.topic);
      const { offset: to, reader } = await verdictsFloor(runtime, facts.list, nowMs - keepMs, (reader) =>
        declared.has(reader),
      );
      if (to > from) {
        await runtime.publish([decided('dead-letters/0', from, to, reader)]);
        await log.truncateBefore(letters, to);
        count['deleted.dead-letters'] = to - from;
      }
      return { outputs: [], count };
    },
  };
}

function decided(object: string, from: number, to: number, reader: string): IdentifiedOutput {
  const id = `deleted-${createHash('sha256').update(`${object} ${to}`).digest('hex').slice(0, 24)}`;
  const detail = JSON.stringify({ from, to, heldBy: reader });
  const data = { operationId: id, action: 'log.delete', object, actor: 'log-retention', outcome: 'decided', detail };
  return { topic: 'operations', type: 'operation-recorded', key: object, data, id };
}

/** First offset of `[from, to)` that was appended at `timeMs` or later; append times grow, but for the clocks of brokers. */
async function firstYounger(
  { parts: { log } }: Runtime,
  place: TopicPartition,
  from: number,
  to: number,
  timeMs: number,
): Promise<number> {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    let old = true;
    for await (const [record] of log.read(place, { from: middle, to: middle + 1 })) {
      old = record === undefined || record.timestampMs < timeMs;
      break;
    }
    if (old) low = middle + 1;
    else high = middle;
  }
  return low;
}
