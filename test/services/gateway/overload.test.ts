/** More requests than a model can take, by HTTP, gRPC and topic, over real sockets. */
import { Client, credentials, type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireService } from '../../../runtime/adapters/open-inference/wire.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import type { Queries } from '../../../services/gateway/queries.ts';
import { fixedBatches } from '../../../services/model-server/batch-policy.ts';
import { LinearRuntime } from '../model-server/linear-runtime.ts';
import { openServer, type ServerFixture } from '../model-server/server-fixture.ts';

const models = new LinearRuntime();
const metrics = new Registry();
let fixture: ServerFixture;
let gateway: Gateway;
let url: string;
let client: Client;
beforeAll(async () => {
  fixture = await openServer(models, { queueMax: 2, batchRecords: 4, batches: () => fixedBatches(1), metrics });
  const [hash = ''] = await fixture.deploy('slow', Buffer.from(JSON.stringify({ weights: [1], bias: 0, delayMs: 20 })));
  const model = { model: 'slow', modelVersion: 1, artifactHash: hash };
  const node = { kind: 'model', model, join: 'all' } as const;
  const nodes = [
    { ...node, name: 'first', inputs: [{ from: 'input' }] },
    { ...node, name: 'second', inputs: [{ from: 'first.y', as: 'x' }] },
  ] as const;
  await fixture.apply({
    name: 'graph',
    routes: [{ name: 'main', weight: 1, graph: { nodes, output: { from: [{ from: 'second' }], join: 'any' } } }],
    features: [],
    feedback: { windowMs: 1_000, reward: 'equal' },
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
  });
  await fixture.apply({
    name: 'limited',
    routes: [{ name: 'main', weight: 1, ...model }],
    features: [],
    feedback: { windowMs: 1_000, reward: 'equal' },
    monitors: { window: { rows: 10, minRows: 5, maxAgeMs: 1_000 } },
    limits: { rate: { perSecond: 0.01, burst: 2 } },
  });
  gateway = await createGateway({
    runtime: fixture.test.runtime,
    inference: fixture.server,
    queries: {} as Queries,
    metrics,
    version: '0.0.0',
    port: 0,
    grpcPort: 0,
  });
  const listening = await gateway.listen();
  url = listening.url;
  client = new Client(listening.grpc ?? '', credentials.createInsecure());
  await ask('warm-up');
});
afterAll(async () => {
  client.close();
  await gateway.close();
  await fixture.close();
});

const inputs = [{ name: 'x', datatype: 'FP64', shape: [1, 1], data: [1] }];

async function ask(entity: string, path = '/v2/models/slow/infer', body: object = { inputs }) {
  const headers = { 'content-type': 'application/json', 'millrace-entity': entity };
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return {
    status: answer.status,
    retryAfter: answer.headers.get('retry-after'),
    body: (await answer.json()) as object,
  };
}

/** Resolves with undefined when the call was answered. */
function call(deployment = 'slow'): Promise<ServiceError | undefined> {
  const { path, requestSerialize, responseDeserialize } = wireService.ModelInfer;
  const tensor = { name: 'x', datatype: 'FP64', shape: [1, 1], contents: { fp64_contents: [1] } };
  const request = { model_name: deployment, inputs: [tensor] };
  return new Promise((resolve) =>
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) =>
      resolve(error ?? undefined),
    ),
  );
}

const waiting = (): number => fixture.server.stats().queues[0]?.waiting ?? 0;
const outcomesOf = async (entity: string) => (await fixture.outcomes()).filter(({ key }) => key === entity);

/** One that runs, two that wait: all that there is room for. Resolves with what lets them go and waits for their answers. */
async function fill(): Promise<() => Promise<readonly unknown[]>> {
  const { begun } = models;
  let open = (): void => undefined;
  models.gate = new Promise((resolve) => {
    open = resolve;
  });
  const held = [ask('held')];
  await eventually('the model is held', () => models.begun > begun);
  held.push(ask('held'), ask('held'));
  await eventually('the queue is full', () => waiting() === 2);
  return () => {
    models.gate = undefined;
    open();
    return Promise.all(held);
  };
}

