import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { MillraceError } from '../../ports/errors.ts';
import { type LogRecord, type RecordHeaders, type TopicPartition } from '../../ports/log.ts';
import { headerNameText } from './header-names.ts';
import { VarintReader } from './varint.ts';

export interface ReadBatches {
  readonly records: readonly LogRecord[];
  /** Offset behind the last whole batch, also when it holds control records only, or none any more. */
  readonly nextOffset: number;
}

const inflate = promisify(gunzip);
const gzip = 1;
const codecNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/**
 * The records of a fetched byte range from `from` on. Control records of transactions are left out; a batch that is cut off at the
 * end is left for the next fetch.
 *
 * @throws MillraceError UNSUPPORTED for another format or codec.
 */
export async function readRecordBatches(bytes: Buffer, where: TopicPartition, from: number): Promise<ReadBatches> {
  const records: LogRecord[] = [];
  let nextOffset = from;
  for (let at = 0; at + 61 <= bytes.length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break;
    if (bytes[at + 16] !== 2) throw unsupported(where, `the record format ${bytes[at + 16]}`);
    const batch = bytes.subarray(at, end);
    const attributes = batch.readInt16BE(21);
    const base = Number(batch.readBigInt64BE(0));
    if ((attributes & 0x20) === 0) {
      const payload = await payloadOf(batch, attributes, where);
      readRecords(records, new VarintReader(payload, 0), batch, { ...where, base, attributes, from });
    }
    nextOffset = Math.max(nextOffset, base + batch.readInt32BE(23) + 1);
    at = end;
  }
  return { records, nextOffset };
}

async function payloadOf(batch: Buffer, attributes: number, where: TopicPartition): Promise<Buffer> {
  const payload = batch.subarray(61);
  const codec = attributes & 7;
  if (codec === 0) return payload;
  if (codec !== gzip) throw unsupported(where, `the codec ${codecNames[codec] ?? codec}`);
  return inflate(payload);
}

interface BatchPlace extends TopicPartition {
  readonly base: number;
  readonly attributes: number;
  readonly from: number;
}

function readRecords(into: LogRecord[], reader: VarintReader, batch: Buffer, place: BatchPlace): void {
  const { topic, partition, base, from } = place;
  const appendTime = (place.attributes & 8) !== 0;
  const timeMs = Number(batch.readBigInt64BE(appendTime ? 35 : 27));
  const count = batch.readInt32BE(57);
  for (let index = 0; index < count; index++) {
    reader.int(); // length of the record
    reader.position++; // attributes: none in use
    const timeDelta = reader.long();
    const offset = base + reader.int();
    const key = reader.bytes();
    const value = reader.bytes();
    const headers = readHeaders(reader);
    if (offset < from) continue;
    into.push({ topic, partition, offset, timestampMs: appendTime ? timeMs : timeMs + timeDelta, key, value, headers });
  }
}

const emptyBytes = Buffer.alloc(0);

function readHeaders(reader: VarintReader): RecordHeaders {
  const headers: Record<string, Buffer> = {};
  const count = reader.int();
  for (let index = 0; index < count; index++) {
    const { from, to } = reader.span();
    const name = headerNameText(reader.buffer, from, to);
    const value = reader.bytes() ?? emptyBytes;
    if (name === '__proto__' || headers[name] instanceof Buffer) continue; // the first value counts
    headers[name] = value;
  }
  return headers;
}

function unsupported({ topic, partition }: TopicPartition, what: string): MillraceError {
  const message =
    `Partition ${partition} of topic "${topic}" holds records with ${what}, which this client cannot read. ` +
    'Set compression.type of the topic to gzip or uncompressed, so that the broker converts what is written.';
  return new MillraceError('UNSUPPORTED', message, { details: { topic, partition } });
}
