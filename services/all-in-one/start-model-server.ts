import type { Running } from '../../runtime/engine/runtime.ts';
import { createModelServer } from '../model-server/model-server.ts';
import { listOf, modelRuntimeOf } from './model-runtime.ts';
import type { RoleContext } from './roles.ts';

/** A model server with every runtime: ONNX in the process, MLflow models in Python processes, models on servers that the operator names. */
export async function startModelServerRole({ runtime, configuration, metrics, shared }: RoleContext): Promise<Running> {
  const models = modelRuntimeOf(runtime, configuration);
  const replyTopics = listOf(configuration['model_server.reply_topics']);
  const modelServer = await createModelServer({
    metrics,
    runtime,
    models,
    replyTopics,
    sessionsMax: configuration['model_server.models_max'],
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
