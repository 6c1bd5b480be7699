import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openKafkaLog, type KafkaLogOptions } from '../../../runtime/adapters/kafka-log/kafka-log.ts';
import { hasCode } from '../../../runtime/ports/errors.ts';
import { type Log } from '../../../runtime/ports/log.ts';
import {
  createTopic,
  numbers,
  readAll,
  record,
  text,
  topicConfig,
  uniqueName,
} from '../../conformance/log/builders.ts';
import { type LogHarness } from '../../conformance/log/log-harness.ts';
import { join, type Member } from '../../conformance/log/member.ts';
import { until } from '../../conformance/log/until.ts';
import { ContinuousLoad } from './continuous-load.ts';
import { PrivateBroker } from './private-broker.ts';
import { produceApi, TcpProxy } from './tcp-proxy.ts';

const kafka = process.env['MILLRACE_TEST_KAFKA'];
const [proxyListen, proxyTarget] = (process.env['MILLRACE_TEST_KAFKA_PROXY'] ?? '').split(',');

const patience = { deadlineMs: 100_000 };
const optionsFor = (brokers: readonly string[]): KafkaLogOptions => ({
  brokers,
  clientId: 'faults',
  onClientLog: () => undefined,
  connectionTimeoutMs: 1_000,
});
/** The members of the suite want a harness; here only its log and its patience are used. */
const harnessOf = (log: Log): LogHarness => ({ log, ...patience }) as unknown as LogHarness;

describe.skipIf(!proxyTarget)('an answer to a produce request that is lost on the way', () => {
  let proxy: TcpProxy;
  let log: Log;
  beforeEach(async () => {
    proxy = await TcpProxy.start(proxyListen!, proxyTarget!);
    log = await openKafkaLog(optionsFor([proxy.address]));
  });
  afterEach(async () => {
    await log.close();
    await proxy.stop();
  });

  it('loses and doubles nothing, and offsets are the first ones', async () => {
    const topic = await createTopic(log);
    proxy.answer(({ api, sequence }) => (api === produceApi && sequence % 2 === 1 ? 'swallow' : 'pass'));
    const offsets: number[] = [];
    for (const index of numbers(0, 10)) offsets.push(...(await log.append([record(topic, `v${index}`)])));
    expect(offsets).toEqual(numbers(0, 10));
    expect((await readAll(log, topic)).map(text)).toEqual(numbers(0, 10).map((index) => `v${index}`));
    expect(proxy.swallowed).toBeGreaterThanOrEqual(5);
  });

  it('keeps the order of calls that wait behind it, over several partitions', async () => {
    const topic = await createTopic(log, { partitions: 3 });
    proxy.answer(({ api, sequence }) => (api === produceApi && sequence % 3 === 0 ? 'swallow' : 'pass'));
    const calls: Promise<readonly number[]>[] = [];
    for (const index of numbers(0, 300)) {
      calls.push(log.append(numbers(0, 3).map((partition) => record(topic, String(index), { partition }))));
      if (index % 10 === 9) await calls.at(-1);
    }
    for (const [index, offsets] of (await Promise.all(calls)).entries()) expect(offsets).toEqual([index, index, index]);
    for (const partition of numbers(0, 3)) {
      expect((await readAll(log, topic, partition)).map((one) => Number(text(one)))).toEqual(numbers(0, 300));
    }
    expect(proxy.swallowed).toBeGreaterThan(5);
  });

  it('is an unknown outcome when no answer ever comes, and the log can be used again', async () => {
    await log.close();
    log = await openKafkaLog({ ...optionsFor([proxy.address]), deliveryTimeoutMs: 1_500 });
    const topic = await createTopic(log);
    await log.append([record(topic, 'before')]);
    proxy.answer(({ api }) => (api === produceApi ? 'swallow' : 'pass'));
    const lost = log.append([record(topic, 'lost')]);
    await until(patience, 'the first answer was swallowed', () => proxy.swallowed > 0);
    const behind = [log.append([record(topic, 'behind')]), log.append([record(topic, 'behind too')])];
    for (const outcome of await Promise.allSettled([lost, ...behind])) {
      expect(outcome.status === 'rejected' && hasCode(outcome.reason, 'UNKNOWN_OUTCOME')).toBe(true);
    }
    proxy.answer(() => 'pass');
    await log.append([record(topic, 'after')]);
    // It was in fact written, once; what waited behind it was never sent.
    expect((await readAll(log, topic)).map(text)).toEqual(['before', 'lost', 'after']);
  });
});

/** Not of those that the broker still took. */
const isShort = (value: string): boolean => value.length < 100;

