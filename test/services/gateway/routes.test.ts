import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { feedbackIdOfCall } from '../../../schemas/derived-ids.ts';
import { type Fixture, local, openGateway } from './gateway-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openGateway();
});
afterAll(() => fixture.close());

const get = (url: string) => fixture.gateway.app.inject({ url, headers: local });
const post = (url: string, payload: string | object, headers: object = {}) =>
  fixture.gateway.app.inject({ method: 'POST', url, headers: { ...local, ...headers }, payload });

/** What lies on an open topic, as bytes and headers. */
async function records(topic: string) {
  const { runtime } = fixture.test;
  const found: { id: string; key: string; value: Buffer; partition: number }[] = [];
  for (let partition = 0; partition < runtime.partitions(topic); partition++) {
    for await (const batch of runtime.parts.log.read({ topic: runtime.topic(topic), partition }, { from: 0 })) {
      for (const { headers, key, value } of batch) {
        found.push({ id: String(headers['ce_id']), key: String(key), value: value!, partition });
      }
    }
  }
  return found;
}

describe('Open Inference Protocol', () => {
  it('is alive and ready in JSON', async () => {
    expect((await get('/v2/health/live')).json()).toEqual({ live: true });
    expect((await get('/v2/health/ready')).json()).toEqual({ ready: true });
    expect((await get('/v2')).json()).toEqual({
      name: 'millrace',
      version: '0.0.0',
      extensions: ['binary_tensor_data', 'model_repository', 'parameters'],
    });
  });

  it.each(['/v2/models/iris', '/v2/models/iris/versions/3'])('describes a deployment at %s', async (url) => {
    expect((await get(url)).json()).toEqual({
      name: 'iris',
      versions: ['3'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'X', datatype: 'FP32', shape: [-1, 4] }],
      outputs: [],
    });
    expect((await get(`${url}/ready`)).json()).toEqual({ name: 'iris', ready: true });
  });

  it('answers, with the headers that the model server needs', async () => {
    const headers = { 'millrace-entity': 'flower-7', 'millrace-deadline': '2026-01-01T00:00:00Z' };
    const answer = await post('/v2/models/iris/versions/3/infer', { inputs: [] }, headers);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['millrace-prediction']).toBe('0'.repeat(32));
    expect(answer.json()).toEqual({ model_name: 'iris', outputs: [] });
    expect(fixture.asked.at(-1)).toMatchObject({
      deployment: 'iris',
      body: { inputs: [] },
      entity: 'flower-7',
      deadline: '2026-01-01T00:00:00Z',
    });
  });

  it('says error, code and id for an unknown model and an old version', async () => {
    const unknown = await post('/v2/models/rose/infer', { inputs: [] });
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json()).toMatchObject({ error: "there is no deployment 'rose'", code: 'NOT_FOUND' });
    const old = await post('/v2/models/iris/versions/2/infer', { inputs: [] });
    expect(old.statusCode).toBe(404);
    expect(old.json().error).toContain("deployment 'iris' is at version 3");
  });

  it('takes a cloud event around the request, structured and binary', async () => {
    const data = { inputs: [{ name: 'X' }] };
    const event = { specversion: '1.0', id: 'e/1', source: '/app', type: 'x', data };
    await post('/v2/models/iris/infer', event, { 'content-type': 'application/cloudevents+json' });
    expect(fixture.asked.at(-1)).toMatchObject({ clientId: 'e/1', source: '/app', body: data });
    const binary = { 'ce-specversion': '1.0', 'ce-id': 'e2', 'ce-source': '/app', 'ce-type': 'x' };
    await post('/api/v1/deployments/iris/predictions', data, binary);
    expect(fixture.asked.at(-1)).toMatchObject({ clientId: 'e2', source: '/app', body: data });
  });
});

