import { expect, it } from 'vitest';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { ServiceTask } from '../../../runtime/engine/service.ts';
import { createStepWorker } from '../../../services/step-worker/step-worker.ts';
import { FakeExecutor } from './fake-executor.ts';

it('gives up what it claimed and never began, and forgets the claim', async () => {
  const said: { readonly type: string; readonly data: object }[] = [];
  const runtime = {
    parts: {
      ids: { next: () => 'this process' },
      clock: { now: () => 0, after: () => () => undefined },
      logger: { warn: () => undefined, error: () => undefined },
    },
    publish: (facts: typeof said) => Promise.resolve(void said.push(...facts)),
  } as unknown as Runtime;
  const worker = createStepWorker({ runtime, executor: new FakeExecutor(), name: 'w' });
  const dispatched = { runId: 'r', taskId: 't', attempt: 1, dispatch: 1, timeoutMs: 1, leaseMs: 1, kind: 'step' };
  const claim = { dispatched, worker: 'w', incarnation: 'this process', claimedAt: 0, waitMs: 1, work: {} };
  const task = {
    name: 'step-worker/tasks/0',
    entries: async function* () {
      yield await Promise.resolve(['claim/r/t/1', claim]);
    },
    changed: () => undefined,
  } as unknown as ServiceTask;
  await worker.service.opened?.(task);
  // it is opened again before the claim is deleted
  await worker.service.opened?.(task);
  expect(said).toMatchObject([{ data: { runId: 'r', taskId: 't', message: 'worker w gave the task up' } }]);
  expect(worker.service.rest?.(task)).toMatchObject({ delete: ['claim/r/t/1'] });
});
