/** MLflow's webhook calls, from the call to the receiver. */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqliteQueryStore } from '../../../runtime/adapters/query/sqlite-query-store.ts';
import type { Running } from '../../../runtime/engine/runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { startEgress } from '../../../services/egress/egress.ts';
import { EgressClient } from '../../../services/egress/egress-client.ts';
import { ReachableAddresses } from '../../../services/egress/reachable-address.ts';
import { webhookRoutes } from '../../../services/egress/routes.ts';
import { openSecretBox } from '../../../services/egress/secret-box.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { startTracking, type TrackingService } from '../../../services/tracking/index.ts';
import { experimentNames } from '../../../topologies/experiment-names.ts';
import { registry } from '../../../topologies/registry.ts';
import { webhooks } from '../../../topologies/webhooks.ts';
import { openReceiver, type Receiver } from './receiver.ts';

let test: TestRuntime;
let receiver: Receiver;
let gateway: Gateway;
let tracking: TrackingService;
let egress: Running;

beforeAll(async () => {
  test = await createTestRuntime();
  receiver = await openReceiver();
  const { runtime } = test;
  const client = new EgressClient(new ReachableAddresses(['127.0.0.1/32']), { timeoutMs: 5_000 });
  const secrets = openSecretBox('k'.repeat(40), undefined);
  await Promise.all([registry, experimentNames, webhooks].map((topology) => runtime.runTopology(topology as never)));
  egress = await startEgress({ runtime, client, secrets, attemptsMax: 3, backoffMs: 300 });
  tracking = await startTracking(runtime, (schema) =>
    openSqliteQueryStore({ file: join(test.directory, 'query', `${schema.name}.db`), schema }),
  );
  const table = await runtime.openTable('webhooks');
  gateway = await createGateway({
    runtime,
    queries: {} as never,
    extensions: [tracking.routes, webhookRoutes({ runtime, table, client, secrets, queries: {} as never })],
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    actor: 'ada',
  });
});
afterAll(async () => {
  await gateway.close();
  await tracking.close();
  await egress.close();
  await test.close();
  await receiver.close();
});

async function call(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object,
  headers: Readonly<Record<string, string>> = {},
) {
  const url = `/api/2.0/mlflow/${path}`;
  const answer = await gateway.app.inject({
    method,
    url,
    headers: { host: 'localhost', ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() };
}

describe("MLflow's webhook calls", () => {
  const events = [
    { entity: 'REGISTERED_MODEL', action: 'CREATED' },
    { entity: 'MODEL_VERSION_TAG', action: 'SET' },
  ];
  it('make, show, change, test and remove one, which gets the events that it asks for, signed', async () => {
    const wish = { name: 'hook', url: `${receiver.url}/mlflow`, secret: 's3cret', events, description: 'd' };
    const { body } = await call('POST', 'webhooks', wish);
    expect(body).toMatchObject({
      webhook: { webhook_id: 'hook', name: 'hook', url: wish.url, events, status: 'ACTIVE', description: 'd' },
    });
    await call('POST', 'registered-models/create', { name: 'wine' });
    await call('POST', 'registered-models/set-tag', { name: 'wine', key: 'a', value: 'b' });
    await call('POST', 'model-versions/create', { name: 'wine', source: 's3://bucket/model' });
    await call('POST', 'model-versions/set-tag', { name: 'wine', version: '1', key: 'c', value: 'd' });
    const got = await eventually('both events came', () => {
      const all = receiver.received.filter(({ path }) => path === '/mlflow');
      return all.length >= 2 ? all : undefined;
    });
    expect(got.map(({ body: text }) => JSON.parse(text) as object)).toMatchObject([
      { entity: 'registered_model', action: 'created', data: { name: 'wine' } },
      { entity: 'model_version_tag', action: 'set', data: { name: 'wine', version: '1', key: 'c', value: 'd' } },
    ]);
    const [{ headers, body: text } = { headers: {} as Record<string, string>, body: '' }] = got;
    const signed = `${headers['x-mlflow-delivery-id']}.${headers['x-mlflow-timestamp']}.${text}`;
    const signature = createHmac('sha256', 's3cret').update(signed).digest('base64');
    expect(headers['x-mlflow-signature']).toBe(`v1,${signature}`);

    expect((await call('GET', 'webhooks')).body).toMatchObject({ webhooks: [{ webhook_id: 'hook' }] });
    expect((await call('POST', 'webhooks/hook/test')).body).toMatchObject({
      result: { success: true, response_status: 200 },
    });
    const changed = await call('PATCH', 'webhooks/hook', { status: 'DISABLED', events: events.slice(0, 1) });
    expect(changed.body).toMatchObject({ webhook: { status: 'DISABLED', events: events.slice(0, 1) } });
    expect((await call('DELETE', 'webhooks/hook')).body).toEqual({});
    expect(await call('GET', 'webhooks/hook')).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
    });
  });

  it('make one that is disabled from the beginning, also when the call has a key and is repeated', async () => {
    const wish = { name: 'quiet', url: `${receiver.url}/quiet`, events, status: 'DISABLED' };
    for (let turn = 0; turn < 2; turn++) {
      const { body } = await call('POST', 'webhooks', wish, { 'idempotency-key': 'quiet-1' });
      expect(body).toMatchObject({ webhook: { webhook_id: 'quiet', status: 'DISABLED' } });
    }
    expect((await call('GET', 'webhooks/quiet')).body).toMatchObject({ webhook: { status: 'DISABLED' } });
    expect(await call('POST', 'webhooks', { ...wish, name: 'q', status: 'OFF' })).toMatchObject({ status: 400 });
  });

  it.each(['GET', 'PATCH', 'DELETE'] as const)('%s of an id that is a path reaches no other call', async (method) => {
    const said = await call(method, 'webhooks/..%2Fdeployments%2Firis', method === 'PATCH' ? {} : undefined);
    expect(said).toMatchObject({ status: 400, body: { message: expect.stringContaining('Invalid webhook id') } });
  });

  it('are refused for private addresses, unknown events, no events, and bad names', async () => {
    const wish = { name: 'other', url: 'https://10.0.0.1/', events };
    const refused = async (more: object) => await call('POST', 'webhooks', { ...wish, ...more });
    expect(await refused({})).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
    const bad = { status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } };
    expect(await refused({ url: `${receiver.url}/x`, events: [] })).toMatchObject(bad);
    expect(await refused({ url: `${receiver.url}/x`, events: [{ entity: 'RUN', action: 'CREATED' }] })).toMatchObject(
      bad,
    );
    expect(await refused({ url: `${receiver.url}/x`, name: 'a/b' })).toMatchObject(bad);
    // Never a status that a client tries again for minutes.
    expect(await refused({ url: 'https://nobody.invalid/x' })).toMatchObject(bad);
  });
});
