import type { EventCodec } from '../../schemas/codec/event-codec.ts';
import { partitionOf } from '../../schemas/partitioner.ts';
import { claimCheckBytes, recordBytesMax, topics } from '../../schemas/topics.ts';
import type { BlobStore } from '../ports/blob-store.ts';
import { MillraceError } from '../ports/errors.ts';
import type { OutgoingRecord } from '../ports/log.ts';
import { envelopeHeaders, header } from './envelope.ts';
import type { Output } from './topology.ts';

export interface EncodingContext {
  readonly codec: EventCodec;
  readonly blobs: BlobStore;
  /** Real name of a catalogue topic. */
  topic(name: string): string;
  /** Partitions of a catalogue topic. */
  partitions(name: string): number;
}

/** Headers of a record besides its subject, bytes, generously. */
const envelopeBytes = 2_048;

/** An output as bytes, resolved to its partitions; it still lacks its id. */
export interface EncodedOutput {
  readonly output: Output;
  readonly value: Buffer | null;
  readonly partitions: readonly number[];
}

/** Encodes, checks the size and resolves the partition: whatever is wrong with an output shows here, before anything is committed. */
export function encodeOutput(output: Output, context: EncodingContext): EncodedOutput {
  const value =
    output.tombstone === true ? null : context.codec.encode(output.topic, output.type as never, output.data);
  checkSize(output, value);
  const partitions = context.partitions(output.topic);
  return { output, value, partitions: partitionsOf(output, partitions) };
}

/** The log would refuse it after the commit, again and again. The key is in the record twice: as key and as subject. */
function checkSize(output: Output, value: Buffer | null): void {
  const valueBytes = value === null || value.length > claimCheckBytes ? 0 : value.length;
  const sizeBytes = envelopeBytes + 2 * Buffer.byteLength(output.key) + valueBytes;
  if (sizeBytes > recordBytesMax) {
    throw new MillraceError(
      'TOO_LARGE',
      `${output.topic}/${output.type} would have ${sizeBytes} bytes with its key and headers, at most ${recordBytesMax} are allowed`,
    );
  }
}

function partitionsOf(output: Output, partitions: number): readonly number[] {
  if (output.partition === 'all') return Array.from({ length: partitions }, (_, partition) => partition);
  if (output.partition === undefined) return [partitionOf(output.key, partitions)];
  if (!Number.isInteger(output.partition) || output.partition < 0 || output.partition >= partitions) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `${output.topic}/${output.type} is addressed to partition ${output.partition}, there are ${partitions}`,
    );
  }
  return [output.partition];
}

export interface Said {
  readonly id: string;
  readonly by: string;
  readonly timeMs: number;
  readonly traceparent: string | undefined;
}

export function outgoingRecord(
  encoded: EncodedOutput,
  partition: number,
  said: Said,
  context: EncodingContext,
): OutgoingRecord {
  const { output, value } = encoded;
  const { topic, type, key } = output;
  const { id, by, timeMs, traceparent } = said;
  const headers = envelopeHeaders({ id, by, topic, type, key, timeMs, traceparent });
  return { topic: context.topic(topic), partition, key, value, headers };
}

/** Puts big values into the blob store, before any event names them, and leaves a claim in the record. */
export async function checkClaims(records: OutgoingRecord[], blobs: BlobStore): Promise<void> {
  for (const [index, record] of records.entries()) {
    if (record.value === null || record.value.length <= claimCheckBytes) continue;
    const { hash, sizeBytes } = await blobs.put(record.value);
    records[index] = {
      ...record,
      value: Buffer.alloc(0),
      headers: { ...record.headers, [header.claim]: `${hash}:${sizeBytes}` },
    };
  }
}

/** True for topics whose records may be read by folds. */
export function isClosed(topic: string): boolean {
  return topics[topic as keyof typeof topics]?.access === 'closed';
}
