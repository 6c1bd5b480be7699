/** A model server with the iris classifier deployed, on a runtime in memory. */
import { readFile } from 'node:fs/promises';
import { createTestRuntime, eventually } from '../../runtime/testing/test-runtime.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { createModelServer, type ModelServer } from '../../services/model-server/model-server.ts';
import { deployments } from '../../topologies/deployments.ts';

export interface ServingBench {
  readonly runtime: Runtime;
  readonly server: ModelServer;
  /** Name of the model's input: FP32 [-1, 4]. */
  readonly input: string;
  close(): Promise<void>;
}

export async function openServingBench(): Promise<ServingBench> {
  const { createOnnxRuntime } = await import('../../runtime/adapters/onnx/index.ts');
  const test = await createTestRuntime();
  const { runtime } = test;
  await runtime.runTopology(deployments as never);
  const { hash } = await runtime.parts.blobs.put(
    await readFile(new URL('../../test/models/iris-logreg.onnx', import.meta.url)),
  );
  const route = { name: 'only', model: 'iris', modelVersion: 1, artifactHash: hash, weight: 1 };
  const document = JSON.stringify({
    name: 'iris',
    routes: [route],
    features: [],
    feedback: { windowMs: 60_000, reward: 'equal' },
    monitors: { window: { rows: 500, minRows: 100, maxAgeMs: 60_000 } },
  });
  const data = { deployment: 'iris', requestId: 'bench', document, actor: 'bench' };
  await runtime.publish([{ topic: 'deployment-events', type: 'deploy-requested', data, key: 'iris', id: 'bench' }]);
  const server = await createModelServer({ runtime, models: createOnnxRuntime() });
  await eventually('the deployment', () =>
    server.warm('iris').then(
      () => true,
      () => false,
    ),
  );
  const { signature } = await server.describe('iris');
  return {
    runtime,
    server,
    input: signature.inputs[0]?.name ?? '',
    close: async () => {
      await server.close();
      await test.close();
    },
  };
}
