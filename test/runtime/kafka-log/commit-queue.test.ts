import { describe, expect, it } from 'vitest';
import { CommitQueue } from '../../../runtime/adapters/kafka-log/commit-queue.ts';

const at = (partition: number, offset: number) => ({ topic: 't', partition, offset });

describe('the queue of commits', () => {
  it('sends what came during a commit together, the latest position of each partition', async () => {
    const sent: string[] = [];
    const gates: (() => void)[] = [];
    const queue = new CommitQueue((positions) => {
      sent.push(positions.map(({ partition, offset }) => `${partition}@${offset}`).join(' '));
      return new Promise((resolve) => gates.push(resolve));
    });
    const first = queue.commit([at(0, 1)]);
    await Promise.resolve();
    await Promise.resolve();
    const rest = [queue.commit([at(0, 2)]), queue.commit([at(1, 7)]), queue.commit([at(0, 3)])];
    gates.shift()!();
    await first;
    while (gates.length === 0) await Promise.resolve();
    gates.shift()!();
    await Promise.all(rest);
    expect(sent).toEqual(['0@1', '0@3 1@7']);
  });

  it('rejects the commits that failed, and sends the next', async () => {
    const outcomes = [Promise.reject(new Error('no coordinator')), Promise.resolve()];
    const queue = new CommitQueue(() => outcomes.shift()!);
    await expect(queue.commit([at(0, 1)])).rejects.toThrow('no coordinator');
    await queue.commit([at(0, 2)]);
    await queue.idle();
    expect(outcomes).toEqual([]);
  });
});
