import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKafkaLog, type KafkaLogOptions } from '../../../runtime/adapters/kafka-log/kafka-log.ts';
import { codeOf, createTopic, readAll, record, text } from '../../conformance/log/builders.ts';
import { logConformance } from '../../conformance/log/index.ts';
import { type LogFeatures } from '../../conformance/log/log-harness.ts';
import { createKafkaHarness } from './kafka-harness.ts';
import { TcpProxy } from './tcp-proxy.ts';

const kafka = process.env['MILLRACE_TEST_KAFKA'];
const kafkaSasl = process.env['MILLRACE_TEST_KAFKA_SASL'];

const features: LogFeatures = { killWhileAppending: true, compaction: true, retention: true, dropConnections: true };
/** Where the suite's clients are told to find each broker, and where the broker is: a proxy stands between. */
const proxied: readonly (readonly [version: string, addresses: string | undefined])[] = [
  ['Kafka 3.9.2', process.env['MILLRACE_TEST_KAFKA_39_PROXY']],
  ['Kafka 4.4.0', process.env['MILLRACE_TEST_KAFKA_PROXY']],
];

const optionsFor = (broker: string): KafkaLogOptions => ({
  brokers: [broker],
  clientId: 'suite',
  onClientLog: () => undefined,
  sessionTimeoutMs: 2_000,
  heartbeatIntervalMs: 200,
});

for (const [version, addresses] of proxied) {
  describe.skipIf(addresses === undefined)(`on ${version} behind a proxy`, () => {
    let proxy: TcpProxy;
    beforeAll(async () => {
      const [listen = '', target = ''] = (addresses ?? '').split(',');
      proxy = await TcpProxy.start(listen, target);
    });
    afterAll(() => proxy.stop());
    logConformance(version, () => createKafkaHarness(optionsFor(proxy.address), proxy), features, 90_000);
  });
}

describe.skipIf(kafkaSasl === undefined)('on Kafka 4.4.0 with TLS and SCRAM', () => {
  const certificate = process.env['MILLRACE_TEST_KAFKA_CERTIFICATE']!;
  const secured = (password: string): KafkaLogOptions => ({
    brokers: [kafkaSasl!],
    clientId: 'secured',
    onClientLog: () => undefined,
    ssl: { ca: readFileSync(certificate, 'utf8') },
    sasl: { mechanism: 'scram-sha-512', username: 'millrace', password },
  });

  it('appends, reads and delivers', async () => {
    const log = await openKafkaLog(secured('millrace-secret'));
    const topic = await createTopic(log);
    await log.append([record(topic, 'hidden on the way')]);
    expect((await readAll(log, topic)).map(text)).toEqual(['hidden on the way']);
    const heard = await new Promise((resolve) => {
      void log.subscribe(
        { topics: [topic], group: `group-${topic}` },
        {
          assigned: () => Promise.resolve([]),
          revoked: () => undefined,
          records: (_, [first]) => resolve(text(first!)),
          failed: resolve,
        },
      );
    });
    expect(heard).toBe('hidden on the way');
    await log.close();
  });

  it('is forbidden with a wrong password', async () => {
    await expect(openKafkaLog(secured('guessed'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe.skipIf(kafka === undefined)('on Kafka 4.4.0', () => {
  it('is unavailable when nothing listens, after the time that is set', async () => {
    const opening = openKafkaLog({
      brokers: ['127.0.0.1:9'],
      clientId: 'nobody',
      onClientLog: () => undefined,
      operationTimeoutMs: 500,
    });
    expect(await codeOf(opening)).toBe('UNAVAILABLE');
  });

  it('refuses a topic whose time is not the log’s', async () => {
    const log = await openKafkaLog(optionsFor(kafka!));
    const topic = await createTopic(log);
    const { alterTopic } = await import('./alter-topic.ts');
    await alterTopic([kafka!], topic, { 'message.timestamp.type': 'CreateTime' });
    const again = log.ensureTopics([
      {
        name: topic,
        partitions: 1,
        cleanup: 'delete',
        recordBytesMax: 1_000_000,
        replication: 1,
        minInsyncReplicas: 1,
      },
    ]);
    expect(await codeOf(again)).toBe('TOPIC_MISMATCH');
    await log.close();
  });
});
