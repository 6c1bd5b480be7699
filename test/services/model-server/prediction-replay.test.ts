/** Predictions run again on the recorded model and inputs, from the command line, with what was tampered with or is gone. */
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { PredictionReplay } from '../../../schemas/api/prediction-replay.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { PredictionCompleted } from '../../../schemas/events.ts';
import { mapGraph } from '../../../schemas/inference-graph.ts';
import { graph } from '../../../sdk/deployment/index.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { PredictionReplays } from '../../../services/model-server/prediction-replays.ts';
import { valuesOf } from '../../../services/model-server/event-tensors.ts';
import { replayRoutes } from '../../../services/model-server/replay-routes.ts';
import { millrace } from '../../cli/cli-driver.ts';
import { tensor as eventTensor } from '../../topologies/prediction-events.ts';
import { LinearRuntime, tensor } from './linear-runtime.ts';
import { openServer, type ServerFixture } from './server-fixture.ts';

const models = new LinearRuntime();
const made = new Map<string, PredictionCompleted>();
let fixture: ServerFixture;
let replays: PredictionReplays;
let gateway: Gateway;
let url: string;
let first: DeploymentDocument;

beforeAll(async () => {
  fixture = await openServer(models);
  const { runtime } = fixture.test;
  const file = Buffer.from(JSON.stringify({ weights: [0.1, 0.7], bias: 0.3 }));
  const { hash: artifactHash } = await runtime.parts.blobs.put(file);
  const pin = { model: 'linear', modelVersion: 1, artifactHash };
  const written = graph()
    .model('one', 'models:/linear/1', { inputs: ['input'] })
    .model('two', 'models:/linear/1', { inputs: ['input'] })
    .combiner('mean', 'average', { inputs: ['one', 'two'] });
  const pinned = mapGraph(written.spec(''), {
    model: () => pin,
    code: (code) => ({ hash: '', function: code.function }),
  });
  first = {
    ...{ name: 'lines', features: [], feedback: { windowMs: 1_000, reward: 'equal' } },
    routes: [{ name: 'plain', weight: 1, ...pin }],
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
  };
  await fixture.apply(first);
  await fixture.apply({ ...first, name: 'graphs', routes: [{ name: 'graph', weight: 1, graph: pinned }] });
  const slowFile = Buffer.from(JSON.stringify({ weights: [1, 1], bias: 0, delayMs: 300 }));
  const slow = { ...pin, artifactHash: (await runtime.parts.blobs.put(slowFile)).hash };
  const windowed = graph()
    .model('one', 'models:/linear/1', { inputs: ['input'] })
    .model('slow', 'models:/linear/2', { inputs: ['input'] })
    .combiner('mean', 'average', { inputs: ['one', 'slow'], join: 'some', joinWindowMs: 5 });
  const hurried = mapGraph(windowed.spec(''), {
    model: (reference) => (reference === 'models:/linear/2' ? slow : pin),
    code: (code) => ({ hash: '', function: code.function }),
  });
  const kept = { cache: { entries: 10, ttlMs: 60_000 } };
  await fixture.apply({ ...first, ...kept, name: 'hurried', routes: [{ name: 'graph', weight: 1, graph: hurried }] });
  replays = new PredictionReplays({
    runtime,
    models: () => models,
    find: (id) => {
      const found = made.get(id);
      return found === undefined ? Promise.reject(new MillraceError('NOT_FOUND', `no ${id}`)) : Promise.resolve(found);
    },
    documentOf: async (deployment, version) => {
      const table = await runtime.openTable('deployments');
      const row = table.get(deployment);
      await table.close();
      return row?.version === version ? (JSON.parse(row.document) as DeploymentDocument) : undefined;
    },
  });
  gateway = await createGateway({
    ...{ runtime, queries: {} as never, extensions: [replayRoutes(replays)], metrics: new Registry() },
    ...{ version: '0.0.0', port: 0, actor: 'os-user' },
  });
  ({ url } = await gateway.listen());
});
afterAll(async () => {
  await gateway.close();
  await replays.close();
  await fixture.close();
});