describe('triggers', () => {
  it('are published and recorded', async () => {
    const answer = await post(
      '/api/v1/triggers',
      { name: 'arrived', payload: { rows: 3 } },
      { 'x-millrace-actor': 'ada' },
    );
    expect(answer.statusCode).toBe(202);
    const { triggerId } = answer.json<{ triggerId: string }>();
    const record = (await records('triggers')).find(({ id }) => id === triggerId);
    const { codec } = fixture.test.runtime;
    expect(codec.decode('triggers', record!.value)).toMatchObject({ data: { name: 'arrived', payload: '{"rows":3}' } });
    const operations = await fixture.events('operations');
    expect(operations.map(({ data }) => data)).toContainEqual(
      expect.objectContaining({ action: 'trigger.publish', object: 'arrived', actor: 'ada' }),
    );
  });

  it('with the same id of the same source are the same trigger', async () => {
    const event = { specversion: '1.0', id: 'a/b', source: '/erp', type: 'arrived', subject: 'store-1', data: {} };
    const send = async (body: object) =>
      (await post('/api/v1/triggers', body, { 'content-type': 'application/cloudevents+json' })).json().triggerId;
    expect(await send(event)).toBe(await send(event));
    expect(await send({ ...event, source: '/crm' })).not.toBe(await send(event));
    expect((await records('triggers')).at(-1)?.key).toBe('store-1');
  });

  it.each([
    [{}, 'body.name'],
    [{ name: '' }, 'body.name'],
    [{ name: 'x', payload: [1] }, 'payload must be a JSON object'],
    [{ name: 'x', id: 5 }, 'body.id'],
  ])('refuses %j', async (body, message) => {
    const answer = await post('/api/v1/triggers', body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toContain(message);
  });
});

describe('feedback', () => {
  const predictionId = '0001'.padEnd(32, 'a');

  it('is published under an id that follows from the given one', async () => {
    const give = () => post('/api/v1/feedback', { predictionId, truth: 1.5, id: 'f1' });
    const first = (await give()).json<{ feedbackId: string }>();
    expect((await give()).json()).toEqual(first);
    const record = (await records('feedback')).find(
      ({ id }) => feedbackIdOfCall(id, predictionId) === first.feedbackId,
    );
    expect(fixture.test.runtime.codec.decode('feedback', record!.value).data).toEqual({
      predictionId,
      truth: 1.5,
      label: null,
      reward: null,
      row: null,
      truths: [],
      labels: [],
      rewards: [],
    });
  });

  it('on several rows is published as it was given', async () => {
    const give = async (said: object) => {
      const { feedbackId } = (await post('/api/v1/feedback', { predictionId, ...said })).json<{ feedbackId: string }>();
      const record = (await records('feedback')).find(({ id }) => feedbackIdOfCall(id, predictionId) === feedbackId);
      return fixture.test.runtime.codec.decode('feedback', record!.value).data;
    };
    expect(await give({ truth: [1, null, 3], reward: [null, 0.5, null] })).toMatchObject({
      ...{ truth: null, reward: null, row: null },
      ...{ truths: [1, null, 3], labels: [], rewards: [null, 0.5, null] },
    });
    expect(await give({ row: 2, label: 'x' })).toMatchObject({ row: 2, label: 'x', labels: [] });
  });

  it.each([
    [{ truth: 1 }, 'predictionId must be the id of a prediction'],
    [{ predictionId: '0099'.padEnd(32, 'a'), truth: 1 }, 'predictionId must be the id of a prediction'],
    [{ predictionId }, 'truth, label or reward must be given'],
    [{ predictionId, truth: '1' }, 'truth must be a number, got "1"'],
    [{ predictionId, reward: 1e300 }, 'reward must lie within'],
    [{ predictionId, label: 5 }, 'label must be a text'],
    [[], 'feedback must be an object'],
    [{ predictionId, truth: [] }, 'truth must have one value per row, 1 to 1000 of them, got 0'],
    [{ predictionId, truth: Array(1_001).fill(1) }, '1 to 1000 of them, got 1001'],
    [{ predictionId, truth: [1, '2'] }, 'truth[1] must be a number, got "2"'],
    [{ predictionId, label: ['a', ''] }, 'label[1] must be a text'],
    [{ predictionId, reward: [null, null] }, 'truth, label or reward must be given'],
    [{ predictionId, truth: [1, 2], reward: [1] }, 'got truth with 2 in a list, reward with 1 in a list'],
    [{ predictionId, truth: [1, 2], reward: 1 }, 'must all be one value, or lists of the same length'],
    [{ predictionId, truth: [1, 2], row: 1 }, 'row names one row, and a list has one value per row'],
    [{ predictionId, truth: 1, truths: [1, 2] }, 'truth and truths say the same thing: give one of them'],
    [{ predictionId, truth: 1, row: -1 }, 'row must be a whole number from 0 to 999, got -1'],
    [{ predictionId, truth: 1, row: 1_000 }, 'row must be a whole number from 0 to 999, got 1000'],
    [{ predictionId, truth: 1, row: 0.5 }, 'row must be a whole number from 0 to 999, got 0.5'],
    [{ predictionId, truth: 1, row: '1' }, 'row must be a whole number from 0 to 999, got "1"'],
  ])('refuses %j', async (body, message) => {
    const answer = await post('/api/v1/feedback', body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toContain(message);
  });
});

describe('runs and bundles', () => {
  it('lists by a checked query', async () => {
    expect((await get('/api/v1/runs?limit=7&status=failed')).json()).toMatchObject({ runs: [{ limit: 7 }] });
    expect((await get('/api/v1/runs?limit=0')).statusCode).toBe(400);
    expect((await get('/api/v1/runs?status=odd')).statusCode).toBe(400);
    expect((await get(`/api/v1/runs/${'b'.repeat(32)}`)).statusCode).toBe(404);
  });

  it('keeps an uploaded bundle by its hash', async () => {
    const answer = await post('/api/v1/bundles', 'export default 1', { 'content-type': 'application/javascript' });
    const { hash } = answer.json<{ hash: string }>();
    expect((await fixture.test.runtime.parts.blobs.get(hash)).toString()).toBe('export default 1');
  });

  it('asks for a cancellation', async () => {
    const runId = 'c'.repeat(32);
    const answer = await post(`/api/v1/runs/${runId}/cancel`, { reason: 'wrong data' }, { 'x-millrace-actor': 'ada' });
    expect(answer.statusCode).toBe(202);
    expect(await fixture.events('runs')).toMatchObject([
      { type: 'run-cancel-requested', data: { runId, reason: 'wrong data', actor: 'ada' } },
    ]);
  });

  it('starts nothing that is not deployed or uploaded', async () => {
    expect((await post('/api/v1/runs', { flow: 'nope' })).json()).toMatchObject({ code: 'NOT_FOUND' });
    const bundleHash = 'd'.repeat(64);
    expect((await post('/api/v1/runs', { flow: 'nope', bundleHash, graph: {} })).statusCode).toBe(404);
  });
});

describe('the description', () => {
  it('has every path of the platform', async () => {
    const { openapi, paths } = (await get('/api/v1/openapi.json')).json<{ openapi: string; paths: object }>();
    expect(openapi).toMatch(/^3\./);
    for (const { method, url, config } of fixture.gateway.routes()) {
      if (method === 'HEAD' || ['/', '/livez', '/readyz', '/metrics', '/api/v1/openapi.json'].includes(url)) continue;
      const path = url.replace(/:(\w+)/g, '{$1}');
      expect(paths, `${method} ${url} ${config.access}`).toHaveProperty([path, method.toLowerCase()]);
    }
  });

  it('says in a sentence what each of them does', async () => {
    type Calls = Readonly<Record<string, { readonly summary?: string }>>;
    const { paths } = (await get('/api/v1/openapi.json')).json<{ paths: Readonly<Record<string, Calls>> }>();
    const silent = Object.entries(paths)
      .filter(([path]) => !/^\/(?:ajax-)?api\/2\.0\//.test(path))
      .flatMap(([path, calls]) =>
        Object.entries(calls).flatMap(([method, { summary = '' }]) => (summary === '' ? [`${method} ${path}`] : [])),
      );
    expect(silent).toEqual([]);
  });

  it('shows metrics as Prometheus reads them', async () => {
    await get('/api/v1/models/some-name');
    const { headers, body } = await get('/metrics');
    expect(headers['content-type']).toContain('text/plain');
    expect(body).toMatch(
      /millrace_http_request_duration_seconds_count\{route="\/api\/v1\/models\/:model",method="GET",status="404"\} [1-9]/,
    );
    expect(body).not.toContain('some-name');
  });
});
