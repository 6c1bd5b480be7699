import { afterEach, describe, expect, it, vi } from 'vitest';
import { type KafkaCluster } from '../../../runtime/adapters/kafka-log/kafka-cluster.ts';
import { TopicDirectory } from '../../../runtime/adapters/kafka-log/topic-directory.ts';

/** `brokers` of which the first `late` that are asked do not know the topic; each look takes `lookMs` of a clock made up. */
function clusterThatLearns(late: number, { brokers = 1, lookMs = 500 } = {}) {
  let asked = 0;
  const start = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => start + asked * lookMs);
  const cluster = {
    refresh: () => Promise.resolve(void asked++),
    partitionCount: () => (asked > late ? 6 : undefined),
    brokerCount: () => brokers,
    anyBroker: () => Promise.resolve({ describeConfigs: () => Promise.resolve({ resources: [] }) }),
  };
  return { cluster: cluster as unknown as KafkaCluster, asked: () => asked };
}

afterEach(() => vi.restoreAllMocks());

describe('what is known of topics', () => {
  it('asks again when a broker does not know a new topic yet', async () => {
    const { cluster } = clusterThatLearns(2);
    expect((await new TopicDirectory(cluster, 30_000).facts('new')).partitions).toBe(6);
  });

  it('is NOT_FOUND when no broker knows it for a while, and sooner where there is one only', async () => {
    const alone = clusterThatLearns(5);
    await expect(new TopicDirectory(alone.cluster, 30_000).facts('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const three = clusterThatLearns(5, { brokers: 3 });
    expect((await new TopicDirectory(three.cluster, 30_000).facts('new')).partitions).toBe(6);
    const never = clusterThatLearns(Infinity, { brokers: 3, lookMs: 1_000 });
    await expect(new TopicDirectory(never.cluster, 30_000).facts('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('believes no single look, however long it takes', async () => {
    const { cluster } = clusterThatLearns(1, { lookMs: 6_000 });
    expect((await new TopicDirectory(cluster, 30_000).facts('new')).partitions).toBe(6);
  });

  it('does not ask for a topic that was just created', async () => {
    const { cluster, asked } = clusterThatLearns(Infinity);
    const directory = new TopicDirectory(cluster, 30_000);
    directory.remember('new', 3, new Map([['max.message.bytes', '5000']]));
    expect(await directory.facts('new')).toEqual({ partitions: 3, batchBytesMax: 5000 });
    expect(asked()).toBe(0);
  });
});
