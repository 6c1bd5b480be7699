/** A client that closes its connection, over real sockets. */
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import type { Queries } from '../../../services/gateway/queries.ts';
import { LinearRuntime } from '../model-server/linear-runtime.ts';
import { openServer, type ServerFixture } from '../model-server/server-fixture.ts';

const models = new LinearRuntime();
let fixture: ServerFixture;
let gateway: Gateway;
let url: string;
beforeAll(async () => {
  fixture = await openServer(models, { runService: false });
  await fixture.deploy('slow', Buffer.from(JSON.stringify({ weights: [1], bias: 0, delayMs: 400 })));
  gateway = await createGateway({
    runtime: fixture.test.runtime,
    inference: fixture.server,
    queries: {} as Queries,
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
  });
  url = (await gateway.listen()).url;
});
afterAll(async () => {
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

/** The second is closed while the first holds the model. */
async function closeBehind(first: number, second: number, id?: string): Promise<void> {
  const closing = new AbortController();
  const begun = models.begun;
  const running = ask(first, null);
  await eventually('the model is held', () => models.begun > begun);
  const closed = ask(second, closing.signal, id);
  await eventually('the other waits', () => fixture.server.stats().inFlight === 2);
  closing.abort();
  expect(await closed).toBe('closed');
  expect(await running).toMatchObject({ status: 200 });
  await eventually('both have outcomes', () => fixture.server.stats().inFlight === 0);
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
});
