import kafkajs from 'kafkajs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKafkaLog } from '../../../runtime/adapters/kafka-log/kafka-log.ts';
import { type Log } from '../../../runtime/ports/log.ts';
import { createTopic, readAll, record, text, uniqueName } from '../../conformance/log/builders.ts';
import { until } from '../../conformance/log/until.ts';
import { alterTopic } from './alter-topic.ts';

const kafka = process.env['MILLRACE_TEST_KAFKA'];
const patience = { deadlineMs: 60_000 };

describe.skipIf(kafka === undefined)('offsets at which there is no record', () => {
  let log: Log;
  beforeEach(async () => {
    log = await openKafkaLog({ brokers: [kafka!], clientId: 'gaps', onClientLog: () => undefined });
  });
  afterEach(() => log.close());

  it('are passed over where a topic was compacted', async () => {
    const topic = await createTopic(log, { cleanup: 'compact' });
    await alterTopic([kafka!], topic, {
      'segment.ms': '50',
      'min.cleanable.dirty.ratio': '0',
      'max.compaction.lag.ms': '50',
      'delete.retention.ms': '0',
    });
    for (const value of ['a1', 'b1', 'a2', 'c1', 'a3'])
      await log.append([record(topic, value, { key: value.slice(0, 1) })]);
    await log.append([record(topic, null, { key: 'c' })]);
    // The newest segment is never compacted, and only an append begins another: keep appending until the old one was cleaned.
    let appended = 6;
    await until(
      patience,
      'the old records were gone',
      async () => {
        await log.append([record(topic, 'z', { key: 'z' })]);
        appended++;
        return (await readAll(log, topic)).every(({ key }) => key?.toString() !== 'c');
      },
      200,
    );
    const read = await readAll(log, topic);
    expect(read.filter(({ key }) => key?.toString() !== 'z').map((one) => `${one.offset} ${text(one)}`)).toEqual([
      '1 b1',
      '4 a3',
    ]);
    expect(await readAll(log, topic, 0, { from: 2, to: 4 })).toEqual([]);
    expect((await readAll(log, topic, 0, { from: 2, to: 5 })).map(text)).toEqual(['a3']);
    expect((await log.endOffsets(topic))[0]).toBe(appended);
  });

  it('are passed over where transactions of other clients ended', async () => {
    const topic = await createTopic(log);
    const client = new kafkajs.Kafka({ brokers: [kafka!], clientId: 'outsider', logLevel: kafkajs.logLevel.NOTHING });
    const producer = client.producer({
      transactionalId: uniqueName('transaction'),
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const value of ['one', 'two']) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value, partition: 0, headers: { twice: ['first', 'second'] } }] });
      await transaction.commit();
    }
    await producer.disconnect();
    await until(patience, 'the end was marked', async () => (await log.endOffsets(topic))[0] === 4);
    const read = await readAll(log, topic); // ends although offset 3, the last one, is a marker
    expect(read.map((one) => `${one.offset} ${text(one)} ${one.headers['twice']?.toString()}`)).toEqual([
      '0 one first',
      '2 two first',
    ]);
    const heard: string[] = [];
    await log.subscribe(
      { topics: [topic] },
      {
        assigned: () => Promise.resolve([{ topic, partition: 0, offset: 1 }]),
        revoked: () => undefined,
        records: (_, records) => heard.push(...records.map(text)),
        failed: (error) => heard.push(String(error)),
      },
    );
    await until(patience, 'the first record was heard', () => heard.length > 0);
    await log.append([record(topic, 'three')]);
    await until(patience, 'a record behind the marker was heard', () => heard.length > 1);
    expect(heard).toEqual(['two', 'three']);
  });

  it('are not confused with records of a codec that this client lacks, which fail the reader with the cure', async () => {
    const topic = await createTopic(log);
    await alterTopic([kafka!], topic, { 'compression.type': 'snappy' });
    await until(patience, 'the broker squeezed a record', async () => {
      await log.append([record(topic, 'squeezed by the broker '.repeat(20))]);
      return readAll(log, topic).then(
        () => false,
        () => true,
      );
    });
    await expect(readAll(log, topic)).rejects.toThrow(/codec snappy.*Set compression.type/);
  });

  it('come in the order of the records of gzip batches', async () => {
    const topic = await createTopic(log);
    await alterTopic([kafka!], topic, { 'compression.type': 'gzip' });
    await log.append(['one', 'two', 'three'].map((value) => record(topic, value)));
    expect((await readAll(log, topic)).map((one) => `${one.offset} ${text(one)}`)).toEqual([
      '0 one',
      '1 two',
      '2 three',
    ]);
  });
});
