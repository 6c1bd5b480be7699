import { MillraceError } from '../../ports/errors.ts';
import { type TopicPartition } from '../../ports/log.ts';
import { type KafkaCluster } from './kafka-cluster.ts';
import { retrying } from './retrying.ts';

/** Bytes that a record batch of one record may have beyond key, value and headers. */
export const framingBytes = 1024;

export interface TopicFacts {
  readonly partitions: number;
  /** The topic's `max.message.bytes`: limit of one record batch. */
  readonly batchBytesMax: number;
}

const topicResource = 2;

/** What the brokers say about topics, remembered: partition counts, limits, leaders. */
export class TopicDirectory {
  readonly #cluster: KafkaCluster;
  readonly #timeoutMs: number;
  readonly #facts = new Map<string, TopicFacts>();
  #refreshing: Promise<void> | undefined;

  constructor(cluster: KafkaCluster, timeoutMs: number) {
    this.#cluster = cluster;
    this.#timeoutMs = timeoutMs;
  }

  /** What is remembered already. */
  known(topic: string): TopicFacts | undefined {
    return this.#facts.get(topic);
  }

  /** NOT_FOUND for a topic that does not exist. */
  async facts(topic: string): Promise<TopicFacts> {
    const known = this.#facts.get(topic);
    if (known !== undefined) return known;
    return retrying(`looking up topic "${topic}"`, this.#timeoutMs, async () => {
      await this.#cluster.refresh([topic]);
      const partitions = this.#cluster.partitionCount(topic);
      if (partitions === undefined) throw unknownTopic(topic);
      const settings = await this.settings([topic]);
      const batchBytesMax = Number(settings.get(topic)?.get('max.message.bytes') ?? 1_048_588);
      const facts = { partitions, batchBytesMax };
      this.#facts.set(topic, facts);
      return facts;
    });
  }

  /** Forgets what was remembered, because a topic was just created or changed. */
  forget(topic: string): void {
    this.#facts.delete(topic);
  }

  leader(where: TopicPartition): number | undefined {
    return this.#cluster.leader(where);
  }

  /** Reads leaders anew; calls at the same time share one reading. Never rejects: the next failure asks again. */
  refreshLeaders(): Promise<void> {
    this.#refreshing ??= this.#cluster
      .refresh([])
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  /** Settings of topics that exist, by topic and name. */
  async settings(topics: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    if (topics.length === 0) return new Map();
    const broker = await this.#cluster.anyBroker();
    const { resources } = await broker.describeConfigs({
      resources: topics.map((name) => ({ type: topicResource, name })),
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  }
}

export function unknownTopic(topic: string): MillraceError {
  return new MillraceError(
    'NOT_FOUND',
    `Kafka has no topic "${topic}". Create it with ensureTopics, or correct the name.`,
    {
      details: { topic },
    },
  );
}
