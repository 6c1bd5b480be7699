/**
 * The parts of kafkajs that the adapter stands on: its connections (TLS, SASL, request queue), metadata, group and topic requests. Its
 * producer and consumer are not used: the first loses the count of sequence numbers after a failure, the second delivers by one loop whose
 * pauses, seeks, rebalances and resets cannot be told apart (it commits an offset when it resets one). These modules are private to
 * kafkajs, so the version is pinned and asserted in `kafkajs-mends.ts`.
 */
export interface WireRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  encode(): Promise<unknown>;
}

export interface WireResponse<T> {
  decode(payload: Buffer): Promise<T>;
  parse(data: T): Promise<T>;
}

export interface WireMessage<T> {
  readonly request: WireRequest;
  readonly response: WireResponse<T>;
  /** Milliseconds; the connection's default when it is larger. */
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}

export interface WireConnection {
  readonly requestQueue: { rejectAll(error: Error): void };
  readonly socket?: { destroy(): void };
}

export interface WireConnectionPool {
  readonly pool: readonly WireConnection[];
  send<T>(message: WireMessage<T>): Promise<T>;
}

export interface TopicPartitions<P> {
  readonly topic: string;
  readonly partitions: readonly P[];
}

export interface JoinedGroup {
  readonly generationId: number;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

export interface WireBroker {
  readonly nodeId: number;
  readonly connectionPool: WireConnectionPool;
  metadata(topics: readonly string[]): Promise<WireMetadata>;
  disconnect(): Promise<void>;
  initProducerId(options: { readonly transactionTimeout: number }): Promise<{
    readonly producerId: string;
    readonly producerEpoch: number;
  }>;
  joinGroup(options: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  }): Promise<JoinedGroup>;
  syncGroup(options: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(options: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
  }): Promise<unknown>;
  leaveGroup(options: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  offsetCommit(options: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly TopicPartitions<{ readonly partition: number; readonly offset: string }>[];
  }): Promise<unknown>;
  offsetFetch(options: {
    readonly groupId: string;
    readonly topics: readonly TopicPartitions<{ readonly partition: number }>[];
  }): Promise<{
    readonly responses: readonly TopicPartitions<{ readonly partition: number; readonly offset: string }>[];
  }>;
  listOffsets(options: {
    readonly isolationLevel: number;
    readonly topics: readonly TopicPartitions<{ readonly partition: number; readonly timestamp: string }>[];
  }): Promise<{
    readonly responses: readonly TopicPartitions<{ readonly partition: number; readonly offset: string }>[];
  }>;
  createTopics(options: { readonly topics: readonly NewTopic[]; readonly timeout: number }): Promise<unknown>;
  describeConfigs(options: {
    readonly resources: readonly { readonly type: number; readonly name: string }[];
  }): Promise<{
    readonly resources: readonly {
      readonly resourceName: string;
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string }[];
    }[];
  }>;
  deleteRecords(options: {
    readonly topics: readonly TopicPartitions<{ readonly partition: number; readonly offset: string }>[];
  }): Promise<unknown>;
}

export interface NewTopic {
  readonly topic: string;
  readonly numPartitions: number;
  readonly replicationFactor: number;
  readonly configEntries: readonly { readonly name: string; readonly value: string }[];
}

export interface WireMetadata {
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

export interface WireCluster {
  readonly targetTopics: Set<string>;
  readonly brokerPool: {
    readonly metadata: WireMetadata | null;
    readonly brokers: Readonly<Record<string, WireBroker>>;
    readonly seedBroker: WireBroker | undefined;
    createBroker(options: unknown): WireBroker;
  };
  connect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findBroker(options: { readonly nodeId: number }): Promise<WireBroker>;
  findGroupCoordinator(options: { readonly groupId: string }): Promise<WireBroker>;
}
