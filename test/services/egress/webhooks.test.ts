/** Webhooks from the command line to the receiver, with failures, restarts and a receiver that is gone. */
import { createHmac } from 'node:crypto';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../../runtime/engine/runtime.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { connect, type CreatedWebhook } from '../../../sdk/client/index.ts';
import { startEgress } from '../../../services/egress/egress.ts';
import { EgressClient } from '../../../services/egress/egress-client.ts';
import { ReachableAddresses } from '../../../services/egress/reachable-address.ts';
import { webhookRoutes } from '../../../services/egress/routes.ts';
import { openSecretBox } from '../../../services/egress/secret-box.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import { webhooks } from '../../../topologies/webhooks.ts';
import { millrace } from '../../cli/cli-driver.ts';
import type { Provenance } from '../../../services/provenance/index.ts';
import { openProvenance } from '../provenance/open-provenance.ts';
import { openReceiver, type Received, type Receiver } from './receiver.ts';

let test: TestRuntime;
let receiver: Receiver;
let gateway: Gateway;
let url: string;
let egress: Running;
let provenance: Provenance;
const client = new EgressClient(new ReachableAddresses(['127.0.0.1/32']), { timeoutMs: 5_000 });
const secrets = openSecretBox('k'.repeat(40), undefined);

async function start(attemptsMax = 3): Promise<void> {
  const { runtime } = test;
  await runtime.runTopology(webhooks);
  egress = await startEgress({ runtime, client, secrets, attemptsMax, backoffMs: 300 });
  provenance = await openProvenance(test);
  const { queries } = provenance;
  const table = await runtime.openTable('webhooks');
  gateway = await createGateway({
    runtime,
    queries: {} as never,
    extensions: [webhookRoutes({ runtime, table, client, secrets, queries })],
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    actor: 'os-user',
  });
  ({ url } = await gateway.listen());
}

beforeAll(async () => {
  test = await createTestRuntime();
  receiver = await openReceiver();
  await start();
});
afterAll(async () => {
  await gateway.close();
  await egress.close();
  await provenance.close();
  await test.close();
  await receiver.close();
});

const ask = async (...words: readonly string[]) => await millrace([...words, '--url', url]);
const calls = () => connect({ url }).webhooks;
const at = (path: string): readonly Received[] => receiver.received.filter((one) => one.path === path);
const idsAt = (path: string): readonly unknown[] => at(path).map(({ headers }) => headers['webhook-id']);

async function alert(deployment: string, subject: string): Promise<void> {
  const data = {
    alertId: subject,
    deployment,
    deploymentVersion: 1,
    kind: 'drift',
    subject,
    message: '',
    evidenceId: '',
  };
  await test.runtime.publish([
    { topic: 'alerts', type: 'alert-raised', key: deployment, id: `alert-${subject}`, data },
  ]);
}

const deliveries = async (id: string) => (await calls().deliveries(id)).attempts;