async function predict(deployment: string, rows: readonly (readonly number[])[]): Promise<PredictionCompleted> {
  const outcome = await fixture.server.infer({ deployment, inputs: [tensor(...rows)] });
  if (outcome.type !== 'completed') throw new Error('it was not answered');
  made.set(outcome.predictionId, outcome.data);
  return outcome.data;
}
const ask = async (id: string): Promise<PredictionReplay & { readonly code: number }> => {
  const { code, out } = await millrace(['replay', id, '--json', '--url', url]);
  return { ...(JSON.parse(out) as PredictionReplay), code };
};

describe('a prediction that is run again', () => {
  it.each(['lines', 'graphs'])('gives the same bytes on the recorded model and inputs: %s', async (deployment) => {
    const [{ predictionId, artifactHash }] = await Promise.all([
      predict(deployment, [[0.1, 1 / 3]]),
      // others that share its batch
      ...Array.from({ length: 20 }, (_, i) => predict(deployment, [[i / 7, i / 11]])),
    ]);
    const before = (await fixture.outcomes()).length;
    const replay = await ask(predictionId);
    expect(replay).toMatchObject({ code: 0, predictionId, deployment, identical: true, inputsIntact: true });
    expect(replay.replayedDigest).toBe(replay.recordedDigest);
    const pin = { model: 'linear', modelVersion: 1, artifactHash };
    expect(replay.models).toEqual(deployment === 'lines' ? [pin] : [pin, pin]);
    expect((await fixture.outcomes()).length).toBe(before);
  });

  it('goes on without what its join went on without, whatever time that takes now; such an answer is not kept', async () => {
    const calls = models.begun;
    const { predictionId, leftOut, steps, outputs } = await predict('hurried', [[1, 1]]);
    expect(leftOut).toEqual([{ node: 'mean', input: 'slow', rows: [] }]);
    expect(steps.map(({ node }) => node)).toEqual(['one', 'mean']);
    expect(valuesOf(outputs[0]!)).toEqual([expect.closeTo(1.1, 12)]);
    expect(models.begun - calls).toBe(2);
    expect(await ask(predictionId)).toMatchObject({ code: 0, identical: true });
    expect(models.begun - calls).toBe(3);
    expect((await predict('hurried', [[1, 1]])).cached).toBe(false);
    // With another record it would be another answer: that is what decides.
    made.set(predictionId, { ...made.get(predictionId)!, leftOut: [] });
    expect(await ask(predictionId)).toMatchObject({ code: 1, identical: false });
  });

  it('shows an answer that is not what the model says, by how much, and inputs that are not those of the request', async () => {
    const told = await predict('lines', [
      [1, 1],
      [2, 2],
    ]);
    const [output] = told.outputs;
    const values = Object.values(output?.data ?? {})[0] as { values: number[] };
    const outputs = [
      { ...output!, data: { 'millrace.common.Doubles': { values: [values.values[0]! + 0.5, values.values[1]!] } } },
    ];
    made.set(told.predictionId, { ...told, outputs });
    expect(await ask(told.predictionId)).toMatchObject({
      ...{ code: 1, identical: false, inputsIntact: true },
      differences: [{ output: output?.name, says: '1 of 2 values differ' }],
    });
    const other = { ...told, inputs: [eventTensor('x', [2, 2], [1, 1, 2, 3])] };
    made.set(told.predictionId, other);
    expect(await ask(told.predictionId)).toMatchObject({ code: 1, identical: false, inputsIntact: false });
  });

  it('is run by the file that it names, whatever the deployment has become', async () => {
    const told = await predict('lines', [[1, 1]]);
    const gone = { ...told, artifactHash: '0'.repeat(64) };
    made.set(told.predictionId, gone);
    const { code, err } = await millrace(['replay', told.predictionId, '--url', url]);
    expect(code).not.toBe(0);
    expect(err).toContain('models:/linear/1');
    expect((await millrace(['replay', 'f'.repeat(32), '--url', url])).code).toBe(3);
  });
});
