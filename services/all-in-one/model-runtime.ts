import { join } from 'node:path';
import { createAnyModelRuntime } from '../../runtime/adapters/any-model-runtime.ts';
import { createMlflowRuntime } from '../../runtime/adapters/mlflow-model/mlflow-runtime.ts';
import { createOnnxRuntime } from '../../runtime/adapters/onnx/onnx-runtime.ts';
import { createRemoteRuntime } from '../../runtime/adapters/open-inference/remote-runtime.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { ModelRuntime } from '../../runtime/ports/index.ts';

/** Every runtime of models: ONNX in the process, MLflow models in Python processes, models on servers that the operator names. */
export function modelRuntimeOf(runtime: Runtime, configuration: Configuration): ModelRuntime {
  const threads = configuration['model_server.threads'];
  return createAnyModelRuntime({
    onnx: createOnnxRuntime({ threads }),
    remote: createRemoteRuntime({
      servers: configuration['model_server.remote_servers'],
      timeoutMs: configuration['model_server.remote_timeout_ms'],
      callsMax: configuration['model_server.remote_calls'],
    }),
    mlflow: createMlflowRuntime({
      blobs: runtime.parts.blobs,
      directory: join(configuration.directory, 'mlflow-models'),
      environmentsDirectory: join(configuration.directory, 'environments'),
      threads,
    }),
  });
}
