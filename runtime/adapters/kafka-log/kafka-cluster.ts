import { MillraceError } from '../../ports/errors.ts';
import { type TopicPartition } from '../../ports/log.ts';
import { type ResolvedKafkaOptions } from './kafka-options.ts';
import { type WireBroker, type WireCluster } from './kafkajs-internals.ts';
import { loadKafkajs, mendBrokers, openSocket, type SocketOptions } from './kafkajs-mends.ts';

/**
 * Connections of one user (a producer, a subscription, the control calls) to the brokers, and what they say about leaders. Users do
 * not share connections: a broker answers a connection's requests one after another, so that a long one delays the rest.
 */
export class KafkaCluster {
  readonly #cluster: WireCluster;
  #closed = false;

  constructor(options: ResolvedKafkaOptions) {
    const Cluster = loadKafkajs<new (options: unknown) => WireCluster>('cluster');
    this.#cluster = new Cluster({
      logger: createLogger(options),
      retry: { initialRetryTime: 20, maxRetryTime: 200, retries: Math.max(1, options.brokers.length - 1) },
      socketFactory: (socket: Omit<SocketOptions, 'connectionTimeoutMs'>) =>
        openSocket({ ...socket, connectionTimeoutMs: options.connectionTimeoutMs }),
      brokers: options.brokers,
      ssl: options.ssl === true ? {} : options.ssl || undefined,
      sasl: options.sasl,
      clientId: options.clientId,
      connectionTimeout: options.connectionTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      enforceRequestTimeout: true,
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      isolationLevel: 0,
    });
    mendBrokers(this.#cluster);
  }

  /** Reads the metadata of these topics, and of all asked for before, anew. Unknown topics are no error. */
  async refresh(topics: readonly string[]): Promise<void> {
    this.#refuseClosed();
    for (const topic of topics) this.#cluster.targetTopics.add(topic);
    await this.#cluster.connect();
    // Of two refreshes at once, the answer to the one that asked for less may come last: then these topics are not in it, not even as unknown.
    for (let round = 0; round < refreshesMax; round++) {
      await this.#cluster.refreshMetadata();
      if (topics.every((topic) => this.#topic(topic) !== undefined)) return;
    }
  }

  /** Reads metadata only if one of these topics was not asked for before. */
  async know(topics: readonly string[]): Promise<void> {
    if (this.#cluster.brokerPool.metadata === null || topics.some((topic) => !this.#cluster.targetTopics.has(topic))) {
      await this.refresh(topics);
    }
  }

  /** Number of partitions; undefined for a topic that does not exist, as far as is known. */
  partitionCount(topic: string): number | undefined {
    const found = this.#topic(topic);
    return found === undefined || found.topicErrorCode !== 0 ? undefined : found.partitionMetadata.length;
  }

  /** Node that leads the partition; undefined when there is none, as far as is known. */
  leader({ topic, partition }: TopicPartition): number | undefined {
    const found = this.#topic(topic)?.partitionMetadata.find(({ partitionId }) => partitionId === partition);
    return found === undefined || found.leader < 0 ? undefined : found.leader;
  }

  /** Brokers that the cluster names, as far as is known. */
  brokerCount(): number {
    return Object.keys(this.#cluster.brokerPool.brokers).length;
  }

  /** A connected broker; for a partition see {@link leader}. */
  async broker(nodeId: number): Promise<WireBroker> {
    this.#refuseClosed();
    return this.#cluster.findBroker({ nodeId });
  }

  async anyBroker(): Promise<WireBroker> {
    await this.know([]);
    const ids = Object.keys(this.#cluster.brokerPool.brokers);
    const id = ids[Math.floor(Math.random() * ids.length)];
    if (id === undefined) throw new MillraceError('UNAVAILABLE', 'The Kafka cluster names no brokers.');
    return this.broker(Number(id));
  }

  async coordinator(groupId: string): Promise<WireBroker> {
    await this.know([]);
    return this.#cluster.findGroupCoordinator({ groupId });
  }

  /** Cuts all connections; requests under way reject. */
  async destroy(): Promise<void> {
    this.#closed = true;
    const { brokers, seedBroker } = this.#cluster.brokerPool;
    const all = new Set(Object.values(brokers));
    if (seedBroker !== undefined) all.add(seedBroker);
    const closed = new MillraceError('CLOSED', 'The Kafka connection was closed during the request.');
    for (const { connectionPool } of all) {
      for (const { requestQueue, socket } of connectionPool.pool) {
        requestQueue.rejectAll(closed);
        socket?.destroy();
      }
    }
    await Promise.allSettled([...all].map((broker) => broker.disconnect()));
  }

  #topic(topic: string) {
    return this.#cluster.brokerPool.metadata?.topicMetadata.find((candidate) => candidate.topic === topic);
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MillraceError('CLOSED', 'The Kafka connection is closed.');
  }
}

const refreshesMax = 5;

interface LogEntry {
  readonly label: string;
  readonly log: Readonly<Record<string, unknown>> & { readonly message: string };
}

function createLogger({ onClientLog }: ResolvedKafkaOptions): unknown {
  const { createLogger: create, LEVELS } = loadKafkajs<{
    readonly createLogger: (options: unknown) => unknown;
    readonly LEVELS: { readonly WARN: number };
  }>('loggers');
  const logCreator =
    () =>
    (entry: LogEntry): void => {
      const { message, ...details } = entry.log;
      onClientLog({ level: entry.label === 'ERROR' ? 'error' : 'warn', message, details });
    };
  return create({ level: LEVELS.WARN, logCreator });
}
