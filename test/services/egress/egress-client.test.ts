import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EgressClient } from '../../../services/egress/egress-client.ts';
import { ReachableAddresses } from '../../../services/egress/reachable-address.ts';
import { openSecretBox } from '../../../services/egress/secret-box.ts';
import { webhookRequest } from '../../../services/egress/webhook-request.ts';
import { openReceiver, type Receiver } from './receiver.ts';

let receiver: Receiver;
beforeAll(async () => {
  receiver = await openReceiver();
});
afterAll(async () => {
  await receiver.close();
});

const named =
  (...addresses: readonly string[]) =>
  async () =>
    await Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
const client = (allow: readonly string[], resolve = named('127.0.0.1'), timeoutMs = 5_000) =>
  new EgressClient(new ReachableAddresses(allow, resolve), { timeoutMs, bodyBytesMax: 1_000 });

describe('an address', () => {
  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1'],
    ...['255.255.255.255', '198.18.0.1', '[::1]', '[::]', '[fe80::1]', '[fd00::1]', '[ff02::1]', '[::ffff:10.0.0.1]'],
    ...['[::ffff:7f00:1]', '[64:ff9b::a00:1]', '[2002:a00:1::]', '2130706433', '0x7f.1', '0177.0.0.1'],
  ])('%s is refused, for it is not of the public internet', async (host) => {
    await expect(client([]).check(`https://${host}/`)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each(['8.8.8.8', '172.32.0.1', '192.169.0.1', '[2606:4700::1111]', '[::ffff:8.8.8.8]'])(
    '%s may be reached, by https alone',
    async (host) => {
      await expect(client([]).check(`https://${host}/`)).resolves.toBeUndefined();
      await expect(client([]).check(`http://${host}/`)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    },
  );

  it('of a network that the configuration names may be reached, and no other', async () => {
    await expect(client(['10.1.0.0/16']).check('http://10.1.9.9/')).resolves.toBeUndefined();
    await expect(client(['10.1.0.0/16']).check('http://10.2.0.1/')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(() => client(['10.1.0.0/33'])).toThrow('is no network');
    expect(() => client(['internal.example.org'])).toThrow('is no network');
  });

  it('is refused when any address of a name is private', async () => {
    const mixed = client([], named('8.8.8.8', '10.0.0.1'));
    await expect(mixed.check('https://hooks.example.org/')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('that a name leads to is judged at every request, and the one that was judged is connected to', async () => {
    const { port } = new URL(receiver.url);
    let asked = 0;
    const rebound = client(['127.0.0.1/32'], () => {
      asked += 1;
      return named(asked < 3 ? '127.0.0.1' : '10.0.0.1')();
    });
    // the name does not exist: only the address that was judged can lead there
    const url = `http://rebound.invalid:${port}/hook`;
    await rebound.check(url);
    await expect(rebound.post(url, '{}', {})).resolves.toMatchObject({ status: 200, body: 'heard' });
    await expect(rebound.post(url, '{}', {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(receiver.received.at(-1)?.headers.host).toBe(`rebound.invalid:${port}`);
  });
});

describe('a request', () => {
  it('does not follow a redirect', async () => {
    receiver.answer = ({ path }) =>
      path === '/moved' ? { status: 302, headers: { location: `${receiver.url}/secret` } } : { status: 200 };
    const answer = await client(['127.0.0.1/32']).post(`${receiver.url}/moved`, '{}', {});
    receiver.answer = () => ({ status: 200 });
    expect(answer.status).toBe(302);
    expect(receiver.received.map(({ path }) => path)).not.toContain('/secret');
  });

  it('is limited in time, in size and by a receiver that is not there', async () => {
    receiver.answer = () => undefined;
    const hasty = client(['127.0.0.1/32'], named('127.0.0.1'), 100);
    await expect(hasty.post(receiver.url, '{}', {})).rejects.toMatchObject({ code: 'TIMEOUT' });
    receiver.answer = () => ({ status: 200 });
    const open = client(['127.0.0.1/32']);
    await expect(open.post(receiver.url, 'x'.repeat(1_001), {})).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(open.post('http://127.0.0.1:9/', '{}', {})).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('a signature', () => {
  const event = {
    ...{ id: 'stamp/1', topic: 'drift', partition: 0, offset: 7, key: 'iris', timeMs: 1_700_000_000_000 },
    type: 'drift-assessed',
    data: { deployment: 'iris', statistic: Number.NaN },
  };

  it('is that of Standard Webhooks', () => {
    // the example of the specification's reference libraries
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const key = Buffer.from(secret.slice(6), 'base64');
    const example = createHmac('sha256', key).update('msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}');
    expect(example.digest('base64')).toBe('g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
    const request = webhookRequest('standard', secret, event, 1_614_265_330_999);
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request?.headers ?? {};
    expect(at).toBe('1614265330');
    const signed = createHmac('sha256', key).update(`${id}.1614265330.${request?.body}`).digest('base64');
    expect(signature).toBe(`v1,${signed}`);
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      type: 'drift.drift-assessed',
      timestamp: '2023-11-14T22:13:20.000Z',
      data: { deployment: 'iris', statistic: 'NaN' },
    });
  });

  it('is that of MLflow for its events of the registry, and other events are not said', () => {
    const data = { model: 'iris', alias: 'champion', version: 3, previous: 2, requestId: 'r', actor: 'ada' };
    const set = { ...event, topic: 'registry', type: 'alias-set', data };
    const request = webhookRequest('mlflow', 'my secret', set, 1_614_265_330_000);
    const { 'X-MLflow-Delivery-Id': id, 'X-MLflow-Signature': signature } = request?.headers ?? {};
    expect(JSON.parse(request?.body ?? '')).toEqual({
      entity: 'model_version_alias',
      action: 'created',
      timestamp: '2023-11-14T22:13:20.000Z',
      data: { name: 'iris', alias: 'champion', version: '3' },
    });
    const signed = createHmac('sha256', 'my secret').update(`${id}.1614265330.${request?.body}`).digest('base64');
    expect(signature).toBe(`v1,${signed}`);
    expect(webhookRequest('mlflow', '', set, 0)?.headers).not.toHaveProperty('X-MLflow-Signature');
    expect(webhookRequest('mlflow', 'my secret', event, 0)).toBeUndefined();
  });

  it('needs a secret that was sealed for this webhook, with this key', () => {
    const box = openSecretBox('k'.repeat(32), undefined);
    const sealed = box.seal('whsec_abc', 'to-ada');
    expect(sealed).not.toContain('whsec');
    expect(box.open(sealed, 'to-ada')).toBe('whsec_abc');
    expect(() => box.open(sealed, 'to-eve')).toThrow('another webhooks.key');
    expect(() => openSecretBox('q'.repeat(32), undefined).open(sealed, 'to-ada')).toThrow('another webhooks.key');
    expect(() => openSecretBox('', undefined).seal('whsec_abc', 'to-ada')).toThrow('set webhooks.key');
    expect(() => openSecretBox('short', undefined)).toThrow('32 characters');
  });
});
