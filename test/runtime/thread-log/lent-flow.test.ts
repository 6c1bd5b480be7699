import { beforeEach, expect, it } from 'vitest';
import { LentFlow } from '../../../runtime/adapters/thread-log/lent-flow.ts';

const partition = { topic: 'runs', partition: 0 };
let said: string[];
let flow: LentFlow;

beforeEach(() => {
  said = [];
  const subscription = { pause: () => void said.push('pause'), resume: () => void said.push('resume') };
  flow = new LentFlow(Promise.resolve(subscription));
  flow.assigned([partition], 1);
});

it('has the log wait while two deliveries are on their way, and go on when one was taken', async () => {
  flow.sent(partition);
  await Promise.resolve();
  expect(said).toEqual([]);
  flow.sent(partition);
  await Promise.resolve();
  expect(said).toEqual(['pause']);
  flow.taken(partition, 1);
  await Promise.resolve();
  expect(said).toEqual(['pause', 'resume']);
});

it('leaves the log waiting when the other thread has asked for it', async () => {
  flow.sent(partition);
  flow.sent(partition);
  flow.pause(partition, 1);
  flow.taken(partition, 1);
  flow.taken(partition, 1);
  await Promise.resolve();
  expect(said).toEqual(['pause']);
  flow.resume(partition, 1);
  await Promise.resolve();
  expect(said).toEqual(['pause', 'resume']);
});

it('does not take what is said of an earlier assignment for one of the present', async () => {
  flow.revoked([partition]);
  flow.assigned([partition], 2);
  flow.pause(partition, 1);
  flow.taken(partition, 1);
  await Promise.resolve();
  expect(said).toEqual([]);
});
