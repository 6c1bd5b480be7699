import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { unusedConnections } from '../../../services/gateway/unused-connections.ts';

it('ends with connections on which nothing was ever asked, and answers what was', async () => {
  const app = fastify({ forceCloseConnections: 'idle' });
  const endUnused = unusedConnections(app.server);
  app.addHook('preClose', (done) => {
    endUnused();
    done();
  });
  let release = (): void => undefined;
  const held = new Promise<string>((resolve) => (release = () => resolve('answered')));
  let asked = (): void => undefined;
  const underWay = new Promise<void>((resolve) => (asked = resolve));
  app.get('/held', async () => {
    asked();
    return await held;
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;

  const unused = connect(port, '127.0.0.1');
  const unusedIsThere = once(app.server, 'connection');
  await unusedIsThere;
  const answer = fetch(`http://127.0.0.1:${port}/held`, { headers: { connection: 'close' } }).then((got) => got.text());
  await underWay;
  const gone = once(unused, 'close'); // it would stay for as long as this test
  const closed = app.close();
  await gone;
  release();
  expect(await answer).toBe('answered');
  await closed;
});
