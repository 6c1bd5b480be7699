import type { Running } from '../../runtime/engine/runtime.ts';
import { createStepWorker, type StepWorkerOptions } from './step-worker.ts';

/** Runs a step worker on its runtime. Closing it ends its steps and says so, then closes the executor. */
export async function runStepWorker(options: StepWorkerOptions): Promise<Running> {
  const worker = createStepWorker(options);
  await worker.start();
  const running = await options.runtime.runService(worker.service);
  return {
    ready: () => running.ready(),
    close: async () => {
      await worker.close();
      await running.close();
      await options.executor.close();
    },
  };
}
