import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { routeOf } from '../../../schemas/traffic.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { deployment } from '../../../sdk/deployment/index.ts';
import { createFeedbackAdmission } from '../../../services/feedback-admission/feedback-admission.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { createModelServer, type ModelServer } from '../../../services/model-server/model-server.ts';
import { deployments } from '../../../topologies/deployments.ts';
import { registry } from '../../../topologies/registry.ts';

let test: TestRuntime;
let server: ModelServer;
let gateway: Gateway;
let client: Client;
beforeAll(async () => {
  test = await createTestRuntime();
  const { runtime } = test;
  await Promise.all([runtime.runTopology(registry), runtime.runTopology(deployments)]);
  server = await createModelServer({ runtime, models: createOnnxRuntime() });
  await runtime.runService(server.service);
  await runtime.runService(createFeedbackAdmission({ runtime }));
  gateway = await createGateway({
    runtime,
    inference: server,
    queries: {} as never,
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
  });
  client = connect({ url: (await gateway.listen()).url, actor: 'ada' });
  for (const name of ['iris-logreg', 'iris-svc']) {
    const file = await readFile(new URL(`../../models/${name}.onnx`, import.meta.url));
    const { hash, sizeBytes } = await runtime.parts.blobs.put(file);
    const data = {
      model: 'iris',
      requestId: name,
      runId: null,
      taskId: null,
      flow: null,
      artifact: { name, hash, sizeBytes, codec: 'onnx' },
      metrics: {},
      tags: {},
      alias: null,
      description: '',
      actor: 'ada',
    };
    await runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: 'iris', id: name }]);
  }
  await eventually('both versions', async () => (await client.models.list())[0]?.versions === 2);
});
afterAll(async () => {
  await gateway.close();
  await test.runtime.close();
  await server.close();
  await test.close();
});

describe('serving, from the client', () => {
  it('deploys an A/B test, predicts on both routes, gives feedback, and hears of all of it', async () => {
    const heard = new Map<string, { entity: string; route: string }>();
    const feedback: string[] = [];
    const subscription = client.subscribe(
      'predictions',
      ({ type, data }) => {
        if (type === 'prediction-completed') heard.set(data.predictionId, data);
        if (type === 'feedback-received') feedback.push(data.predictionId);
      },
      { from: 'earliest' },
    );
    const { version, ready } = await client.deploy(
      deployment('iris').route('linear', 'models:/iris/1').route('svc', 'models:/iris/2', { weight: 2 }),
    );
    expect({ version, ready }).toEqual({ version: 1, ready: true });
    const { routes } = (await client.deployments.show('iris')).document;

    const predictions = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        client.predict('iris', { rows: [[5.1, 3.5, 1.4, 0.2]] }, { entity: `flower-${i}`, versionMin: version }),
      ),
    );
    for (const { predictionId, route, outputs, modelVersion } of predictions) {
      expect(routeOf(predictionId, routes)).toMatchObject({ name: route, modelVersion });
      expect(outputs[0]).toMatchObject({ name: 'label', data: [0] });
    }
    expect(new Set(predictions.map(({ route }) => route))).toEqual(new Set(['linear', 'svc']));

    const first = predictions[0]!.predictionId;
    await client.feedback({ predictionId: first, label: '0' });
    await eventually('all facts', () => heard.size === 60 && feedback.length === 1);
    expect(predictions.map(({ predictionId }) => heard.get(predictionId)?.entity)).toEqual(
      Array.from({ length: 60 }, (_, i) => `flower-${i}`),
    );
    expect(feedback).toEqual([first]);
    await subscription.close();
  });

  it('says what is wrong with a request, and keeps the failure under its id', async () => {
    const wrong = client.predict('iris', { rows: [[1, 2]] }, { entity: 'flower-x' });
    const error = await wrong.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: "input 'X': shape must be [-1, 4], got [1, 2]" });
    expect((error as { details: object }).details).toMatchObject({ status: 400, predictionId: expect.any(String) });
    await expect(client.predict('rose', { rows: [[1]] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: "there is no deployment 'rose'; deployed are iris",
    });
  });

  it('says whether a deployment is ready, and why not', async () => {
    expect(await client.deployments.status('iris')).toMatchObject({ ready: true, reason: null, version: 1 });
    const missing = 'f'.repeat(64);
    const { document } = await client.deployments.show('iris');
    const routes = [{ name: 'lost', model: 'iris', modelVersion: 9, artifactHash: missing, weight: 1 }];
    const lost = JSON.stringify({ ...document, name: 'lost', routes });
    const data = { deployment: 'lost', requestId: 'lost', document: lost, actor: 'ada' };
    await test.runtime.publish([
      { topic: 'deployment-events', type: 'deploy-requested', data, key: 'lost', id: 'lost' },
    ]);
    const status = await eventually('its row', () => client.deployments.status('lost').catch(() => undefined));
    expect(status.ready).toBe(false);
    expect(status.reason).toContain('models:/iris/9');
    expect(status.checks.map(({ problem }) => problem === null)).toEqual([false, true, true, true]);
    expect(status.checks[1]!.check).toBe('requests of 6 partitions are read and answered by this process');
    await expect(client.deployments.status('gone')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('moves to another version without a failed call', async () => {
    let failures = 0;
    let calls = 0;
    const versions = new Set<number>();
    let stop = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!stop) {
        calls += 1;
        await client.predict('iris', { rows: [[5.1, 3.5, 1.4, 0.2]] }).then(
          ({ deploymentVersion }) => versions.add(deploymentVersion),
          () => {
            failures += 1;
          },
        );
      }
    });
    for (let i = 0; i < 3; i++) await client.deploy(deployment('iris').route('only', `models:/iris/${(i % 2) + 1}`));
    await eventually('calls of every version', () => versions.has(4));
    stop = true;
    await Promise.all(load);
    expect(failures).toBe(0);
    expect(calls).toBeGreaterThan(8);
  });
});
