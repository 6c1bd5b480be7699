/** Graphs in a model server: custom code in threads, held to its limits; what is recorded; models shared with other deployments. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleDeployment } from '../../../runtime/adapters/bundler/bundle-code.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { PredictionCompleted, PredictionFailed } from '../../../schemas/events.ts';
import { codeOfGraph, mapGraph } from '../../../schemas/inference-graph.ts';
import { fixedBatches } from '../../../services/model-server/batch-policy.ts';
import code from './graph-code.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const models = new LinearRuntime();
let fixture: ServerFixture;
let bundle: string;
const file = (weights: readonly number[], bias: number) => Buffer.from(JSON.stringify({ weights, bias }));
const files = { 'models:/linear/1': file([1, 10], 0), 'models:/linear/2': file([1, 10], 1_000) };

beforeAll(async () => {
  process.env['MILLRACE_SECRET'] = 'credential';
  // chosen from measurement, they would follow the load of the machine
  fixture = await openServer(models, { batches: () => fixedBatches(512) });
  const { blobs } = fixture.test.runtime.parts;
  bundle = (await blobs.put(await bundleDeployment(fileURLToPath(new URL('./graph-code.ts', import.meta.url))))).hash;
  const hashes: Record<string, string> = {};
  for (const [reference, bytes] of Object.entries(files)) hashes[reference] = (await blobs.put(bytes)).hash;
  for (const { name, graph } of code.spec().routes) {
    if (graph === undefined) throw new Error('every route of the fixture is a graph');
    const pinned = mapGraph(graph, {
      model: (reference) => ({
        model: 'linear',
        modelVersion: Number(reference.at(-1)),
        artifactHash: hashes[reference]!,
      }),
      code: ({ function: called }) => ({ hash: bundle, function: called }),
    });
    await fixture.apply(documentOf(name, { name, weight: 1, graph: pinned }));
  }
});
afterAll(async () => {
  delete process.env['MILLRACE_SECRET'];
  await fixture.close();
});

function documentOf(name: string, route: DeploymentDocument['routes'][number]): DeploymentDocument {
  return {
    name,
    routes: [route],
    features: [],
    feedback: { windowMs: 1_000, reward: 'equal' },
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
  };
}

const ask = async (deployment: string, ...rows: readonly (readonly number[])[]) =>
  await fixture.server.infer({ deployment, inputs: [tensor(...rows)] });
const failure = async (mood: number, deployment = 'moody') => {
  const outcome = await ask(deployment, [mood, 0]);
  expect(outcome.type).toBe('failed');
  return (outcome as { data: PredictionFailed }).data;
};

describe('a graph in a model server', () => {
  it('is warmed: its models are loaded and its code too', async () => {
    await fixture.server.warm('tempo');
    expect(fixture.server.stats().loadedModels).toBe(2);
  });

  it('answers, and records the nodes that ran with their models, hashes and times', async () => {
    const outcome = await ask('tempo', [1, 2], [1, 20]);
    expect(outcome).toMatchObject({ type: 'completed', outputs: [{ name: 'y', shape: [2, 1] }] });
    const { data, outputs } = outcome as { data: PredictionCompleted; outputs: readonly { data: Float64Array }[] };
    expect([...outputs[0]!.data]).toEqual([21, 1_201]);
    expect(data).toMatchObject({ route: 'tempo', model: 'linear', modelVersion: 2, rows: 2 });
    expect(data.steps).toMatchObject([
      { node: 'pipeline/first', kind: 'model', modelVersion: 1, rows: 2 },
      { node: 'pipeline/second', kind: 'model', modelVersion: 2, rows: 1 },
      { node: 'pipeline', kind: 'function', rows: 2 },
    ]);
    expect(data.steps[1]!.artifactHash).toBe(data.artifactHash);
    for (const { runMs } of data.steps) expect(runMs).toBeGreaterThan(0);
    const [recorded] = await eventually('the outcome', async () => {
      const all = (await fixture.outcomes()).filter(({ data: other }) => other.predictionId === data.predictionId);
      return all.length > 0 ? all : undefined;
    });
    expect(recorded!.data).toMatchObject({ steps: data.steps });
  });

  it('says what it takes when nothing but routers lies before its models, and what it is', async () => {
    const { inputs } = (await fixture.server.describe('sized')).signature;
    expect(inputs).toEqual([{ name: 'x', datatype: 'FP64', shape: [-1, 2] }]);
    expect(await fixture.server.describe('moody')).toMatchObject({ platform: 'ensemble', signature: { inputs: [] } });
  });

  it('puts the model calls of many requests together', async () => {
    models.calls.length = 0;
    const rows = models.begunRows;
    let release: () => void = () => undefined;
    models.gate = new Promise((resolve) => (release = resolve));
    const asked = Array.from({ length: 40 }, (_, i) => ask('tempo', [i, 0]));
    await eventually('each asks a model', () => {
      const { queues } = fixture.server.stats();
      return models.begunRows - rows + queues.reduce((sum, { waiting }) => sum + waiting, 0) === 40;
    });
    models.gate = undefined;
    release();
    const answers = await Promise.all(asked);
    expect(
      answers.map((answer) => (answer as { outputs: readonly { data: Float64Array }[] }).outputs[0]!.data[0]),
    ).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(models.calls.reduce((sum, rows) => sum + rows, 0)).toBe(40);
    // one that had begun, and one with all that came meanwhile
    expect(models.calls.length).toBeLessThanOrEqual(2);
  });

  it('answers by topic too', async () => {
    const place = await fixture.request({
      key: 'stone-1',
      deployment: 'tempo',
      value: JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP64', data: [1, 3] }] }),
    });
    const outcome = await eventually('its outcome', async () =>
      (await fixture.outcomes()).find(({ data }) => 'source' in data && data.source?.offset === place.offset),
    );
    expect(outcome).toMatchObject({ type: 'prediction-completed', data: { entity: 'stone-1', steps: [{}, {}] } });
  });

  it('fails by the name of the node when its code throws', async () => {
    expect(await failure(1)).toMatchObject({
      code: 'USER_CODE_FAILED',
      message: "node 'mood': its code threw: a bad day",
      node: 'mood',
      route: 'moody',
      deploymentVersion: 1,
    });
  });

  it('gives code none of the environment of the server', async () => {
    const outcome = await ask('moody', [6, 0]);
    expect(outcome).toMatchObject({ type: 'completed', outputs: [{ name: 'secret', data: ['none'] }] });
  });

  it.each([
    ['never ends', 'moody', 2, 'TIMEOUT', "node 'mood': its code was stopped after 400 ms"],
    [
      'takes all memory',
      'greedy',
      3,
      'TOO_LARGE',
      "node 'greed': its code needs more than the 32 MiB that it may use: raise memoryMb",
    ],
    ['ends its thread', 'moody', 4, 'USER_CODE_FAILED', "node 'mood': its code ended its thread with exit code 3"],
    ['waits for ever', 'moody', 5, 'TIMEOUT', "node 'mood': its code was stopped after 400 ms"],
  ])(
    'stops code that %s, and nobody else suffers',
    async (_, deployment, mood, errorCode, message) => {
      const [guilty, ...others] = await Promise.all([
        failure(mood, deployment),
        ...Array.from({ length: 5 }, (_unused, i) => ask(deployment, [0, i])),
      ]);
      expect(guilty).toMatchObject({ code: errorCode, message, deployment });
      expect(others.map((outcome) => outcome.type)).toEqual(Array(5).fill('completed'));
      expect(await ask(deployment, [0, 7])).toMatchObject({
        type: 'completed',
        outputs: [{ data: Float64Array.of(7) }],
      });
    },
    60_000,
  );

  it('is not ready, and says why, when its code cannot be loaded or lacks the function', async () => {
    const { blobs } = fixture.test.runtime.parts;
    const broken = await blobs.put(Buffer.from('throw new Error("born broken")'));
    const node = { name: 't', kind: 'transformer', inputs: [{ from: 'input' }], join: 'all' } as const;
    const route = (hash: string) => ({
      name: 'r',
      weight: 1,
      graph: {
        nodes: [{ ...node, code: { hash, function: 'gone' } }],
        output: { from: [{ from: 't' }], join: 'any' as const },
      },
    });
    await fixture.apply(documentOf('broken', route(broken.hash)));
    await expect(fixture.server.warm('broken')).rejects.toThrow('the code cannot be loaded: born broken');
    await fixture.apply(documentOf('lacking', route(bundle)));
    await expect(fixture.server.warm('lacking')).rejects.toThrow(
      `the bundle has no function 'gone'; it has ${codeOfGraph(code.spec().routes[0]!.graph!)[0]!.code.function}, moody/mood, greedy/greed`,
    );
  }, 30_000);
});
