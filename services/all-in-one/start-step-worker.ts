import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Configuration } from '../../runtime/config/settings.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { TaskExecutor } from '../../runtime/ports/task-executor.ts';
import type { TaskDispatched } from '../../schemas/events.ts';
import { experimentOfFlow } from '../../schemas/flow-experiment.ts';
import { runToken } from '../gateway/security/run-token.ts';
import { createStepWorker } from '../step-worker/step-worker.ts';
import { withUploadPoints } from '../step-worker/upload-points.ts';
import type { RoleContext } from './roles.ts';

/** A step worker with its executor. Its name is the directory's on this host: one worker uses a directory at a time. */
export async function startStepWorkerRole({ runtime, configuration, shared }: RoleContext): Promise<Running> {
  const compute = configuration['worker.compute'];
  const name = workerName(configuration.directory);
  const executor = await openExecutor(runtime, configuration, name);
  const worker = createStepWorker({
    runtime,
    executor,
    name,
    compute,
    variables: (dispatched) => gatewayVariables(dispatched, configuration, shared.url),
  });
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

/** With these a step finds the gateway, and an unmodified MLflow client in it logs to the step's run. */
function gatewayVariables(
  { runId, flow }: TaskDispatched,
  configuration: Configuration,
  ownUrl: string | undefined,
): Readonly<Record<string, string>> {
  const url = configuration['worker.tracking_url'] || ownUrl;
  if (url === undefined) return {};
  return {
    MILLRACE_URL: url,
    MLFLOW_TRACKING_URI: url,
    MLFLOW_TRACKING_TOKEN: runToken(runId, configuration['http.token']),
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
    compute: configuration['worker.compute'],
    kubeconfig: configuration['kubernetes.kubeconfig'],
    namespace: configuration['kubernetes.namespace'],
    serviceAccount: configuration['kubernetes.service_account'],
    image: configuration['kubernetes.image'],
    nodeSelector: jsonSetting(configuration, 'kubernetes.node_selector', (value) => !Array.isArray(value)),
    tolerations: jsonSetting(configuration, 'kubernetes.tolerations', Array.isArray),
    gpuResource: configuration['kubernetes.gpu_resource'],
    pendingMs: configuration['kubernetes.pending_seconds'] * 1_000,
    ttlSeconds: configuration['kubernetes.ttl_seconds'],
    doorHost: configuration['kubernetes.door_host'],
    doorPort: configuration['kubernetes.door_port'],
    doorUrl: configuration['kubernetes.door_url'],
    warn: (facts, message) => logger.warn(facts, message),
  });
}

function jsonSetting<T extends object>(
  configuration: Configuration,
  name: 'kubernetes.node_selector' | 'kubernetes.tolerations',
  fits: (value: unknown) => boolean,
): T {
  const text = configuration[name];
  let problem = 'it has another shape';
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && fits(value)) return value as T;
  } catch (error) {
    problem = messageOf(error);
  }
  throw new MillraceError('INVALID_CONFIGURATION', `${name}: '${text}' is not the JSON that is expected: ${problem}`);
}

function workerName(directory: string): string {
  return `${hostname()}:${directory}`.slice(0, 200);
}
