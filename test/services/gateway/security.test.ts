import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { accessLevels } from '../../../services/gateway/security/authorization.ts';
import { checkListenAddress } from '../../../services/gateway/security/listen-policy.ts';
import { type Fixture, local, openGateway } from './gateway-fixture.ts';

let open: Fixture;
let guarded: Fixture;
beforeAll(async () => {
  open = await openGateway({ bodyBytesMax: 1_000 });
  guarded = await openGateway({ token: 'secret', hosts: ['ml.example.org'] });
});
afterAll(async () => {
  await open.close();
  await guarded.close();
});

describe('the address', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('%s needs no token', (host) => {
    expect(() => checkListenAddress(host, undefined)).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org'])('%s needs one', (host) => {
    expect(() => checkListenAddress(host, undefined)).toThrow('without a token');
    expect(() => checkListenAddress(host, 'secret')).not.toThrow();
  });

  it('is checked before anything is opened', async () => {
    await expect(openGateway({ host: '0.0.0.0', metrics: new Registry() })).rejects.toMatchObject({
      code: 'INVALID_CONFIGURATION',
    });
  });
});

describe('the token', () => {
  const routes = () => guarded.gateway.app;
  const call = (url: string, authorization?: string) =>
    routes().inject({ url, headers: { ...local, ...(authorization === undefined ? {} : { authorization }) } });

  it.each([undefined, 'secret', 'Bearer wrong', 'Bearer secret2', 'Basic secret'])(
    '%s opens nothing',
    async (token) => {
      const answer = await call('/api/v1/models', token);
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(answer.json()).toEqual({ code: 'FORBIDDEN', message: expect.any(String), id: expect.any(String) });
    },
  );

  it('is all that strangers hear, who are not let fill the log under any name', async () => {
    const refused = async (): Promise<readonly unknown[]> =>
      (await guarded.events('operations')).filter(({ data }) => data['object'] === '/api/v1/triggers');
    const headers = { ...local, 'x-millrace-actor': 'alice' };
    for (let time = 0; time < 3; time++) {
      const answer = await routes().inject({ method: 'POST', url: '/api/v1/triggers', headers, payload: {} });
      expect(answer.statusCode).toBe(401);
    }
    expect(await refused()).toMatchObject([{ data: { actor: 'unauthenticated', outcome: 'refused: FORBIDDEN' } }]);
  });

  it('opens the rest, and probes need none', async () => {
    expect((await call('/api/v1/models', 'Bearer secret')).statusCode).toBe(200);
    expect((await call('/livez')).statusCode).toBe(200);
    expect((await call('/v2/health/live')).json()).toEqual({ live: true });
  });
});

describe('every route', () => {
  it('declares its access, and an action if it writes; without a token all but the public ones are closed', async () => {
    const seen: { method: string; url: string; access: string }[] = [];
    for (const { method, url, config } of guarded.gateway.routes()) {
      expect(accessLevels, `${method} ${url}`).toContain(config.access);
      if (config.access === 'write') expect(config.action, `${method} ${url}`).toMatch(/^[a-z]+\.[a-z-]+$/);
      else expect(config.action).toBeUndefined();
      seen.push({ method, url, access: config.access ?? '' });
      const answer = await guarded.gateway.app.inject({ method: method as 'GET', url, headers: local });
      if (config.access === 'public') expect(answer.statusCode, url).not.toBe(401);
      else expect(answer.statusCode, `${method} ${url}`).toBe(401);
    }
    expect(seen.length).toBeGreaterThan(30);
    expect(seen.filter(({ access }) => access === 'public').map(({ url }) => url)).toEqual(
      expect.arrayContaining(['/livez', '/readyz', '/ping', '/v2/health/live', '/v2/health/ready']),
    );
    expect(new Set(seen.filter(({ access }) => access === 'public').map(({ url }) => url)).size).toBe(5);
  });

  it('without a declaration keeps the server from coming up', async () => {
    const { fastify } = await import('fastify');
    const { authorize } = await import('../../../services/gateway/security/authorization.ts');
    const app = fastify();
    authorize(app, undefined, Date.now, () => undefined);
    expect(() => app.get('/open', async () => 'x')).toThrow('must declare config.access');
    expect(() => app.post('/w', { config: { access: 'write' } }, async () => 'x')).toThrow('config.action');
    await app.close();
  });
});

