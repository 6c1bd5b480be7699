/** A client that closes its connection, over real sockets. */
import { Client, type ClientUnaryCall, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wireService } from '../../../runtime/adapters/open-inference/wire.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import type { Queries } from '../../../services/gateway/queries.ts';
import { LinearRuntime } from '../model-server/linear-runtime.ts';
import { openServer, type ServerFixture } from '../model-server/server-fixture.ts';

const models = new LinearRuntime();
let fixture: ServerFixture;
let gateway: Gateway;
let url: string;
let client: Client;
/** Entities of requests whose connections the server has seen closing, answered or not. */
const gone = new Set<unknown>();
beforeAll(async () => {
  fixture = await openServer(models, { runService: false });
  await fixture.deploy('slow', Buffer.from(JSON.stringify({ weights: [1], bias: 0 })));
  gateway = await createGateway({
    runtime: fixture.test.runtime,
    inference: fixture.server,
    queries: {} as Queries,
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    grpcPort: 0,
  });
  gateway.app.server.on('request', (request, response) => {
    response.once('close', () => gone.add(request.headers['millrace-entity']));
  });
  const listening = await gateway.listen();
  url = listening.url;
  client = new Client(listening.grpc ?? '', credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await gateway.close();
  await fixture.close();
});

function ask(value: number, signal: AbortSignal | null, id?: string): Promise<Response | 'closed'> {
  const inputs = [{ name: 'x', datatype: 'FP64', shape: [1, 1], data: [value] }];
  const body = JSON.stringify({ inputs, ...(id === undefined ? {} : { id }) });
  const headers = { 'content-type': 'application/json', 'millrace-entity': `e${value}` };
  const asked = fetch(`${url}/v2/models/slow/infer`, { method: 'POST', headers, body, signal });
  return asked.catch(() => 'closed' as const);
}

/** Calls of the model do not go on until this is called. */
function holdModel(): () => void {
  let release: () => void = () => undefined;
  models.gate = new Promise((resolve) => (release = resolve));
  return () => {
    models.gate = undefined;
    release();
  };
}

/** The second is closed while the first holds the model. */
async function closeBehind(first: number, second: number, id?: string): Promise<void> {
  const closing = new AbortController();
  const release = holdModel();
  const begun = models.begun;
  const running = ask(first, null);
  await eventually('the model is held', () => models.begun > begun);
  const closed = ask(second, closing.signal, id);
  await eventually('the other waits', () => fixture.server.stats().inFlight === 2);
  closing.abort();
  expect(await closed).toBe('closed');
  await eventually('the server has seen it', () => gone.has(`e${second}`));
  release();
  expect(await running).toMatchObject({ status: 200 });
  await eventually('both have outcomes', () => fixture.server.stats().inFlight === 0);
}

/** The same over gRPC; resolves with how it ended. */
function call(value: number): { readonly sent: ClientUnaryCall; readonly ended: Promise<ServiceError | null> } {
  const { path, requestSerialize, responseDeserialize } = wireService.ModelInfer;
  const tensor = { name: 'x', datatype: 'FP64', shape: [1, 1], contents: { fp64_contents: [value] } };
  const metadata = new Metadata();
  metadata.set('millrace-entity', `e${value}`);
  let hear: (error: ServiceError | null) => void = () => undefined;
  const ended = new Promise<ServiceError | null>((resolve) => {
    hear = resolve;
  });
  const request = { model_name: 'slow', inputs: [tensor] };
  return { ended, sent: client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, hear) };
}

function live(): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = wireService.ServerLive;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

const outcomeOf = async (entity: string) => (await fixture.outcomes()).filter(({ key }) => key === entity);

describe('a request whose connection is closed before it runs', () => {
  it('is dropped, and its outcome says so', async () => {
    models.calls.length = 0;
    await closeBehind(1, 2);
    expect(models.calls).toEqual([1]);
    expect(await outcomeOf('e2')).toMatchObject([{ type: 'prediction-failed', data: { code: 'CANCELLED' } }]);
  });

  it('is answered all the same when it has an id by which it can be asked again', async () => {
    await closeBehind(3, 4, 'again');
    expect(await outcomeOf('e4')).toMatchObject([{ type: 'prediction-completed', data: { clientId: 'again' } }]);
    expect(await ask(4, null, 'again')).toMatchObject({ status: 200 });
    expect(await outcomeOf('e4')).toHaveLength(2);
  });

  it('is dropped over gRPC when its client ends the call', async () => {
    models.calls.length = 0;
    const release = holdModel();
    const { begun } = models;
    const running = call(5);
    await eventually('the model is held', () => models.begun > begun);
    const { sent, ended } = call(6);
    await eventually('the other waits', () => fixture.server.stats().inFlight === 2);
    sent.cancel();
    expect(await ended).toMatchObject({ code: status.CANCELLED });
    // what comes behind it on the same connection is answered behind it
    await live();
    release();
    expect(await running.ended).toBeNull();
    await eventually('both have outcomes', () => fixture.server.stats().inFlight === 0);
    expect(models.calls).toEqual([1]);
    expect(await outcomeOf('e6')).toMatchObject([{ type: 'prediction-failed', data: { code: 'CANCELLED' } }]);
    expect(await outcomeOf('e5')).toMatchObject([{ type: 'prediction-completed' }]);
  });
});
