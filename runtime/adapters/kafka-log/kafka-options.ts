import { type ConnectionOptions } from 'node:tls';
import { MillraceError } from '../../ports/errors.ts';

export interface KafkaLogOptions {
  /** `host:port` of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  /** Name of this process in the brokers' logs and quotas. */
  readonly clientId: string;
  /** TLS to the brokers; `true` trusts the system's authorities. @default none */
  readonly ssl?: boolean | ConnectionOptions | undefined;
  /** @default none */
  readonly sasl?: KafkaSasl | undefined;
  /** How long a request may go unanswered before it is repeated, or counts as failed. @default 5000 */
  readonly requestTimeoutMs?: number | undefined;
  /** @default 2000 */
  readonly connectionTimeoutMs?: number | undefined;
  /** How long the fate of an append is sought before it is given up as UNKNOWN_OUTCOME. @default 60000 */
  readonly deliveryTimeoutMs?: number | undefined;
  /** How long other calls (topics, offsets, reads) are repeated before they reject with UNAVAILABLE. @default 30000 */
  readonly operationTimeoutMs?: number | undefined;
  /** A member that is silent for so long loses its partitions; the broker's own limits apply (6 s to 30 min by default). @default 6000 */
  readonly sessionTimeoutMs?: number | undefined;
  /** @default 1000 */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long the others wait for a member to join again. @default 10000 */
  readonly rebalanceTimeoutMs?: number | undefined;
  /** How long a broker holds a fetch that finds nothing; what arrives meanwhile is delivered at once. @default 500 */
  readonly fetchWaitMs?: number | undefined;
  /** Most bytes of one partition in one fetch; a larger record is still delivered. @default 1048576 */
  readonly fetchBytesPerPartition?: number | undefined;
  /** Most bytes in one fetch. @default 4194304 */
  readonly fetchBytesMax?: number | undefined;
  /** Most bytes of records in one produce request. @default 4194304 */
  readonly produceBytesMax?: number | undefined;
  /** Codec that the brokers store topics with that `ensureTopics` creates, whatever their writers use: no reader meets a codec that it lacks. @default 'uncompressed' */
  readonly compression?: 'uncompressed' | 'gzip' | undefined;
  /** Called with the client's warnings and errors. */
  readonly onClientLog: (entry: KafkaClientLog) => void;
}

export interface KafkaSasl {
  readonly mechanism: 'scram-sha-256' | 'scram-sha-512' | 'plain';
  readonly username: string;
  readonly password: string;
}

export interface KafkaClientLog {
  readonly level: 'error' | 'warn';
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Every option filled in. */
export interface ResolvedKafkaOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: boolean | ConnectionOptions | undefined;
  readonly sasl: KafkaSasl | undefined;
  readonly requestTimeoutMs: number;
  readonly connectionTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
  readonly operationTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly fetchWaitMs: number;
  readonly fetchBytesPerPartition: number;
  readonly fetchBytesMax: number;
  readonly produceBytesMax: number;
  readonly compression: 'uncompressed' | 'gzip';
  readonly onClientLog: (entry: KafkaClientLog) => void;
}

export function resolveKafkaOptions(options: KafkaLogOptions): ResolvedKafkaOptions {
  const wrong = options.brokers.filter((broker) => !/^[^\s:]+:\d+$/.test(broker));
  if (options.brokers.length === 0 || wrong.length > 0) {
    const got = options.brokers.length === 0 ? 'no broker at all' : wrong.join(', ');
    throw new MillraceError('INVALID_CONFIGURATION', `Kafka brokers must be given as host:port; got ${got}.`);
  }
  return {
    brokers: options.brokers,
    clientId: options.clientId,
    ssl: options.ssl,
    sasl: options.sasl,
    requestTimeoutMs: options.requestTimeoutMs ?? 5_000,
    connectionTimeoutMs: options.connectionTimeoutMs ?? 2_000,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 60_000,
    operationTimeoutMs: options.operationTimeoutMs ?? 30_000,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 6_000,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 1_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 10_000,
    fetchWaitMs: options.fetchWaitMs ?? 500,
    fetchBytesPerPartition: options.fetchBytesPerPartition ?? 1_048_576,
    fetchBytesMax: options.fetchBytesMax ?? 4_194_304,
    produceBytesMax: options.produceBytesMax ?? 4_194_304,
    compression: options.compression ?? 'uncompressed',
    onClientLog: options.onClientLog,
  };
}
