import { MillraceError } from '../../ports/errors.ts';
import { partitionName, type TopicPartition } from '../../ports/log.ts';
import { type KafkaCluster } from './kafka-cluster.ts';

/** The protocol's special timestamps: before the first record, behind the last one. */
const timestamps = { start: '-2', end: '-1' } as const;

/** First offset, or the offset behind the last record, of each partition, by its name. One attempt: the leaders must be known. */
export async function listOffsets(
  cluster: KafkaCluster,
  partitions: readonly TopicPartition[],
  edge: keyof typeof timestamps,
): Promise<ReadonlyMap<string, number>> {
  const offsets = new Map<string, number>();
  const byLeader = new Map<number, TopicPartition[]>();
  for (const where of partitions) {
    const leader = cluster.leader(where);
    if (leader === undefined) {
      await cluster.refresh([where.topic]);
      throw new MillraceError(
        'UNAVAILABLE',
        `Partition ${where.partition} of topic "${where.topic}" has no leader now.`,
      );
    }
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), where]);
  }
  const read = async (leader: number, led: readonly TopicPartition[]): Promise<void> => {
    const broker = await cluster.broker(leader);
    const asked = byTopic(led, ({ partition }) => ({ partition, timestamp: timestamps[edge] }));
    const { responses } = await broker.listOffsets({ isolationLevel: 0, topics: asked });
    for (const { topic, partitions: answers } of responses) {
      for (const { partition, offset } of answers) offsets.set(partitionName({ topic, partition }), Number(offset));
    }
  };
  try {
    await Promise.all([...byLeader].map(([leader, led]) => read(leader, led)));
  } catch (error) {
    await cluster.refresh([]).catch(() => undefined); // leaders may have moved: the next attempt asks the right one
    throw error;
  }
  return offsets;
}

export async function offsetOf(cluster: KafkaCluster, where: TopicPartition, edge: 'start' | 'end'): Promise<number> {
  const offsets = await listOffsets(cluster, [where], edge);
  return offsets.get(partitionName(where)) ?? 0;
}

/** Offsets that a group committed, by partition name; absent where it never did. */
export async function committedOffsets(
  cluster: KafkaCluster,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<ReadonlyMap<string, number>> {
  const offsets = new Map<string, number>();
  if (partitions.length === 0) return offsets;
  const coordinator = await cluster.coordinator(group);
  const asked = byTopic(partitions, ({ partition }) => ({ partition }));
  const { responses } = await coordinator.offsetFetch({ groupId: group, topics: asked });
  for (const { topic, partitions: answers } of responses) {
    for (const { partition, offset } of answers) {
      if (Number(offset) >= 0) offsets.set(partitionName({ topic, partition }), Number(offset));
    }
  }
  return offsets;
}

/** Groups partitions under their topics, as requests want them. */
export function byTopic<T extends TopicPartition, P>(
  partitions: readonly T[],
  part: (partition: T) => P,
): { readonly topic: string; readonly partitions: readonly P[] }[] {
  const topics = new Map<string, P[]>();
  for (const partition of partitions) {
    const known = topics.get(partition.topic);
    if (known === undefined) topics.set(partition.topic, [part(partition)]);
    else known.push(part(partition));
  }
  return [...topics].map(([topic, parts]) => ({ topic, partitions: parts }));
}
