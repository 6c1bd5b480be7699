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
/**
 * Brokers learn of a new topic one after another, and each look asks one of them: for so long, one that does not know it may just be late.
 * One broker alone has only its own controller to hear of it from.
 */
const absentAfterMs = { alone: 1_000, ofSeveral: 5_000 } as const;
/** A look may take long: so many there are at least. */
const looksMin = 3;

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
    const sinceMs = performance.now();
    let looks = 0;
    return retrying(`looking up topic "${topic}"`, this.#timeoutMs, async () => {
      await this.#cluster.refresh([topic]);
      const partitions = this.#cluster.partitionCount(topic);
      looks += 1;
      if (partitions === undefined) {
        const waitMs = this.#cluster.brokerCount() > 1 ? absentAfterMs.ofSeveral : absentAfterMs.alone;
        throw looks < looksMin || performance.now() - sinceMs < waitMs ? notYetKnown(topic) : unknownTopic(topic);
      }
      return this.remember(topic, partitions, (await this.settings([topic])).get(topic));
    });
  }

  /** What was just read of a topic: a broker that is asked next may not know it yet. */
  remember(topic: string, partitions: number, settings: ReadonlyMap<string, string> | undefined): TopicFacts {
    const facts = { partitions, batchBytesMax: Number(settings?.get('max.message.bytes') ?? 1_048_588) };
    this.#facts.set(topic, facts);
    return facts;
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

const notYetKnown = (topic: string): MillraceError =>
  new MillraceError('UNAVAILABLE', `The broker that was asked does not know the topic "${topic}" yet.`);

function unknownTopic(topic: string): MillraceError {
  return new MillraceError(
    'NOT_FOUND',
    `Kafka has no topic "${topic}". Create it with ensureTopics, or correct the name.`,
    {
      details: { topic },
    },
  );
}