describe('host and origin', () => {
  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example'])('refuses the host %s', async (host) => {
    const answer = await open.gateway.app.inject({ url: '/api/v1/models', headers: { host } });
    expect(answer.statusCode).toBe(403);
  });

  it.each(['localhost:7400', '127.0.0.1', '[::1]:80', 'LOCALHOST'])('takes the host %s', async (host) => {
    expect((await open.gateway.app.inject({ url: '/api/v1/models', headers: { host } })).statusCode).toBe(200);
  });

  it('takes configured hosts', async () => {
    const headers = { host: 'ml.example.org', authorization: 'Bearer secret' };
    expect((await guarded.gateway.app.inject({ url: '/api/v1/models', headers })).statusCode).toBe(200);
  });

  it('is probed and, with the token, scraped by address; without a token only by name', async () => {
    const ask = async (gateway: typeof open, url: string, more: object = {}): Promise<number> =>
      (await gateway.gateway.app.inject({ url, headers: { host: '10.1.2.3:7400', ...more } })).statusCode;
    expect([await ask(open, '/livez'), await ask(guarded, '/readyz')]).toEqual([200, 200]);
    const authorization = 'Bearer secret';
    expect([await ask(guarded, '/metrics', { authorization }), await ask(guarded, '/metrics')]).toEqual([200, 401]);
    expect([await ask(open, '/metrics'), await ask(guarded, '/api/v1/models', { authorization })]).toEqual([403, 403]);
  });

  it.each(['https://evil.example', 'null', 'http://localhost.evil.example'])(
    'lets a page of %s change nothing',
    async (origin) => {
      const answer = await open.gateway.app.inject({
        method: 'POST',
        url: '/api/v1/triggers',
        headers: { ...local, origin },
        payload: { name: 'x' },
      });
      expect(answer.statusCode).toBe(403);
      expect((await open.gateway.app.inject({ url: '/livez', headers: { ...local, origin } })).statusCode).toBe(200);
    },
  );

  it('lets a page of its own change something', async () => {
    const answer = await open.gateway.app.inject({
      method: 'POST',
      url: '/api/v1/triggers',
      headers: { ...local, origin: 'http://localhost:7400' },
      payload: { name: 'x' },
    });
    expect(answer.statusCode).toBe(202);
  });
});

describe('bad calls', () => {
  const post = (url: string, payload: string | object, headers: object = {}) =>
    open.gateway.app.inject({ method: 'POST', url, headers: { ...local, ...headers }, payload });

  it('refuses a body over the limit', async () => {
    const answer = await post('/v2/models/iris/infer', { id: 'x'.repeat(2_000), inputs: [] });
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('refuses a body that is no JSON', async () => {
    const answer = await post('/api/v1/triggers', '{', { 'content-type': 'application/json' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'INVALID_ARGUMENT', id: expect.any(String) });
  });

  it('takes no prototype from a body', async () => {
    const answer = await post('/api/v1/triggers', '{"name":"x","__proto__":{"a":1}}', {
      'content-type': 'application/json',
    });
    expect(answer.statusCode).toBe(400);
  });

  it.each([
    '/api/v1/models/..%2f..%2fetc%2fpasswd',
    '/v2/models/%00/infer',
    '/api/v1/topics/..%2Fx/events',
    '/etc/passwd',
  ])('finds nothing at %s', async (url) => {
    const answer = await open.gateway.app.inject({ url, headers: local });
    expect([400, 404]).toContain(answer.statusCode);
    expect(answer.body).not.toContain('node_modules');
  });

  it('says nothing of the inside when something breaks', async () => {
    const broken = await openGateway({
      queries: { listRuns: () => Promise.reject(new Error('SQLITE_ERROR at /home/me/.millrace')) } as never,
    });
    const answer = await broken.gateway.app.inject({ url: '/api/v1/runs', headers: local });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toEqual({
      code: 'INTERNAL',
      message: expect.not.stringContaining('SQLITE'),
      id: expect.any(String),
    });
    await broken.close();
  });

  it('names the setting that is wrong', async () => {
    const message = 'set webhooks.key: the secrets of webhooks are on the log encrypted with it';
    const broken = await openGateway({
      queries: { listRuns: () => Promise.reject(new MillraceError('INVALID_CONFIGURATION', message)) } as never,
    });
    const answer = await broken.gateway.app.inject({ url: '/api/v1/runs', headers: local });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: 'INVALID_CONFIGURATION', message });
    await broken.close();
  });

  it.each(['two words', 'x'.repeat(200), ''])('refuses the actor %j', async (actor) => {
    const answer = await post('/api/v1/triggers', { name: 'x' }, { 'x-millrace-actor': actor });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().message).toContain('x-millrace-actor');
  });
});
