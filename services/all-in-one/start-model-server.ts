import type { Running } from '../../runtime/engine/runtime.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import { type BatchPolicy, fixedBatches } from '../model-server/batch-policy.ts';
import { createModelServer } from '../model-server/model-server.ts';
import { modelRuntimeOf } from './model-runtime.ts';
import type { RoleContext } from './roles.ts';

/** A model server with every runtime: ONNX in the process, MLflow models in Python processes, models on servers that the operator names. */
export async function startModelServerRole({ runtime, configuration, metrics, shared }: RoleContext): Promise<Running> {
  const models = modelRuntimeOf(runtime, configuration);
  const modelServer = await createModelServer({
    metrics,
    runtime,
    models,
    replyTopics: configuration['model_server.reply_topics'],
    sessionsMax: configuration['model_server.models_max'],
    inFlightMax: configuration['model_server.in_flight_max'],
    queueMax: configuration['model_server.queue_max'],
    callsMax: configuration['model_server.model_calls'],
    batches: batchesOf(configuration),
    modelBytesMax: configuration['model_server.memory_mb'] * 1024 * 1024,
  });
  shared.modelServer = modelServer;
  const running = await runtime.runService(modelServer.service);
  return {
    ready: () => running.ready(),
    close: async () => {
      await running.close();
      await modelServer.close();
    },
  };
}

function batchesOf(configuration: Configuration): (() => BatchPolicy) | undefined {
  if (configuration['model_server.batching'] !== 'fixed') return undefined;
  return () => fixedBatches(configuration['model_server.batch_rows'], configuration['model_server.batch_wait_ms']);
}
