import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../runtime/adapters/kafka-log/crc32c.ts';
import { readRecordBatches } from '../../../runtime/adapters/kafka-log/record-batch-reader.ts';
import {
  batchOverheadBytes,
  recordBodyBytes,
  recordOverheadBytes,
  writeRecordBatch,
} from '../../../runtime/adapters/kafka-log/record-batch-writer.ts';
import { loadKafkajs } from '../../../runtime/adapters/kafka-log/kafkajs-mends.ts';
import { varintSize, VarintReader, writeVarint } from '../../../runtime/adapters/kafka-log/varint.ts';
import { type OutgoingRecord } from '../../../runtime/ports/log.ts';

const where = { topic: 't', partition: 0 };
const sequence = { producerId: 7n, producerEpoch: 1, first: 40 };
const bytes = fc.uint8Array({ maxLength: 300 });
const outgoing: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constant('t'),
  partition: fc.constant(0),
  key: fc.option(fc.oneof(bytes, fc.string({ unit: 'grapheme' }))),
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme', maxLength: 9 }).filter((name) => name !== '__proto__'),
    fc.oneof(bytes, fc.string()),
    { maxKeys: 5 },
  ),
});
const write = (records: readonly OutgoingRecord[]): Buffer =>
  writeRecordBatch(records, records.map(recordBodyBytes), sequence);
const plain = (value: Uint8Array | string | null): string | null =>
  value === null ? null : Buffer.from(value as string).toString('hex');

describe('a record batch', () => {
  it('is read as it was written, and never longer than was reckoned', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(outgoing, { minLength: 1, maxLength: 20 }), async (records) => {
        const batch = write(records);
        const reckoned = records.reduce(
          (sum, record) => sum + recordBodyBytes(record) + recordOverheadBytes,
          batchOverheadBytes,
        );
        expect(batch.length).toBeLessThanOrEqual(reckoned);
        const { records: read, nextOffset } = await readRecordBatches(batch, where, 0);
        expect(nextOffset).toBe(records.length);
        expect(read.map(({ offset }) => offset)).toEqual(records.map((_, index) => index));
        expect(read.map(({ key, value }) => [plain(key), plain(value)])).toEqual(
          records.map(({ key, value }) => [plain(key), plain(value)]),
        );
        expect(read.map(({ headers }) => Object.entries(headers).map(([name, value]) => [name, plain(value)]))).toEqual(
          records.map(({ headers }) => Object.entries(headers).map(([name, value]) => [name, plain(value)])),
        );
      }),
    );
  });

  it('is read by kafkajs as it was written', async () => {
    const records: OutgoingRecord[] = [
      { ...where, key: 'kä', value: Buffer.from('v'), headers: { one: 'ü', two: Buffer.from([0, 255]) } },
      { ...where, key: null, value: null, headers: {} },
    ];
    const Decoder = loadKafkajs<new (bytes: Buffer) => unknown>('protocol/decoder');
    const decode = loadKafkajs<
      (decoder: unknown) => Promise<{
        records: { key: Buffer; value: Buffer; headers: Record<string, Buffer> }[];
        firstSequence: number;
        producerId: string;
      }>
    >('protocol/recordBatch/v0/decoder');
    const { records: read, firstSequence, producerId } = await decode(new Decoder(write(records)));
    expect([firstSequence, producerId]).toEqual([40, '7']);
    expect(read[0]!.key.toString()).toBe('kä');
    expect(read[0]!.headers['one']!.toString()).toBe('ü');
    expect([read[1]!.key, read[1]!.value]).toEqual([null, null]);
  });

  it('that is cut off is left for the next fetch, and records before the asked offset are left out', async () => {
    const batch = write([
      { ...where, key: 'a', value: null, headers: {} },
      { ...where, key: 'b', value: null, headers: {} },
    ]);
    const second = Buffer.from(batch);
    second.writeBigInt64BE(2n, 0);
    const both = Buffer.concat([batch, second.subarray(0, second.length - 1)]);
    const { records, nextOffset } = await readRecordBatches(both, where, 1);
    expect(records.map(({ offset, key }) => [offset, key?.toString()])).toEqual([[1, 'b']]);
    expect(nextOffset).toBe(2);
  });

  it('without records, as compaction leaves it, moves the position on', async () => {
    const empty = write([{ ...where, key: 'a', value: null, headers: {} }]).subarray(0, batchOverheadBytes);
    empty.writeInt32BE(batchOverheadBytes - 12, 8);
    empty.writeInt32BE(41, 23);
    empty.writeInt32BE(0, 57);
    expect(await readRecordBatches(empty, where, 0)).toEqual({ records: [], nextOffset: 42 });
  });

  it('is inflated when it is gzipped, and refused in words when its codec is another', async () => {
    const batch = write([{ ...where, key: 'a', value: Buffer.from('x'.repeat(99)), headers: {} }]);
    const zipped = Buffer.concat([batch.subarray(0, batchOverheadBytes), gzipSync(batch.subarray(batchOverheadBytes))]);
    zipped.writeInt32BE(zipped.length - 12, 8);
    zipped.writeInt16BE(1, 21);
    expect((await readRecordBatches(zipped, where, 0)).records[0]!.value!.length).toBe(99);
    zipped.writeInt16BE(4, 21);
    await expect(readRecordBatches(zipped, where, 0)).rejects.toThrow('records with the codec zstd');
  });

  it('keeps the first of two headers with one name, and cannot be harmed by the name __proto__', async () => {
    const headers = JSON.parse('{"__proto__":"evil","twice":"first"}') as Record<string, string>;
    const [read] = (await readRecordBatches(write([{ ...where, key: null, value: null, headers }]), where, 0)).records;
    expect(Object.keys(read!.headers)).toEqual(['twice']);
    expect(Object.getPrototypeOf(read!.headers)).toBe(Object.prototype);
  });
});

describe('a variable-length number', () => {
  it('is read as it was written, in the size that was reckoned', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 }), (value) => {
        const buffer = Buffer.alloc(5);
        expect(writeVarint(buffer, 0, value)).toBe(varintSize(value));
        expect(new VarintReader(buffer, 0).int()).toBe(value);
        expect(new VarintReader(buffer, 0).long()).toBe(value);
      }),
    );
  });

  it('that does not end is refused', () => {
    expect(() => new VarintReader(Buffer.alloc(9, 0xff), 0).int()).toThrow(RangeError);
    expect(() => new VarintReader(Buffer.from([0x80]), 0).int()).toThrow(RangeError);
  });
});

describe('the checksum', () => {
  it('is that of the standard, and of kafkajs', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283);
    const reference = loadKafkajs<(bytes: Uint8Array) => number>('protocol/recordBatch/crc32C/crc32C');
    fc.assert(
      fc.property(bytes, fc.nat({ max: 20 }), (all, from) => {
        expect(crc32c(Buffer.from(all), from)).toBe(reference(all.subarray(from)));
      }),
    );
  });
});
