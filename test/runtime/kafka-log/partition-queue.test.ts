import { describe, expect, it } from 'vitest';
import { AppendCall, type QueuedRecord } from '../../../runtime/adapters/kafka-log/append-call.ts';
import { PartitionQueue } from '../../../runtime/adapters/kafka-log/partition-queue.ts';

const where = { topic: 't', partition: 0 };
const queued = (call: AppendCall, index: number, bodyBytes = 100): QueuedRecord => ({
  call,
  index,
  record: { ...where, key: null, value: null, headers: {} },
  bodyBytes,
});
const silent = (count: number): AppendCall => {
  const call = new AppendCall(count);
  call.promise.catch(() => undefined);
  return call;
};

describe('the queue of a partition', () => {
  it('gives what fits into a batch, in order, and a larger record alone', () => {
    const queue = new PartitionQueue(where, 1_000);
    const call = silent(4);
    const records = [queued(call, 0), queued(call, 1), queued(call, 2, 5_000), queued(call, 3)];
    for (const record of records) queue.push(record);
    expect(queue.take(1_000)).toEqual(records.slice(0, 2));
    expect(queue.take(1_000)).toEqual(records.slice(2, 3));
    expect(queue.take(1_000)).toEqual(records.slice(3));
    expect(queue.empty).toBe(true);
  });

  it('gives a batch that was refused again, one call at a time, before what came later', () => {
    const queue = new PartitionQueue(where, 10_000);
    const [one, two, later] = [silent(2), silent(1), silent(1)];
    for (const record of [queued(one, 0), queued(one, 1), queued(two, 0)]) queue.push(record);
    const refused = queue.take(10_000);
    queue.push(queued(later, 0));
    queue.putBack(refused);
    expect(queue.take(10_000).map(({ call }) => call)).toEqual([one, one]);
    expect(queue.take(10_000).map(({ call }) => call)[0]).toBe(two);
  });

  it('drops the rest of a call that was refused', () => {
    const queue = new PartitionQueue(where, 10_000);
    const [guilty, other] = [silent(1), silent(1)];
    queue.push(queued(guilty, 0));
    queue.push(queued(other, 0));
    guilty.refuse(new Error('too large'));
    expect(queue.take(10_000).map(({ call }) => call)).toEqual([other]);
  });
});
