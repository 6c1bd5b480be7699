import { MillraceError } from '../../ports/errors.ts';
import { type TopicConfig } from '../../ports/log.ts';
import { type KafkaCluster } from './kafka-cluster.ts';
import { wireType } from './kafka-errors.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { retrying } from './retrying.ts';
import { framingBytes, type TopicDirectory } from './topic-directory.ts';

/** Creates topics that are missing, and refuses to work with topics that are not as the catalogue says. */
export async function ensureTopics(
  cluster: KafkaCluster,
  directory: TopicDirectory,
  options: ResolvedKafkaOptions,
  topics: readonly TopicConfig[],
): Promise<void> {
  if (topics.length === 0) return;
  const names = topics.map(({ name }) => name);
  await retrying(`creating topics ${names.join(', ')}`, options.operationTimeoutMs, async () => {
    await cluster.refresh(names);
    const missing = topics.filter(({ name }) => cluster.partitionCount(name) === undefined);
    if (missing.length > 0) await create(cluster, options, missing);
    const ready = topics.every((topic) => hasLeaders(cluster, topic));
    if (!ready) throw new MillraceError('UNAVAILABLE', 'Not every partition has a leader yet.');
    const settings = await directory.settings(names);
    refuseMismatch(cluster, settings, topics);
    for (const { name, partitions } of topics) directory.remember(name, partitions, settings.get(name));
  });
}

async function create(
  cluster: KafkaCluster,
  options: ResolvedKafkaOptions,
  missing: readonly TopicConfig[],
): Promise<void> {
  const broker = await cluster.anyBroker();
  const topics = missing.map((topic) => ({
    topic: topic.name,
    numPartitions: topic.partitions,
    replicationFactor: topic.replication,
    configEntries: Object.entries(settingsOf(topic, options)).map(([name, value]) => ({ name, value })),
  }));
  try {
    await broker.createTopics({ topics, timeout: options.requestTimeoutMs });
  } catch (error) {
    // Another process was faster, which may hide that others of the list failed: the next look says.
    if (wireType(error) !== 'TOPIC_ALREADY_EXISTS') throw error;
  }
  await cluster.refresh([]);
}

/** All settings at once: Kafka's old call to alter some of them resets the others. */
function settingsOf(topic: TopicConfig, { compression }: ResolvedKafkaOptions): Record<string, string> {
  return {
    'cleanup.policy': topic.cleanup,
    'retention.ms': String(topic.retentionMs ?? -1),
    'retention.bytes': '-1',
    'max.message.bytes': String(topic.recordBytesMax + framingBytes),
    'min.insync.replicas': String(topic.minInsyncReplicas),
    'message.timestamp.type': 'LogAppendTime',
    'compression.type': compression,
    'unclean.leader.election.enable': 'false',
  };
}

function hasLeaders(cluster: KafkaCluster, { name, partitions }: TopicConfig): boolean {
  const count = cluster.partitionCount(name);
  if (count === undefined) return false;
  if (count !== partitions) return true; // refused below
  for (let partition = 0; partition < count; partition++) {
    if (cluster.leader({ topic: name, partition }) === undefined) return false;
  }
  return true;
}

function refuseMismatch(
  cluster: KafkaCluster,
  settings: ReadonlyMap<string, ReadonlyMap<string, string>>,
  topics: readonly TopicConfig[],
): void {
  const problems = topics.flatMap((topic) => {
    const { name, partitions } = topic;
    const got = settings.get(name);
    const differs = (what: string, expected: string, found: string | undefined): string[] =>
      found === undefined || found === expected ? [] : [`"${name}" has ${what} ${found}, expected ${expected}`];
    return [
      ...differs('partitions', String(partitions), String(cluster.partitionCount(name))),
      ...differs('cleanup.policy', topic.cleanup, got?.get('cleanup.policy')),
      ...differs('message.timestamp.type', 'LogAppendTime', got?.get('message.timestamp.type')),
    ];
  });
  if (problems.length === 0) return;
  const message = `Topics are not as the catalogue says: ${problems.join('; ')}. Correct the settings; partition counts never change: go back to the expected count, or start anew under another kafka.prefix.`;
  throw new MillraceError('TOPIC_MISMATCH', message, { details: { problems } });
}
