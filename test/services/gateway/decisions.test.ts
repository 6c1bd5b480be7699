import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createGateway } from '../../../services/gateway/gateway.ts';
import { type Fixture, local, openGateway } from './gateway-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await openGateway();
});
afterAll(() => fixture.close());

const spec = (name: string, model: string) => ({
  name,
  routes: [
    { name: 'a', model, weight: 1 },
    { name: 'b', model: 'models:/diamonds@champion', weight: 3 },
  ],
});

async function deploy(payload: object | string, headers: object = {}) {
  return await fixture.gateway.app.inject({
    method: 'POST',
    url: '/api/v1/deployments',
    headers: { ...local, ...headers },
    payload,
  });
}

describe('deploying over HTTP', () => {
  it('answers with the version once its row is on the table', async () => {
    const first = await fixture.registerModel('diamonds', 'champion');
    const answer = await deploy(spec('diamonds', 'models:/diamonds/1'), { 'x-millrace-actor': 'ada' });
    expect(answer.json()).toEqual({ deployment: 'diamonds', version: 1, ready: true });
    expect(answer.statusCode).toBe(201);
    const shown = await fixture.gateway.app.inject({ url: '/api/v1/deployments/diamonds', headers: local });
    expect(shown.json()).toMatchObject({
      version: 1,
      actor: 'ada',
      document: {
        routes: [
          { name: 'a', model: 'diamonds', modelVersion: 1, artifactHash: first.artifact.hash },
          { name: 'b', modelVersion: 1, weight: 3 },
        ],
      },
    });
  });

  it('takes YAML', async () => {
    const yaml = 'name: wine\nroutes:\n  - { name: a, model: models:/diamonds/1 }\n';
    const answer = await deploy(yaml, { 'content-type': 'application/yaml' });
    expect(answer.json()).toMatchObject({ deployment: 'wine', version: 1 });
  });

  it('gives the stored answer to a repeated request, and a new version to a new one', async () => {
    const headers = { 'idempotency-key': 'deploy-1' };
    const body = spec('repeated', 'models:/diamonds/1');
    expect((await deploy(body, headers)).json()).toMatchObject({ version: 1 });
    expect((await deploy(body, headers)).json()).toMatchObject({ version: 1 });
    expect((await deploy(body)).json()).toMatchObject({ version: 2 });
  });

  it('takes one key for a model and a deployment of the same name', async () => {
    const headers = { 'idempotency-key': 'release-7' };
    const alias = await fixture.gateway.app.inject({
      method: 'PUT',
      url: '/api/v1/models/diamonds/aliases/release',
      headers: { ...local, ...headers },
      payload: { version: 1 },
    });
    expect(alias.statusCode, alias.body).toBeLessThan(300);
    expect((await deploy(spec('diamonds', 'models:/diamonds/1'), headers)).statusCode).toBe(201);
  });

  it('gives it also after a restart of the gateway', async () => {
    const again = await createGateway({
      runtime: fixture.test.runtime,
      queries: {} as never,
      metrics: new Registry(),
      version: '0',
    });
    const answer = await again.app.inject({
      method: 'POST',
      url: '/api/v1/deployments',
      headers: { ...local, 'idempotency-key': 'deploy-1' },
      payload: spec('repeated', 'models:/diamonds/1'),
    });
    expect(answer.json()).toEqual({ deployment: 'repeated', version: 1 });
    await again.close();
  });

  it.each([
    ['a model that is not there', spec('x', 'models:/diamonds/99'), "model 'diamonds' has versions 1 to 1, not 99"],
    ['no routes', { name: 'x', routes: [] }, 'routes must not have fewer than 1 items'],
    ['a body of another shape', ['x'], 'the deployment must be object'],
  ])('refuses %s and records the refusal', async (_, body, message) => {
    const answer = await deploy(body, { 'x-millrace-actor': 'eve' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toContain(message);
    const operations = await fixture.events('operations');
    expect(operations.find(({ id }) => id === answer.json().id)?.data).toMatchObject({
      action: 'deployment.deploy',
      actor: 'eve',
      outcome: 'refused: INVALID_ARGUMENT',
    });
  });

  it('leaves an operation with its actor before it answers', async () => {
    await deploy(spec('audited', 'models:/diamonds/1'), { 'x-millrace-actor': 'grace' });
    const operations = await fixture.events('operations');
    expect(operations.map(({ data }) => data)).toContainEqual(
      expect.objectContaining({ action: 'deployment.deploy', object: 'audited', actor: 'grace', outcome: 'requested' }),
    );
  });

  it('removes a deployment, and refuses to remove it again', async () => {
    await deploy(spec('gone', 'models:/diamonds/1'));
    const remove = () =>
      fixture.gateway.app.inject({ method: 'DELETE', url: '/api/v1/deployments/gone', headers: local });
    expect((await remove()).json()).toEqual({ deployment: 'gone', removed: true, version: 1 });
    const shown = await fixture.gateway.app.inject({ url: '/api/v1/deployments/gone', headers: local });
    expect(shown.statusCode).toBe(404);
    expect((await remove()).json()).toMatchObject({ message: "there is no deployment 'gone'" });
  });
});

describe('aliases over HTTP', () => {
  const setAlias = (version: number, alias = 'stable') =>
    fixture.gateway.app.inject({
      method: 'PUT',
      url: `/api/v1/models/diamonds/aliases/${alias}`,
      headers: local,
      payload: { version },
    });

  it('moves one and shows it', async () => {
    expect((await setAlias(1)).json()).toEqual({ model: 'diamonds', alias: 'stable', version: 1, previous: null });
    const { version } = await fixture.registerModel('diamonds');
    expect((await setAlias(version)).json()).toMatchObject({ version, previous: 1 });
    const shown = await fixture.gateway.app.inject({ url: '/api/v1/models/diamonds', headers: local });
    expect(shown.json()).toMatchObject({ aliases: { stable: version, champion: 1 } });
  });

  it('refuses a version that does not exist', async () => {
    const answer = await setAlias(99);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('"ask again"', () => {
  it('is not the answer for ever', async () => {
    const [requestId, key] = ['busy', 'diamonds'];
    const data = { model: key, requestId, reason: 'ask again', actor: 'ada', code: 'UNAVAILABLE' };
    await fixture.test.runtime.publish([{ topic: 'registry', type: 'registry-refused', data, key, id: 'busy-1' }]);
    const ask = () =>
      fixture.gateway.app.inject({
        method: 'PUT',
        url: '/api/v1/models/diamonds/aliases/busy',
        headers: { ...local, 'idempotency-key': requestId },
        payload: { version: 1 },
      });
    await eventually('the alias', async () => (await ask()).statusCode === 200);
  });
});

describe('a decision that nobody takes', () => {
  it('ends in a timeout that tells how to ask again', async () => {
    const alone = await openGateway({ decisionTimeoutMs: 50 });
    const hash = await alone.test.runtime.parts.blobs.put(Buffer.from('bundle'));
    const answer = await alone.gateway.app.inject({
      method: 'POST',
      url: '/api/v1/flows',
      headers: { ...local, 'idempotency-key': 'once' },
      payload: { flow: 'diamonds', bundleHash: hash.hash, graph: {} },
    });
    expect(answer.statusCode).toBe(504);
    expect(answer.json().message).toContain('Idempotency-Key: once');
    await alone.close();
  });
});
