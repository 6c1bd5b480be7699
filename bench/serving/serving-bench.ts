/** A model server with the iris classifier deployed, on the embedded log. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOnnxRuntime } from '../../runtime/adapters/onnx/onnx-runtime.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import { createRuntime } from '../../runtime/engine/create-runtime.ts';
import { openParts } from '../../runtime/profiles/open-parts.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { createModelServer, type ModelServer } from '../../services/model-server/model-server.ts';
import { deployments } from '../../topologies/deployments.ts';
import { projectFile } from '../project-file.ts';

/** The iris classifier of scikit-learn: X FP32 [-1, 4]. */
export const irisModel = projectFile('test/models/iris-logreg.onnx');

export interface ServingBench {
  readonly configuration: Configuration;
  readonly runtime: Runtime;
  readonly server: ModelServer;
  /** Name of the model's input: FP32 [-1, 4]. */
  readonly input: string;
  close(): Promise<void>;
}

/** On the parts of the local profile: embedded log, state in LMDB. */
export async function openServingBench(durability: 'process' | 'disk' = 'process'): Promise<ServingBench> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const flags = { directory, durability, 'log.level': 'warn' };
  const configuration = resolveConfiguration({ flags, environment: {} });
  const opened = await openParts(configuration);
  const runtime = await createRuntime(opened.parts);
  await runtime.runTopology(deployments);
  const { hash } = await runtime.parts.blobs.put(await readFile(irisModel));
  for (const [name, document] of [
    ['iris', irisDocument(hash, 1)],
    ['graph', graphDocument(hash)],
  ] as const) {
    const data = { deployment: name, requestId: name, document, actor: 'bench' };
    await runtime.publish([{ topic: 'deployment-events', type: 'deploy-requested', data, key: name, id: name }]);
  }
  const server = await createModelServer({ runtime, models: createOnnxRuntime() });
  await eventually('the deployment', () =>
    Promise.all([server.warm('iris'), server.warm('graph')]).then(
      () => true,
      () => false,
    ),
  );
  const { signature } = await server.describe('iris');
  return {
    configuration,
    runtime,
    server,
    input: signature.inputs[0]?.name ?? '',
    close: async () => {
      await server.close();
      await runtime.close();
      await opened.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Four nodes over one model file, all of which run: three models and their average. */
export function graphDocument(artifactHash: string): string {
  const model = (name: string) => ({
    ...{ name, kind: 'model', join: 'all', inputs: [{ from: 'input' }] },
    model: { model: 'iris', modelVersion: 1, artifactHash },
  });
  const names = ['first', 'second', 'third'];
  const mean = {
    name: 'mean',
    kind: 'combiner',
    builtin: 'average',
    join: 'all',
    inputs: names.map((name) => ({ from: `${name}.probabilities` })),
  };
  const graph = { nodes: [...names.map(model), mean], output: { from: [{ from: 'mean' }], join: 'any' } };
  return document('graph', { name: 'only', weight: 1, graph });
}

/** The document of the deployment `iris`, as events carry it. */
export function irisDocument(artifactHash: string, modelVersion: number): string {
  return document('iris', { name: 'only', model: 'iris', modelVersion, artifactHash, weight: 1 });
}

function document(name: string, route: object): string {
  return JSON.stringify({
    name,
    routes: [route],
    features: [],
    feedback: { windowMs: 60_000, reward: 'equal' },
    monitors: { window: { rows: 500, minRows: 100, maxAgeMs: 60_000 } },
  });
}
