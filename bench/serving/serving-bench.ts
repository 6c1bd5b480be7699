/** A model server with the iris classifier deployed, on the embedded log. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/adapters/embedded-log/embedded-log.ts';
import { openLmdbStateStore } from '../../runtime/adapters/state/lmdb-state-store.ts';
import { createOnnxRuntime } from '../../runtime/adapters/onnx/onnx-runtime.ts';
import { createTestRuntime, eventually } from '../../runtime/testing/test-runtime.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { createModelServer, type ModelServer } from '../../services/model-server/model-server.ts';
import { deployments } from '../../topologies/deployments.ts';

/** The iris classifier of scikit-learn: X FP32 [-1, 4]. */
export const irisModel = new URL('../../test/models/iris-logreg.onnx', import.meta.url);

export interface ServingBench {
  readonly runtime: Runtime;
  readonly server: ModelServer;
  /** Name of the model's input: FP32 [-1, 4]. */
  readonly input: string;
  close(): Promise<void>;
}

/** On the parts of the local profile: embedded log, state in LMDB. */
export async function openServingBench(durability: 'process' | 'disk' = 'process'): Promise<ServingBench> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const log = await openEmbeddedLog({ directory: join(directory, 'log'), durability });
  const state = await openLmdbStateStore({ directory: join(directory, 'state'), durability });
  const test = await createTestRuntime({ parts: { log, state } });
  const { runtime } = test;
  await runtime.runTopology(deployments);
  const { hash } = await runtime.parts.blobs.put(await readFile(irisModel));
  const data = { deployment: 'iris', requestId: 'bench', document: irisDocument(hash, 1), actor: 'bench' };
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
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The document of the deployment `iris`, as events carry it. */
export function irisDocument(artifactHash: string, modelVersion: number): string {
  return JSON.stringify({
    name: 'iris',
    routes: [{ name: 'only', model: 'iris', modelVersion, artifactHash, weight: 1 }],
    features: [],
    feedback: { windowMs: 60_000, reward: 'equal' },
    monitors: { window: { rows: 500, minRows: 100, maxAgeMs: 60_000 } },
  });
}
