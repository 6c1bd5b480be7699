import { type TopicPartition } from '../../ports/log.ts';
import { type WireBroker, type WireMessage } from './kafkajs-internals.ts';
import { WireReader, WireWriter } from './wire-writer.ts';

export interface PartitionBytes extends TopicPartition {
  /** One record batch. */
  readonly bytes: Buffer;
}

export interface PartitionAnswer extends TopicPartition {
  readonly code: number;
  /** Offset of the batch's first record; -1 when it was not written. */
  readonly baseOffset: number;
}

/**
 * Sends one batch per partition and answers each partition's outcome. (kafkajs' own request rejects as a whole with the first
 * partition's error, which leaves unknown what became of the others.) All replicas in sync must acknowledge.
 */
export async function produce(
  broker: WireBroker,
  batches: readonly PartitionBytes[],
  timeoutMs: number,
): Promise<readonly PartitionAnswer[]> {
  const message: WireMessage<ProduceAnswer> = {
    request: {
      apiKey: 0,
      apiVersion: 7,
      apiName: 'Produce',
      encode: () => Promise.resolve(writeRequest(batches, timeoutMs)),
    },
    response: { decode: (payload) => Promise.resolve(readAnswer(payload)), parse: (data) => Promise.resolve(data) },
  };
  return (await broker.connectionPool.send(message)).partitions;
}

interface ProduceAnswer {
  readonly partitions: readonly PartitionAnswer[];
  /** Read by the connection, which then waits before it sends again (KIP-219). */
  readonly clientSideThrottleTime: number;
}

function writeRequest(batches: readonly PartitionBytes[], timeoutMs: number): unknown {
  const byTopic = new Map<string, PartitionBytes[]>();
  for (const batch of batches) {
    const known = byTopic.get(batch.topic);
    if (known === undefined) byTopic.set(batch.topic, [batch]);
    else known.push(batch);
  }
  const writer = new WireWriter().string(null).int16(-1).int32(timeoutMs).int32(byTopic.size);
  for (const [topic, partitions] of byTopic) {
    writer.string(topic).int32(partitions.length);
    for (const { partition, bytes } of partitions) writer.int32(partition).int32(bytes.length).bytes(bytes);
  }
  return writer.finish();
}

function readAnswer(payload: Buffer): ProduceAnswer {
  const reader = new WireReader(payload);
  const partitions: PartitionAnswer[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) {
      partitions.push({ topic, partition: reader.int32(), code: reader.int16(), baseOffset: reader.int64() });
      reader.int64(); // append time
      reader.int64(); // start of the log
    }
  }
  return { partitions, clientSideThrottleTime: reader.int32() };
}
