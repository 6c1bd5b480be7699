import { MillraceError, messageOf } from '../../ports/errors.ts';
import { type LogRecord, type TopicPartition } from '../../ports/log.ts';
import { wireCodes } from './kafka-errors.ts';
import { type WireBroker, type WireMessage } from './kafkajs-internals.ts';
import { readRecordBatches } from './record-batch-reader.ts';
import { WireReader, WireWriter } from './wire-writer.ts';

export interface FetchPosition extends TopicPartition {
  readonly offset: number;
}

export interface FetchedPartition extends TopicPartition {
  /** As asked for. */
  readonly offset: number;
  readonly code: number;
  /** The first offset that readers cannot have yet. */
  readonly endOffset: number;
  readonly startOffset: number;
  readonly records: readonly LogRecord[];
  /** Where to read on; beyond the last record after control records and compacted ones. */
  readonly nextOffset: number;
  /** The bytes are there, but cannot be read. */
  readonly unreadable: MillraceError | undefined;
}

export interface FetchLimits {
  readonly waitMs: number;
  readonly bytesMax: number;
  readonly bytesPerPartition: number;
}

/**
 * Reads from the leader of the partitions, uncommitted transactions included. Each partition has its own outcome, and says where to read
 * on. (kafkajs' own answer rejects as a whole with the first partition's error, and never moves past a batch whose records are gone.)
 */
export async function fetchRecords(
  broker: WireBroker,
  positions: readonly FetchPosition[],
  limits: FetchLimits,
): Promise<readonly FetchedPartition[]> {
  const message: WireMessage<FetchAnswer> = {
    request: {
      apiKey: 1,
      apiVersion: 11,
      apiName: 'Fetch',
      encode: () => Promise.resolve(writeRequest(positions, limits)),
    },
    response: { decode: (payload) => readAnswer(payload, positions), parse: (data) => Promise.resolve(data) },
    requestTimeout: limits.waitMs + 100,
  };
  const { code, partitions } = await broker.connectionPool.send(message);
  if (code !== wireCodes.none) throw new MillraceError('UNAVAILABLE', `Kafka refused a fetch with the code ${code}.`);
  return partitions;
}

interface FetchAnswer {
  readonly code: number;
  readonly partitions: readonly FetchedPartition[];
  readonly clientSideThrottleTime: number;
}

function writeRequest(
  positions: readonly FetchPosition[],
  { waitMs, bytesMax, bytesPerPartition }: FetchLimits,
): unknown {
  const writer = new WireWriter().int32(-1).int32(waitMs).int32(1).int32(bytesMax).int8(0).int32(0).int32(-1);
  writer.int32(positions.length);
  for (const { topic, partition, offset } of positions) {
    writer.string(topic).int32(1).int32(partition).int32(-1).int64(offset).int64(-1).int32(bytesPerPartition);
  }
  return writer.int32(0).string('').finish();
}

async function readAnswer(payload: Buffer, positions: readonly FetchPosition[]): Promise<FetchAnswer> {
  const reader = new WireReader(payload);
  const clientSideThrottleTime = reader.int32();
  const code = reader.int16();
  reader.int32(); // fetch session: not used
  const partitions: FetchedPartition[] = [];
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string();
    for (let count = reader.int32(); count > 0; count--) {
      partitions.push(await readPartition(reader, topic, positions));
    }
  }
  return { code, partitions, clientSideThrottleTime };
}

async function readPartition(
  reader: WireReader,
  topic: string,
  positions: readonly FetchPosition[],
): Promise<FetchedPartition> {
  const partition = reader.int32();
  const code = reader.int16();
  const endOffset = reader.int64();
  reader.int64(); // last stable offset
  const startOffset = reader.int64();
  for (let aborted = reader.int32(); aborted > 0; aborted--) {
    reader.int64();
    reader.int64();
  }
  reader.int32(); // preferred replica
  const bytes = reader.sized(reader.int32());
  const offset = positions.find((asked) => asked.topic === topic && asked.partition === partition)?.offset ?? 0;
  const outcome = { topic, partition, offset, code, endOffset, startOffset };
  try {
    const { records, nextOffset } = await readRecordBatches(bytes, { topic, partition }, offset);
    return { ...outcome, records, nextOffset, unreadable: undefined };
  } catch (cause) {
    const unreadable =
      cause instanceof MillraceError
        ? cause
        : new MillraceError('CORRUPT', `Partition ${partition} of "${topic}" at ${offset}: ${messageOf(cause)}`, {
            cause,
          });
    return { ...outcome, records: [], nextOffset: offset, unreadable };
  }
}
