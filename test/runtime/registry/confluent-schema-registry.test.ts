import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
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
    server = createServer((_, response) => {
      calls += 1;
      if (calls === 2) response.writeHead(200).end(JSON.stringify({ id: 4 }));
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const registry = await openConfluentSchemaRegistry({ url, requestTimeoutMs: 200 });
    expect(await registry.latest('a.Reading')).toBe(4);
    expect(await codeOf(registry.latest('a.Reading'))).toBe('UNAVAILABLE');
    expect(calls).toBe(6);
    server.closeAllConnections();
  });
});