describe('a deployment with a rate', () => {
  it('turns calls away beyond it, says when to come again, and leaves no trace of them', async () => {
    expect(await ask('paced', '/v2/models/limited/infer')).toMatchObject({ status: 200 });
    expect(await call('limited')).toBeUndefined();
    const refused = await ask('paced', '/v2/models/limited/infer');
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'RATE_LIMITED', error: expect.stringContaining("'limited' takes 0.01 requests a second") },
    });
    // a hundred seconds, of which clients hear at most a minute
    expect(refused.retryAfter).toBe('60');
    expect(await ask('paced', '/endpoints/limited/invocations', { inputs: [[1]] })).toMatchObject({
      status: 429,
      retryAfter: '60',
      body: { error_code: 'REQUEST_LIMIT_EXCEEDED' },
    });
    const error = await call('limited');
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(error?.metadata.get('millrace-code')).toEqual(['RATE_LIMITED']);
    expect(error?.metadata.get('grpc-retry-pushback-ms')).toEqual(['60000']);
    expect(await metrics.metrics()).toContain('millrace_predictions_refused_total{by="rate"} 3');
    expect(await outcomesOf('paced')).toHaveLength(1);
  });
});

describe('when the queue of a model is full', () => {
  it('HTTP is told to come again, and the log says nothing of it', async () => {
    const release = await fill();
    expect(await ask('refused')).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { code: 'OVERLOADED', error: expect.stringContaining('2 requests wait for model models:/slow/1') },
    });
    expect(await ask('refused', '/endpoints/slow/invocations', { inputs: [[1]] })).toMatchObject({
      status: 503,
      retryAfter: '1',
      body: { error_code: 'TEMPORARILY_UNAVAILABLE' },
    });
    expect(await ask('refused', '/seldon/any/slow/api/v1.0/predictions', { data: { ndarray: [[1]] } })).toMatchObject({
      status: 503,
      retryAfter: '1',
    });
    const shown = await metrics.metrics();
    expect(shown).toContain('millrace_model_queue_requests{model="models:/slow/1"} 2');
    expect(shown).toContain('millrace_predictions_refused_total{by="queue"} 3');
    expect(await release()).toMatchObject([{ status: 200 }, { status: 200 }, { status: 200 }]);
    expect(await outcomesOf('refused')).toEqual([]);
    expect(await ask('refused')).toMatchObject({ status: 200 });
  });

  it('gRPC hears RESOURCE_EXHAUSTED, and when to come again', async () => {
    const release = await fill();
    const error = await call();
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    const trailing = error?.metadata as Metadata;
    expect(trailing.get('millrace-code')).toEqual(['OVERLOADED']);
    expect(trailing.get('grpc-retry-pushback-ms')).toEqual(['1000']);
    await release();
    expect(await call()).toBeUndefined();
  });

  it('a graph is refused at its door, and not halfway', async () => {
    const release = await fill();
    expect(await ask('refused graph', '/v2/models/graph/infer')).toMatchObject({ status: 503 });
    await release();
    const asked = Array.from({ length: 5 }, (_, index) => ask(`graph ${index}`, '/v2/models/graph/infer'));
    const statuses = (await Promise.all(asked)).map((answer) => answer.status);
    const answered = statuses.filter((known) => known === 200).length;
    expect(answered).toBeGreaterThan(0);
    expect(statuses.filter((known) => known === 503)).toHaveLength(5 - answered);
    expect(
      (await fixture.outcomes()).filter(({ type, key }) => type === 'prediction-failed' && key.includes('graph')),
    ).toEqual([]);
  });

  it('a topic waits: its partition is not read on, nothing is refused, and calls have room of their own', async () => {
    const requests = 24;
    for (let index = 0; index < requests; index++)
      await fixture.request({ key: 'streamed', value: JSON.stringify({ inputs }), deployment: 'slow' });
    await eventually('the topic waits', () => waiting() >= 3);
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, waiting());
    }, 5);
    expect(await ask('beside')).toMatchObject({ status: 200 });
    const streamed = await eventually('all are answered', async () => {
      const found = await outcomesOf('streamed');
      return found.length === requests ? found : undefined;
    });
    clearInterval(watch);
    expect(streamed.every(({ type }) => type === 'prediction-completed')).toBe(true);
    const offsets = streamed.map(({ data }) => (data as { source: { offset: number } }).source.offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    // four records of the batch, one call
    expect(most).toBeLessThanOrEqual(5);
  });
});
