import { join } from 'node:path';
import { createAnyModelRuntime } from '../../runtime/adapters/any-model-runtime.ts';
import { createMlflowRuntime } from '../../runtime/adapters/mlflow-model/mlflow-runtime.ts';
import { createOnnxRuntime } from '../../runtime/adapters/onnx/onnx-runtime.ts';
import { createRemoteRuntime } from '../../runtime/adapters/open-inference/remote-runtime.ts';
import type { Running } from '../../runtime/engine/runtime.ts';
import { createModelServer } from '../model-server/model-server.ts';
import type { RoleContext } from './roles.ts';

/** A model server with every runtime: ONNX in the process, MLflow models in Python processes, models on servers that the operator names. */
export async function startModelServerRole({ runtime, configuration, metrics, shared }: RoleContext): Promise<Running> {
  const threads = configuration['model_server.threads'];
  const models = createAnyModelRuntime({
    onnx: createOnnxRuntime({ threads }),
    remote: createRemoteRuntime({
      servers: listOf(configuration['model_server.remote_servers']),
      timeoutMs: configuration['model_server.remote_timeout_ms'],
    }),
    mlflow: createMlflowRuntime({
      blobs: runtime.parts.blobs,
      directory: join(configuration.directory, 'mlflow-models'),
      environmentsDirectory: join(configuration.directory, 'environments'),
      threads,
    }),
  });
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

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
