import { hostname } from 'node:os';
import { join } from 'node:path';
import { lockDirectory } from '../../runtime/adapters/directory-lock.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import type { TaskExecutor } from '../../runtime/ports/task-executor.ts';
import type { TaskDispatched } from '../../schemas/events.ts';
import { defaultCompute } from '../../schemas/flow-graph.ts';
import { experimentOfFlow } from '../../schemas/flow-experiment.ts';
import { runToken } from '../gateway/security/run-token.ts';
import { Slots } from '../step-worker/slots.ts';
import { createStepWorker } from '../step-worker/step-worker.ts';
import { withUploadPoints } from '../step-worker/upload-points.ts';
import type { RoleContext } from './roles.ts';

/** A step worker with its executor, one service for each compute class. Its name is the directory's on this host: one worker uses a directory at a time. */
export async function startStepWorkerRole({ runtime, configuration, shared }: RoleContext): Promise<Running> {
  const classes = [...new Set(configuration['worker.compute'])];
  const name = workerName(configuration.directory);
  // On the local profile the whole directory is this process's.
  const lock =
    configuration.profile === 'local'
      ? undefined
      : await lockDirectory(join(configuration.directory, 'steps'), { formatVersion: 1 });
  const executor = await openExecutor(runtime, configuration, name).catch((error: unknown) => {
    lock?.release();
    throw error;
  });
  const slots = new Slots(executor.slots);
  const workers = classes.map((compute) =>
    createStepWorker({
      ...{ runtime, executor, name, compute, slots },
      variables: (dispatched, overAtMs) => gatewayVariables(dispatched, overAtMs, configuration, shared.url),
    }),
  );
  shared.openLeases = () => workers.reduce((sum, worker) => sum + worker.openLeases(), 0);
  const listening = await Promise.all(workers.map((worker) => worker.start()));
  const running = await Promise.all(workers.map(({ service }) => runtime.runService(service)));
  return {
    ready: async () => void (await Promise.all([...listening, ...running].map((part) => part.ready()))),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await Promise.all(running.map((part) => part.close()));
      await Promise.all(listening.map((part) => part.close()));
      await executor.close();
      lock?.release();
    },
  };
}

/** By how much the token of a step lasts longer than it may: clocks of hosts differ, and a Job may have waited for its node. */
const tokenMarginMs = 3_600_000;

/** With these a step finds the gateway, and an unmodified MLflow client in it logs to the step's run. */
function gatewayVariables(
  { runId, flow }: TaskDispatched,
  overAtMs: number,
  configuration: Configuration,
  ownUrl: string | undefined,
): Readonly<Record<string, string>> {
  const url = configuration['worker.tracking_url'] || ownUrl;
  if (url === undefined) return {};
  const token = runToken(runId, overAtMs + tokenMarginMs, configuration['http.token']);
  return {
    MILLRACE_URL: url,
    MILLRACE_TOKEN: token,
    MLFLOW_TRACKING_URI: url,
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_RUN_ID: runId,
    MLFLOW_EXPERIMENT_ID: experimentOfFlow(flow).id,
  };
}

async function openExecutor(runtime: Runtime, configuration: Configuration, worker: string): Promise<TaskExecutor> {
  const { blobs, logger } = runtime.parts;
  const slots = configuration['worker.slots'];
  const memoryMb = configuration['worker.memory_mb'];
  if (configuration['worker.executor'] === 'process') {
    const { createProcessExecutor } = await import('../../runtime/adapters/process-executor/process-executor.ts');
    return await createProcessExecutor({
      blobs: withUploadPoints(blobs),
      cacheDirectory: join(configuration.directory, 'steps'),
      slots,
      memoryMb,
    });
  }
  const { createKubernetesExecutor } = await import(
    '../../runtime/adapters/kubernetes-executor/kubernetes-executor.ts'
  );
  return await createKubernetesExecutor({
    blobs,
    worker,
    slots,
    memoryMb,
    logBytesMax: 1_048_576,
    compute: configuration['worker.compute'][0] ?? defaultCompute,
    kubeconfig: configuration['kubernetes.kubeconfig'],
    namespace: configuration['kubernetes.namespace'],
    serviceAccount: configuration['kubernetes.service_account'],
    image: configuration['kubernetes.image'],
    nodeSelector: configuration['kubernetes.node_selector'],
    tolerations: configuration['kubernetes.tolerations'],
    gpuResource: configuration['kubernetes.gpu_resource'],
    pendingMs: configuration['kubernetes.pending_seconds'] * 1_000,
    ttlSeconds: configuration['kubernetes.ttl_seconds'],
    doorHost: configuration['kubernetes.door_host'],
    doorPort: configuration['kubernetes.door_port'],
    doorUrl: configuration['kubernetes.door_url'],
    warn: (facts, message) => logger.warn(facts, message),
  });
}

function workerName(directory: string): string {
  return `${hostname()}:${directory}`.slice(0, 200);
}
