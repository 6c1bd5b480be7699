import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { openConfluentSchemaRegistry } from '../../../runtime/adapters/registry/confluent-schema-registry.ts';
import { codeOf, schemaV1 } from '../../conformance/schema-registry/schemas.ts';

describe('a registry that does not work', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function answering(status: number, body: string): Promise<string> {
    server = createServer((_, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('is unavailable, not without the schema, when nothing listens', async () => {
    const registry = await openConfluentSchemaRegistry({ url: 'http://127.0.0.1:9' });
    expect(await codeOf(registry.schema(1))).toBe('UNAVAILABLE');
    expect(await codeOf(registry.latest('a.Reading'))).toBe('UNAVAILABLE');
    expect(await codeOf(registry.register('a.Reading', schemaV1('a.Reading')))).toBe('UNAVAILABLE');
  });

  it('is unavailable when a proxy answers 404, which is not the word of a registry', async () => {
    const registry = await openConfluentSchemaRegistry({ url: await answering(404, '<html>no such page</html>') });
    expect(await codeOf(registry.schema(1))).toBe('UNAVAILABLE');
  });

  it('is unavailable when it answers 500', async () => {
    const registry = await openConfluentSchemaRegistry({ url: await answering(500, '{"error_code":50001}') });
    expect(await codeOf(registry.schema(1))).toBe('UNAVAILABLE');
    expect(await codeOf(registry.latest('a.Reading'))).toBe('UNAVAILABLE');
  });

  it('asks again after a failure', async () => {
    let calls = 0;
    const answers = [
      [503, '{}'],
      [200, JSON.stringify({ schema: schemaV1('a.Reading') })],
    ] as const;
    server = createServer((_, response) => {
      const [status, body] = answers[Math.min(calls++, 1)]!;
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const registry = await openConfluentSchemaRegistry({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    expect(await codeOf(registry.schema(7))).toBe('UNAVAILABLE');
    expect(JSON.parse(await registry.schema(7))).toEqual(JSON.parse(schemaV1('a.Reading')));
    await registry.schema(7);
    expect(calls).toBe(2);
  });

  it('is asked again when it is too slow to answer, and is unavailable when it never does', async () => {
    let calls = 0;
    let silent = false;
    server = createServer((_, response) => {
      calls += 1;
      if (calls > 1 && !silent) response.writeHead(200).end(JSON.stringify({ id: 4 }));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const registry = await openConfluentSchemaRegistry({ url, requestTimeoutMs: 200 });
    expect(await registry.latest('a.Reading')).toBe(4);
    silent = true;
    const before = calls;
    expect(await codeOf(registry.latest('a.Reading'))).toBe('UNAVAILABLE');
    // the last limit may have passed before the server took its turn
    await eventually('it was asked four times', () => calls >= before + 4);
    expect(calls).toBe(before + 4);
    server.closeAllConnections();
  });

  it('shows who it is by what stands in its address, and says none of that in errors', async () => {
    const seen: unknown[] = [];
    server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end(JSON.stringify({ id: 4 }));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const registry = await openConfluentSchemaRegistry({ url: `http://ada:p%40ss@127.0.0.1:${port}/` });
    expect(await registry.latest('a.Reading')).toBe(4);
    expect(seen).toEqual([`Basic ${Buffer.from('ada:p@ss').toString('base64')}`]);
    server.closeAllConnections();
    const gone = await openConfluentSchemaRegistry({ url: 'http://ada:p%40ss@127.0.0.1:1' });
    const error: unknown = await gone.latest('a.Reading').catch((caught: unknown) => caught);
    expect(String(error)).toContain('The schema registry failed');
    expect(String(error)).not.toMatch(/ada|p%40ss|p@ss/);
  });
});
