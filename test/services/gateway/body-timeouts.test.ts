import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { limitBodies } from '../../../services/gateway/body-timeouts.ts';

const timeoutMs = 800;
const app = fastify();

beforeAll(async () => {
  limitBodies(app, timeoutMs);
  app.addContentTypeParser('application/octet-stream', (_, payload, done) => done(null, payload));
  app.post('/small', { config: { access: 'log' } }, async () => 'had');
  app.put('/large', { config: { access: 'log', body: 'large' } }, async (request) => {
    let bytes = 0;
    for await (const piece of request.body as AsyncIterable<Buffer>) bytes += piece.length;
    return { bytes };
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
});

afterAll(async () => await app.close());

/** The answer, with a body of ten bytes of which so many are sent, one each 200 ms. */
async function send(method: string, path: string, type: string, sent: number): Promise<string> {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: here\r\nContent-Type: ${type}\r\nContent-Length: 10\r\n\r\n`);
  let left = sent;
  const timer = setInterval(() => {
    if (left === 0) return;
    left -= 1;
    socket.write('1');
  }, timeoutMs / 4);
  const answer = new Promise<string>((resolve, reject) => {
    socket.once('data', (data) => resolve(String(data)));
    socket.once('error', reject);
  });
  return await answer.finally(() => {
    clearInterval(timer);
    socket.destroy();
  });
}

it.concurrent('a file on a slow line takes longer than a request may, and is there', async () => {
  expect(await send('PUT', '/large', 'application/octet-stream', 10)).toContain('{"bytes":10}');
});

it.concurrent('a file whose line falls silent is given up', async () => {
  expect(await send('PUT', '/large', 'application/octet-stream', 3)).toMatch(/^HTTP\/1.1 408 /);
});

it.concurrent('anything else that comes in drops is given up', async () => {
  expect(await send('POST', '/small', 'application/json', 9)).toMatch(/^HTTP\/1.1 408 /);
});
