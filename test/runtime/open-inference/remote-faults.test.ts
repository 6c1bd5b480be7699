/** A server of models that is slow, busy, broken or gone. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createRemoteRuntime } from '../../../runtime/adapters/open-inference/remote-runtime.ts';
import { hasCode, type LoadedModel, type MillraceError, type Tensor } from '../../../runtime/ports/index.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';

const x: Tensor = { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) };
const spec = { name: 'x', datatype: 'FP32', shape: [-1, 2] };
const outputs = [{ name: 'y', datatype: 'FP64', shape: [1], data: [null] }];

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Answers metadata; `infer` answers the rest. */
async function serve(infer: (response: ServerResponse, body: string) => void, inputs = [spec]): Promise<string> {
  server = createServer((request, response) => {
    if (request.url === '/v2')
      return void response.end(JSON.stringify({ name: 'other', version: '1', extensions: [] }));
    if (request.url === '/v2/models/iris') {
      return void response.end(
        JSON.stringify({ name: 'iris', inputs, outputs: [{ ...spec, name: 'y', shape: [-1] }] }),
      );
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString())).on('end', () => infer(response, body));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const load = async (host: string, timeoutMs = 10_000): Promise<LoadedModel> => {
  const listing = { source: `http://${host}/v2/models/iris`, files: [] };
  return await createRemoteRuntime({ servers: [host], timeoutMs }).load(Buffer.from(JSON.stringify(listing)));
};
const failure = async (run: Promise<unknown>): Promise<MillraceError> =>
  (await run.catch((error: unknown) => error)) as MillraceError;

describe('a model on another server', () => {
  it('is asked in JSON when the server has no binary data; null is NaN', async () => {
    const bodies: string[] = [];
    const host = await serve((response, body) => {
      bodies.push(body);
      response.end(JSON.stringify({ model_name: 'iris', outputs }));
    });
    const model = await load(host);
    expect(await model.run([x])).toEqual([
      { name: 'y', datatype: 'FP64', shape: [1], data: Float64Array.of(Number.NaN) },
    ]);
    expect(bodies.map((body) => JSON.parse(body) as unknown)).toEqual([
      { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }] },
    ]);
  });

  it('that is slow ends in a timeout, and is not asked twice', async () => {
    let asked = 0;
    const host = await serve(() => (asked += 1));
    // the limit holds for what describes the model, too, which is not what is slow here
    const model = await eventually('it is described', () =>
      load(host, 200).catch((error: unknown) => {
        if (hasCode(error, 'TIMEOUT')) return undefined;
        throw error;
      }),
    );
    const { code, message } = await failure(model.run([x]));
    expect([code, message]).toEqual(['TIMEOUT', expect.stringMatching(/did not answer within \d+ ms/)]);
    // the limit may have passed before the server took its turn
    await eventually('it was asked', () => asked > 0);
    expect(asked).toBe(1);
  });

  it('that is busy is asked again within the time limit', async () => {
    let asked = 0;
    const model = await load(
      await serve((response) => {
        asked += 1;
        response.writeHead(asked < 3 ? 503 : 200).end(JSON.stringify(asked < 3 ? { error: 'full' } : { outputs }));
      }),
    );
    expect(await model.run([x])).toHaveLength(1);
    expect(asked).toBe(3);
  });

  it('that breaks off in the middle is not asked again: it may have run', async () => {
    let asked = 0;
    const model = await load(
      await serve((response) => {
        asked += 1;
        response.destroy();
      }),
    );
    expect((await failure(model.run([x]))).code).toBe('UNAVAILABLE');
    expect(asked).toBe(1);
  });

  it('that is gone is left alone after five failures, and asked again once it may be back', async () => {
    let asked = 0;
    let broken = true;
    const host = await serve((response) => {
      asked += 1;
      if (broken) response.destroy();
      else response.end(JSON.stringify({ outputs }));
    });
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const model = await load(host);
    for (let call = 0; call < 5; call++) expect((await failure(model.run([x]))).code).toBe('UNAVAILABLE');
    const open = await failure(model.run([x]));
    expect([open.code, open.message]).toEqual([
      'UNAVAILABLE',
      expect.stringMatching(/failed 5 times in a row.*asked again in/),
    ]);
    expect(asked).toBe(5);
    broken = false;
    vi.setSystemTime(Date.now() + 10_000);
    expect([await model.run([x]), asked]).toEqual([expect.any(Array), 6]);
  });

  it.each<[number, object, string, RegExp]>([
    [400, { error: 'x has the wrong colour' }, 'INVALID_ARGUMENT', /answered 400: x has the wrong colour/],
    [404, { error: 'unloaded' }, 'UNAVAILABLE', /answered 404: unloaded/],
    [413, { error: 'fat' }, 'TOO_LARGE', /answered 413: fat/],
    [500, { detail: 'division by zero' }, 'USER_CODE_FAILED', /answered 500: division by zero/],
  ])('that answers %d with %j gives %s', async (status, body, code, says) => {
    const model = await load(await serve((response) => void response.writeHead(status).end(JSON.stringify(body))));
    const error = await failure(model.run([x]));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(says)]);
  });

  it('that answers nonsense is its own fault', async () => {
    const model = await load(await serve((response) => void response.end('<html>')));
    expect(await failure(model.run([x]))).toMatchObject({
      code: 'USER_CODE_FAILED',
      message: expect.stringMatching(/the answer is no JSON/),
    });
  });

  it('that describes no inputs is refused with the fix; one that nobody listens for is unavailable', async () => {
    const host = await serve(() => undefined, []);
    expect(await failure(load(host))).toMatchObject({
      code: 'MODEL_REFUSED',
      message: expect.stringMatching(/model-settings\.json/),
    });
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));
    expect(await failure(load(host))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/cannot be reached.*ECONNREFUSED/),
    });
  });
});
