import { afterEach, expect, it } from 'vitest';
import type { FetchedPartition } from '../../../runtime/adapters/kafka-log/fetch-request.ts';
import { Fetcher } from '../../../runtime/adapters/kafka-log/fetcher.ts';
import type { KafkaCluster } from '../../../runtime/adapters/kafka-log/kafka-cluster.ts';
import { resolveKafkaOptions } from '../../../runtime/adapters/kafka-log/kafka-options.ts';
import type { LogRecord, TopicPartition } from '../../../runtime/ports/log.ts';
import { eventually } from '../../../runtime/testing/index.ts';

const notLeader = 6;
const at = (partition: number): TopicPartition => ({ topic: 't', partition });
const recordAt = (partition: number, offset: number): LogRecord => ({
  ...{ topic: 't', partition, offset, timestampMs: 0, key: null, value: null, headers: {} },
});

let fetcher: Fetcher;
let waiting: (() => void)[] = [];
afterEach(async () => {
  const closing = fetcher.close();
  for (const go of waiting) go();
  await closing;
});

/** A cluster of two brokers that answer what `answer` says, and hold the fetches that it says nothing to. */
function reading(
  leaders: Map<number, number>,
  answer: (node: number, asked: readonly number[]) => Partial<FetchedPartition>[],
) {
  const delivered: string[] = [];
  const passed: string[] = [];
  let wanted: readonly number[] = [];
  const broker = (node: number) => ({
    connectionPool: {
      send: async () => {
        const partitions = answer(node, wanted).map((said) => ({
          ...{ topic: 't', offset: 0, code: 0, endOffset: 9, startOffset: 0, records: [], nextOffset: 0 },
          ...{ unreadable: undefined, ...said },
        }));
        if (partitions.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
        return { code: 0, partitions };
      },
    },
  });
  wanted = [...leaders.keys()];
  const cluster = {
    leader: ({ partition }: TopicPartition) => leaders.get(partition),
    refresh: () => Promise.resolve(),
    broker: (node: number) => Promise.resolve(broker(node)),
  } as unknown as KafkaCluster;
  waiting = [];
  fetcher = new Fetcher(
    cluster,
    resolveKafkaOptions({ brokers: ['x:1'], clientId: 'c', onClientLog: () => undefined }),
    {
      records: ({ partition }, records) => void delivered.push(`${partition}@${records.at(-1)?.offset}`),
      passed: ({ partition }, from, to) => void passed.push(`${partition}: ${from}..${to}`),
      failed: (error) => {
        throw error;
      },
    },
  );
  return { delivered, passed };
}

it('reads partitions whose leader has moved while another has none', async () => {
  const leaders = new Map([
    [0, 1],
    [1, 1],
  ]);
  let moved = false;
  const { delivered } = reading(leaders, (node) => {
    if (node === 2) return delivered.length > 0 ? [] : [{ partition: 0, records: [recordAt(0, 0)], nextOffset: 1 }];
    if (moved) return [];
    moved = true;
    leaders.set(0, 2);
    leaders.delete(1);
    return [
      { partition: 0, code: notLeader },
      { partition: 1, code: notLeader },
    ];
  });
  fetcher.prepare([at(0), at(1)]);
  fetcher.start([
    { ...at(0), offset: 0 },
    { ...at(1), offset: 0 },
  ]);
  await eventually('the one with a leader is read', () => delivered.includes('0@0'));
});

it('says which offsets hold no records, such as the mark of a transaction at the end', async () => {
  let fetches = 0;
  const { delivered, passed } = reading(new Map([[0, 1]]), () => {
    fetches += 1;
    if (fetches === 1) return [{ partition: 0, records: [recordAt(0, 0)], nextOffset: 2 }];
    if (fetches === 2) return [{ partition: 0, offset: 2, nextOffset: 3 }];
    return [];
  });
  fetcher.prepare([at(0)]);
  fetcher.start([{ ...at(0), offset: 0 }]);
  await eventually('both are told', () => passed.length === 2);
  expect([delivered, passed]).toEqual([['0@0'], ['0: 1..2', '0: 2..3']]);
});
