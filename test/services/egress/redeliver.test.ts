/** When a delivery may be asked for again. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { DeliveryAttempt } from '../../../schemas/api/webhooks.ts';
import type { WebhookRow } from '../../../schemas/events.ts';
import { redeliver } from '../../../services/egress/deliveries.ts';

let test: TestRuntime;
beforeAll(async () => void (test = await createTestRuntime()));
afterAll(() => test.close());

it('is refused while it is tried again by itself, and not when that is long past', async () => {
  const again = async (dueMs: number): Promise<unknown> => {
    const last = { outcome: 'failed', partition: 0, offset: 0, attempt: 1, nextAttemptMs: Date.now() + dueMs };
    const queries = { lastAttempt: () => Promise.resolve(last as unknown as DeliveryAttempt) };
    const row = { webhook: 'w', origin: 'o', topic: 'alerts' } as WebhookRow;
    return await redeliver(row, 'msg_1', { runtime: test.runtime, queries } as never);
  };
  await expect(again(60_000)).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(again(-60_000)).rejects.toMatchObject({ code: 'CONFLICT' });
  // Of this one the log is empty.
  await expect(again(-600_000)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
