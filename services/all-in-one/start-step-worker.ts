import { hostname } from 'node:os';
import { join } from 'node:path';
import { createProcessExecutor } from '../../runtime/adapters/process-executor/process-executor.ts';
import type { Running } from '../../runtime/engine/runtime.ts';
import { createStepWorker } from '../step-worker/step-worker.ts';
import type { RoleContext } from './roles.ts';

/** A step worker with its pool of child processes. Its name is the directory's on this host: one worker uses a directory at a time. */
export async function startStepWorkerRole({ runtime, configuration, shared }: RoleContext): Promise<Running> {
  const executor = await createProcessExecutor({
    blobs: runtime.parts.blobs,
    cacheDirectory: join(configuration.directory, 'steps'),
    slots: configuration['worker.slots'],
    memoryMb: configuration['worker.memory_mb'],
  });
  const worker = createStepWorker({ runtime, executor, name: workerName(configuration.directory) });
  shared.openLeases = () => worker.openLeases();
  const listening = await worker.start();
  const running = await runtime.runService(worker.service);
  return {
    ready: async () => {
      await listening.ready();
      await running.ready();
    },
    close: async () => {
      await worker.close();
      await running.close();
      await listening.close();
      await executor.close();
    },
  };
}

function workerName(directory: string): string {
  return `${hostname()}:${directory}`.slice(0, 200);
}