describe.skipIf(kafka === undefined)('a broker that refuses a batch', () => {
  it('stops the guilty call only, when the limit of the topic was lowered meanwhile', async () => {
    const { alterTopic } = await import('./alter-topic.ts');
    const log = await openKafkaLog(optionsFor([kafka!]));
    const topic = await createTopic(log, { partitions: 2 });
    await log.append([record(topic, 'warm'), record(topic, 'warm', { partition: 1 })]);
    await alterTopic([kafka!], topic, { 'max.message.bytes': '5000' });
    await until(patience, 'the broker refused what is larger', () =>
      log.append([record(topic, Buffer.alloc(20_000))]).then(
        () => false,
        () => true,
      ),
    );
    const outcomes = await Promise.allSettled([
      log.append([record(topic, 'a'), record(topic, 'a', { partition: 1 })]),
      log.append([record(topic, Buffer.alloc(20_000))]),
      log.append([record(topic, 'b'), record(topic, 'b', { partition: 1 })]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const [, guilty] = outcomes;
    expect(guilty.status === 'rejected' && hasCode(guilty.reason, 'TOO_LARGE')).toBe(true);
    for (const partition of [0, 1])
      expect((await readAll(log, topic, partition)).map(text).filter(isShort)).toEqual(['warm', 'a', 'b']);
    await log.append([record(topic, 'c')]);
    await log.close();
  });
});

describe.skipIf(kafka === undefined)('a broker that is killed or frozen', () => {
  let broker: PrivateBroker;
  let log: Log;
  let load: ContinuousLoad;
  let member: Member;
  const partitions = 4;
  beforeAll(async () => {
    broker = await PrivateBroker.start();
  });
  afterAll(() => broker.stop());
  beforeEach(async () => {
    log = await openKafkaLog(optionsFor(broker.addresses));
    const topic = await createTopic(log, { partitions });
    load = new ContinuousLoad(log, topic, partitions);
    member = await join(harnessOf(log), { topics: [topic], group: uniqueName('group') });
    await member.heardCount(200);
  });
  afterEach(() => log.close());

  async function expectAllGoesOn(): Promise<void> {
    const total = load.total;
    await load.until(patience.deadlineMs, 'appends went on', () => load.total > total + 200);
    await load.stop();
    await until(patience, 'all was delivered', () =>
      load.acknowledged.every((count, partition) => new Set(member.offsets(partition)).size >= count),
    );
    const written = await load.written();
    for (const [partition, values] of written.entries()) {
      if (load.unknown === 0) expect(values).toEqual(numbers(0, load.acknowledged[partition]!));
      else expect([...new Set(values)]).toEqual(numbers(0, Math.max(...values) + 1));
      const offsets = member.offsets(partition);
      expect([...new Set(offsets)].sort((a, b) => a - b)).toEqual(numbers(0, values.length));
    }
    expect(member.failures).toEqual([]);
  }

  it('loses and doubles nothing over kill -9 and a restart; members go on', async () => {
    await broker.signal(1, 'SIGKILL');
    await broker.up();
    await expectAllGoesOn();
  });

  it('loses and doubles nothing over 15 s of standing still; members go on', async () => {
    await broker.signal(1, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 15_000)); // the fault itself, not a wait for something
    await broker.signal(1, 'SIGCONT');
    await expectAllGoesOn();
  });

  it('answers reads and offsets after a restart over the same connections', async () => {
    await load.stop();
    const topic = [...member.owned][0]!.split('/')[0]!;
    const before = await log.endOffsets(topic);
    await broker.signal(1, 'SIGKILL');
    await broker.up();
    expect(await log.endOffsets(topic)).toEqual(before);
    expect((await readAll(log, topic)).length).toBe(before[0]);
    await log.ensureTopics([topicConfig(uniqueName('new'))]);
  });
});

describe.skipIf(kafka === undefined)('one broker of three', () => {
  let broker: PrivateBroker;
  beforeAll(async () => {
    broker = await PrivateBroker.start(3);
  });
  afterAll(() => broker.stop());

  it('that stands still stalls its own partitions only', async () => {
    const log = await openKafkaLog(optionsFor(broker.addresses));
    const topic = await createTopic(log, { partitions: 6 });
    const load = new ContinuousLoad(log, topic, 6);
    await load.until(patience.deadlineMs, 'every partition ran', () => load.acknowledged.every((count) => count > 50));
    await broker.signal(3, 'SIGSTOP');
    const before = [...load.acknowledged];
    const gained = (): number[] => load.acknowledged.map((count, partition) => count - before[partition]!);
    await load.until(
      patience.deadlineMs,
      'four partitions went on',
      () => gained().filter((count) => count > 50).length === 4,
    );
    expect(gained().filter((count) => count <= 1)).toHaveLength(2);
    await broker.signal(3, 'SIGCONT');
    await load.until(patience.deadlineMs, 'every partition went on', () => gained().every((count) => count > 500));
    await load.stop();
    for (const [partition, values] of (await load.written()).entries()) {
      expect(values).toEqual(numbers(0, load.acknowledged[partition]!));
    }
    await log.close();
  });

  it('that stands still gives its partitions to the others, and nothing is lost or doubled', async () => {
    const log = await openKafkaLog({ ...optionsFor(broker.addresses), requestTimeoutMs: 2_000 });
    const topic = await createTopic(log, { partitions: 6, replication: 3, minInsyncReplicas: 2 });
    const load = new ContinuousLoad(log, topic, 6);
    await load.until(patience.deadlineMs, 'every partition ran', () => load.acknowledged.every((count) => count > 50));
    const before = [...load.acknowledged];
    await broker.signal(3, 'SIGSTOP');
    await load.until(patience.deadlineMs, 'every partition went on', () =>
      load.acknowledged.every((count, index) => count > before[index]! + 200),
    );
    await broker.signal(3, 'SIGCONT');
    const after = load.total;
    await load.until(patience.deadlineMs, 'appends went on', () => load.total > after + 300);
    await load.stop();
    for (const [partition, values] of (await load.written()).entries()) {
      expect([...new Set(values)]).toEqual(numbers(0, load.acknowledged[partition]!));
      if (load.unknown === 0) expect(values).toHaveLength(load.acknowledged[partition]!);
    }
    await log.close();
  });
});
