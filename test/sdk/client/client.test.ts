import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { connect, type Client } from '../../../sdk/client/index.ts';
import { EventStreamParser } from '../../../sdk/client/event-stream.ts';
import { deployment } from '../../../sdk/deployment/index.ts';
import { type Fixture, openGateway } from '../../services/gateway/gateway-fixture.ts';

let fixture: Fixture;
let url: string;
let client: Client;
beforeAll(async () => {
  fixture = await openGateway();
  ({ url } = await fixture.gateway.listen());
  client = connect({ url, actor: 'ada' });
});
afterAll(() => fixture.close());

const predictionId = '0001'.padEnd(32, 'a');

describe('the client', () => {
  it('deploys what the SDK builds, and shows it', async () => {
    await fixture.registerModel('diamonds', 'champion');
    const spec = deployment('diamonds').route('only', 'models:/diamonds@champion');
    expect(await client.deploy(spec)).toEqual({ deployment: 'diamonds', version: 1, ready: true });
    expect(await client.deployments.show('diamonds')).toMatchObject({ actor: 'ada', document: { name: 'diamonds' } });
    expect(await client.models.list()).toEqual([{ model: 'diamonds', versions: 1, aliases: { champion: 1 } }]);
    await client.deployments.remove('diamonds');
    expect(await client.deployments.list()).toEqual([]);
  });

  it('gives a repeat with the same key the stored answer', async () => {
    const yaml = 'name: again\nroutes: [{ name: a, model: models:/diamonds/1 }]';
    const versions = [
      await client.deploy(yaml, { idempotencyKey: 'k1' }),
      await client.deploy(yaml, { idempotencyKey: 'k1' }),
      await client.deploy(yaml, { idempotencyKey: 'k2' }),
    ];
    expect(versions.map(({ version }) => version)).toEqual([1, 1, 2]);
  });

  it('throws the code and message of the gateway', async () => {
    await expect(client.deployments.show('nope')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: "there is no deployment 'nope'",
      details: { status: 404 },
    });
  });

  it('says that nobody answers', async () => {
    await expect(connect({ url: 'http://127.0.0.1:9' }).models.list()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('a subscription', () => {
  const give = (truth: number) => {
    const id = `f${truth}`;
    const data = {
      feedbackId: id,
      predictionId,
      truth,
      label: null,
      reward: null,
      source: null,
      actor: 'x',
      waitMs: 1,
      row: null,
      rows: 0,
    };
    const output = { topic: 'predictions', type: 'feedback-received', data, key: `e${truth}`, id } as const;
    return fixture.test.runtime.publish([output]);
  };

  it('hears each fact once, goes on where it broke off, and drops repeats', async () => {
    await give(0);
    const heard: number[] = [];
    const handler = ({ data }: { data: object }): void => void heard.push((data as { truth: number }).truth);
    const first = client.subscribe('predictions', handler, { from: 'earliest' });
    await give(1);
    await give(1);
    await give(2);
    await eventually('three facts', () => heard.length === 3);
    expect([...heard].sort()).toEqual([0, 1, 2]);
    await first.close();
    await give(3);
    const second = client.subscribe('predictions', handler, { lastEventId: first.lastEventId });
    await give(4);
    await eventually('five facts', () => heard.length === 5);
    expect(heard.slice(3).sort()).toEqual([3, 4]);
    await second.close();
  });

  it('opens the stream again when the gateway comes back', async () => {
    const other = await openGateway();
    const { url: otherUrl } = await other.gateway.listen();
    const heard: string[] = [];
    const broken: unknown[] = [];
    const port = Number(new URL(otherUrl).port);
    const subscription = connect({ url: otherUrl }).subscribe('deployment-events', ({ id }) => void heard.push(id), {
      onBroken: (error) => void broken.push(error),
      retryMsMax: 50,
    });
    await subscription.ready;
    await other.gateway.close();
    const removal = { deployment: 'x', requestId: 'r1', actor: 'a' };
    const output = {
      topic: 'deployment-events',
      type: 'removal-requested',
      data: removal,
      key: 'x',
      id: 'r1',
    } as const;
    await other.test.runtime.publish([output]);
    await eventually('a broken stream', () => broken.length > 0);
    const { createGateway } = await import('../../../services/gateway/gateway.ts');
    const { Registry } = await import('prom-client');
    const again = await createGateway({
      runtime: other.test.runtime,
      queries: {} as never,
      metrics: new Registry(),
      version: '0',
      port,
    });
    await again.listen();
    await eventually('the missed fact', () => heard.includes('r1'));
    await subscription.close();
    await again.close();
    await other.close();
  });

  it('ends with what its handler throws', async () => {
    const subscription = client.subscribe('predictions', () => Promise.reject(new Error('mine')), { from: 'earliest' });
    await give(9);
    await expect(subscription.done).rejects.toThrow('mine');
  });

  it('is refused for a topic that is not shown', async () => {
    const subscription = client.subscribe('triggers', () => undefined);
    await expect(subscription.ready).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the event stream parser', () => {
  it('gives the same events however the text is cut', () => {
    const text = 'retry: 5\nid: 1\n\n:comment\nid: 2\nevent: a\ndata: {"x":\ndata: 1}\n\ndata:plain\n\n';
    const expected = [
      { id: '2', event: 'a', data: '{"x":\n1}' },
      { id: '2', event: 'message', data: 'plain' },
    ];
    for (let size = 1; size <= text.length; size++) {
      const parser = new EventStreamParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      expect(events, `pieces of ${size}`).toEqual(expected);
    }
  });
});