describe('a webhook', () => {
  let made: CreatedWebhook;

  it('gets the events that it asks for, signed, in order, and only those', async () => {
    const said = await ask(
      'webhooks',
      'create',
      'to-ada',
      '--to',
      `${receiver.url}/ada`,
      '--topic',
      'alerts',
      '--deployment',
      'iris',
      '--filter',
      '{"not": {"exact": {"data.subject": "quiet"}}}',
      '--json',
    );
    expect(said.err).toBe('');
    made = JSON.parse(said.out) as CreatedWebhook;
    expect(made).toMatchObject({ id: 'to-ada', topic: 'alerts', deployment: 'iris', status: 'active' });
    for (const subject of ['one', 'quiet', 'two', 'three']) await alert('iris', subject);
    await alert('wine', 'other');
    await eventually('three are there', () => at('/ada').length === 3);
    const key = Buffer.from(made.secret.slice(6), 'base64');
    for (const { headers, body } of at('/ada')) {
      const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
      expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    }
    const bodies = at('/ada').map(({ body }) => (JSON.parse(body) as { data: { subject: string } }).data.subject);
    expect(bodies).toEqual(['one', 'two', 'three']);
    expect((await ask('webhooks', 'list')).out).toContain('to-ada');
  });

  it('shows what became of each, and its secret nowhere', async () => {
    await eventually('all are said', async () => (await deliveries('to-ada')).length === 3);
    const { out, err } = await ask('webhooks', 'deliveries', 'to-ada');
    expect(err).toBe('');
    expect(out.match(/delivered \(200\)/g)).toHaveLength(3);
    expect(JSON.stringify(await calls().list())).not.toMatch(/secret/i);
  });

  it('is tested on demand', async () => {
    expect(await ask('webhooks', 'test', 'to-ada')).toMatchObject({ code: 0, out: expect.stringContaining('200') });
    receiver.answer = () => ({ status: 500 });
    const failed = await ask('webhooks', 'test', 'to-ada');
    receiver.answer = () => ({ status: 200 });
    expect(failed).toMatchObject({ code: 1, out: expect.stringContaining('answered 500') });
  });

  it('is refused when it could never be served', async () => {
    const refused = async (wish: object) => await calls().create({ url: receiver.url, topic: 'drift', ...wish });
    await expect(refused({ id: 'to-ada' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(refused({ url: 'https://169.254.169.254/latest' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(refused({ url: 'ftp://example.org' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(refused({ topic: 'webhook-deliveries' })).rejects.toThrow('not sent to webhooks');
    await expect(refused({ types: ['alert-raised'] })).rejects.toThrow('has no event alert-raised');
    await expect(refused({ filter: { like: {} } })).rejects.toThrow("no filter 'like'");
    await expect(refused({ secret: 'plain' })).rejects.toThrow('whsec_');
    await expect(calls().remove('nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('a receiver that fails', () => {
  it('is asked again under the same id, then the event is dead, shown, and the next one goes out', async () => {
    await calls().create({ id: 'flaky', url: `${receiver.url}/flaky`, topic: 'alerts', deployment: 'wine' });
    receiver.answer = ({ path, body }) => ({ status: path === '/flaky' && body.includes('bad') ? 503 : 200 });
    await alert('wine', 'bad');
    await alert('wine', 'good');
    await eventually('both are over', async () => (await deliveries('flaky')).length === 4);
    const outcomes = [...(await deliveries('flaky'))].reverse().map(({ outcome, attempt }) => [outcome, attempt]);
    expect(outcomes).toEqual([
      ['failed', 1],
      ['failed', 2],
      ['dead', 3],
      ['delivered', 1],
    ]);
    expect(new Set(idsAt('/flaky').slice(0, 3)).size).toBe(1);
    const dead = await ask('webhooks', 'deliveries', 'flaky', '--outcome', 'dead');
    expect(dead.out).toContain('dead: answered 503');
  });

  it('gets what is dead once more when somebody asks, under the id that it had', async () => {
    const [gone] = (await calls().deliveries('flaky', { outcome: 'dead' })).attempts;
    const failed = await ask('webhooks', 'redeliver', 'flaky', gone!.deliveryId);
    expect(failed).toMatchObject({ code: 1, out: expect.stringContaining('dead: answered 503') });
    receiver.answer = () => ({ status: 200 });
    const taken = await ask('webhooks', 'redeliver', 'flaky', gone!.deliveryId);
    expect(taken).toMatchObject({ code: 0, out: expect.stringContaining('delivered (200)') });
    expect(idsAt('/flaky').filter((id) => id === gone!.deliveryId)).toHaveLength(5);
    expect((await deliveries('flaky')).map(({ outcome, attempt }) => [outcome, attempt]).slice(0, 2)).toEqual([
      ['delivered', 5],
      ['dead', 4],
    ]);
    // The webhook is where it was: nothing goes out again by itself.
    expect((await calls().deliveries('flaky')).behind).toBe(0);
    const unknown = `msg_${'0'.repeat(32)}`;
    expect(await ask('webhooks', 'redeliver', 'flaky', unknown)).toMatchObject({ code: 3 });
  });

  it('shows its requests page by page', async () => {
    const all = await deliveries('flaky');
    expect(all).toHaveLength(6);
    const paged = [];
    let cursor: string | undefined;
    do {
      const page = await calls().deliveries('flaky', { limit: 4, cursor });
      paged.push(...page.attempts);
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(paged).toEqual(all);
    await expect(calls().deliveries('flaky', { cursor: 'x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('is asked on behind a restart, after the pause that was due, and has nothing twice', async () => {
    // so many that it is not given up, however long the restart takes
    const attemptsMax = 1_000;
    await egress.close();
    egress = await startEgress({ runtime: test.runtime, client, secrets, attemptsMax, backoffMs: 300 });
    receiver.answer = ({ path }) => ({ status: path === '/ada' ? 503 : 200 });
    const before = at('/ada').length;
    await alert('iris', 'late');
    await eventually('it was tried', async () => (await deliveries('to-ada'))[0]?.outcome === 'failed');
    await gateway.close();
    await egress.close();
    await provenance.close();
    const failures = at('/ada').length - before;
    receiver.answer = () => ({ status: 200 });
    await test.restart();
    await start(attemptsMax);
    await eventually('it is delivered', async () => (await deliveries('to-ada'))[0]?.outcome === 'delivered');
    const [last] = await deliveries('to-ada');
    expect(last?.attempt).toBeGreaterThan(1);
    expect(at('/ada').length - before).toBe(failures + 1);
    expect(new Set(idsAt('/ada').slice(before)).size).toBe(1);
    // behind the restart only what is new
    const had = receiver.received.length;
    await alert('wine', 'after');
    await eventually('the other one goes on too', () => receiver.received.length > had);
    expect(receiver.received.slice(had).map(({ path }) => path)).toEqual(['/flaky']);
  });

  it('that is gone for good is asked no more', async () => {
    receiver.answer = ({ path }) => ({ status: path === '/flaky' ? 410 : 200 });
    await alert('wine', 'gone');
    await eventually('it is disabled', async () => (await calls().show('flaky')).status === 'disabled');
    const had = at('/flaky').length;
    await alert('wine', 'waits');
    receiver.answer = () => ({ status: 200 });
    expect((await ask('webhooks', 'resume', 'flaky')).code).toBe(0);
    await eventually('what waited comes', () => at('/flaky').length > had);
    expect(
      at('/flaky')
        .slice(had)
        .map(({ body }) => /"subject":"(\w+)"/.exec(body)?.[1]),
    ).toEqual(['waits']);
  });

  it('that was removed gets nothing, and one of the same name begins anew', async () => {
    expect((await ask('webhooks', 'remove', 'flaky')).out).toContain('removed');
    const had = at('/flaky').length;
    await alert('wine', 'unheard');
    await calls().create({ id: 'flaky', url: `${receiver.url}/flaky`, topic: 'alerts', deployment: 'wine' });
    await alert('wine', 'heard');
    await eventually('the new one hears', () => at('/flaky').length > had);
    expect(
      at('/flaky')
        .slice(had)
        .map(({ body }) => /"subject":"(\w+)"/.exec(body)?.[1]),
    ).toEqual(['heard']);
  });
});
