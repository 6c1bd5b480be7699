/** What goes wrong with requests and models, as a client of HTTP or of a topic sees it. One server, and a neighbour that serves models of its own. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRemoteRuntime } from '../../../runtime/adapters/open-inference/remote-runtime.ts';
import { hasCode, type LoadedModel, type ModelRuntime } from '../../../runtime/ports/index.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { createGateway, type Gateway } from '../../../services/gateway/gateway.ts';
import type { Queries } from '../../../services/gateway/queries.ts';
import { createModelServer } from '../../../services/model-server/model-server.ts';
import { LinearRuntime } from '../model-server/linear-runtime.ts';
import { openServer, type ServerFixture } from '../model-server/server-fixture.ts';

const linear = new LinearRuntime();
let fixture: ServerFixture;
let gateway: Gateway;
let neighbour: Server;
/** Until then, a file with `late` is not loaded. */
const built = later();
/** What the neighbour does with a request. */
let infer: (response: ServerResponse) => void;

beforeAll(async () => {
  neighbour = createServer((request, response) => {
    const tensors = { inputs: [spec], outputs: [{ ...spec, name: 'y' }] };
    if (request.url === '/v2') return void response.end('{"name":"n","version":"1","extensions":[]}');
    if (/^\/v2\/models\/(m|hasty)$/.test(request.url ?? ''))
      return void response.end(JSON.stringify({ name: 'm', ...tensors }));
    request.resume().on('end', () => infer(response));
  });
  await new Promise<void>((resolve) => neighbour.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(neighbour.address() as AddressInfo).port}`;
  const remote = createRemoteRuntime({ servers: [host], timeoutMs: 20_000 });
  const hasty = createRemoteRuntime({ servers: [host], timeoutMs: 300 });
  const models: ModelRuntime = {
    load: async (bytes, progress) => {
      if (Buffer.from(bytes).includes('/models/hasty')) return await loadPatiently(hasty, bytes);
      if (Buffer.from(bytes).includes('"source"')) return await remote.load(bytes);
      if (Buffer.from(bytes).includes('"late"')) {
        progress?.('building a Python 3.11 environment of 24 packages by pip');
        await built.promise;
      }
      return await linear.load(bytes);
    },
  };
  fixture = await openServer(models, { modelBytesMax: 2_000 });
  await fixture.deploy('linear', file(0.5));
  const listing = (model: string) => JSON.stringify({ source: `http://${host}/v2/models/${model}`, files: [] });
  await fixture.deploy('elsewhere', Buffer.from(listing('m')));
  await fixture.deploy('hasty', Buffer.from(listing('hasty')));
  gateway = await createGateway({
    runtime: fixture.test.runtime,
    inference: fixture.server,
    queries: {} as Queries,
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    bodyBytesMax: 600_000,
  });
});
afterAll(async () => {
  await gateway.close();
  await fixture.close();
  neighbour.closeAllConnections();
  neighbour.close();
});
beforeEach(() => {
  linear.calls.length = 0;
  infer = (response) => response.end(JSON.stringify({ model_name: 'm', outputs: [answer([1])] }));
});

/** Its limit holds for what describes the model, too, which is not what is slow here. */
async function loadPatiently(hasty: ModelRuntime, bytes: Uint8Array): Promise<LoadedModel> {
  for (;;) {
    try {
      return await hasty.load(bytes);
    } catch (error) {
      if (!hasCode(error, 'TIMEOUT')) throw error;
    }
  }
}

const spec = { name: 'x', datatype: 'FP64', shape: [-1, 2] };
const answer = (data: readonly number[]) => ({ name: 'y', datatype: 'FP64', shape: [data.length, 1], data });
const file = (bias: number, more: object = {}) => Buffer.from(JSON.stringify({ weights: [1, 1], bias, ...more }));

interface Answer {
  readonly status: number;
  readonly retryAfter: unknown;
  readonly json: {
    readonly code?: string;
    readonly error?: string;
    readonly model_version?: string;
    readonly outputs?: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
  };
}

async function ask(
  model: string,
  data: readonly unknown[],
  headers: Readonly<Record<string, string>> = {},
  more: object = {},
): Promise<Answer> {
  const inputs = [{ name: 'x', datatype: 'FP64', shape: [data.length / 2, 2], data, ...more }];
  const payload = JSON.stringify({ inputs });
  const said = { host: 'localhost', 'content-type': 'application/json', ...headers };
  const answered = await gateway.app.inject({
    method: 'POST',
    url: `/v2/models/${model}/infer`,
    headers: said,
    payload,
  });
  return { status: answered.statusCode, retryAfter: answered.headers['retry-after'], json: answered.json() };
}

describe('sizes', () => {
  it('one row, ten thousand and none are answered, each by one call', async () => {
    expect((await ask('linear', [1, 2])).json.outputs).toMatchObject([{ shape: [1, 1], data: [3.5] }]);
    const many = await ask(
      'linear',
      Array.from({ length: 20_000 }, (_, at) => at),
    );
    expect(many.json.outputs?.[0]?.shape).toEqual([10_000, 1]);
    expect(many.json.outputs?.[0]?.data.at(-1)).toBe(39_997.5);
    expect((await ask('linear', [])).json.outputs).toMatchObject([{ shape: [0, 1], data: [] }]);
    expect(linear.calls).toEqual([1, 10_000, 0]);
  });

  it('a body over the limit is 413, and the next request is answered', async () => {
    const large = await ask(
      'linear',
      Array.from({ length: 100_000 }, () => 123_456.5),
    );
    expect(large).toMatchObject({ status: 413, json: { code: 'TOO_LARGE' } });
    expect((await ask('linear', [1, 2])).status).toBe(200);
  });
});

describe('a request that is wrong', () => {
  it.each<[string, readonly unknown[], object, string]>([
    ['shape', [1, 2, 3], { shape: [1, 3] }, "input 'x': shape must be [-1, 2], got [1, 3]"],
    ['number of values', [1, 2, 3], { shape: [2, 2] }, '4'],
    ['datatype', [1, 2], { datatype: 'FP32' }, "input 'x': datatype must be FP64, got FP32"],
    ['name', [1, 2], { name: 'z' }, 'the model has no such input'],
    ['NaN', ['NaN', 2], {}, "input 'x': value 0 is NaN"],
    ['kind of value', ['four', 2], {}, "input 'x'"],
  ])('in its %s is 400 and says what was expected; nothing runs', async (_, data, more, message) => {
    const refused = await ask('linear', data, {}, more);
    expect(refused).toMatchObject({ status: 400, json: { code: 'INVALID_ARGUMENT' } });
    expect(refused.json.error).toContain(message);
    expect(linear.calls).toEqual([]);
  });

  it('in its deployment is 404, and names those that there are', async () => {
    const refused = await ask('liner', [1, 2]);
    expect(refused).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } });
    expect(refused.json.error).toContain('elsewhere, hasty, linear');
  });

  it('in that its deadline has passed is 504, also when that happens while it waits, and then it does not run', async () => {
    const at = (ms: number) => ({ 'millrace-deadline': new Date(Date.now() + ms).toISOString() });
    expect(await ask('linear', [1, 2], at(-1_000))).toMatchObject({ status: 504, json: { code: 'TIMEOUT' } });
    const release = hold();
    const { begun } = linear;
    const first = ask('linear', [1, 2]);
    await eventually('the model is held', () => linear.begun > begun);
    expect(await ask('linear', [3, 4], at(50))).toMatchObject({ status: 504 });
    release();
    expect(await first).toMatchObject({ status: 200 });
    expect((await ask('linear', [5, 6])).status).toBe(200);
    expect(linear.calls).toEqual([1, 1]);
  });
});

describe('a model that is wrong', () => {
  it('poisoned by a row fails that request alone, though it shared a call with others', async () => {
    await fixture.deploy('cursed', file(0, { failOn: 13 }));
    await ask('cursed', [0, 0]);
    linear.calls.length = 0;
    const statuses = (await Promise.all([1, 13, 2].map((value) => ask('cursed', [value, 0])))).map(
      ({ status }) => status,
    );
    expect(statuses).toEqual([200, 500, 200]);
  });

  it('corrupt on disk is not run', async () => {
    const [hash = ''] = await fixture.deploy('corrupt', file(7));
    const paths = await readdir(fixture.test.directory, { recursive: true });
    await writeFile(join(fixture.test.directory, paths.find((path) => path.includes(hash.slice(4))) ?? ''), file(8));
    expect(await ask('corrupt', [1, 2])).toMatchObject({ status: 500, json: { code: 'CORRUPT' } });
  });

  it('larger than all memory for models is refused with the setting that says so', async () => {
    await fixture.deploy('huge', file(1, { padding: 'x'.repeat(3_000) }));
    const refused = await ask('huge', [1, 2]);
    expect(refused).toMatchObject({ status: 413, json: { code: 'TOO_LARGE' } });
    expect(refused.json.error).toMatch(
      /^models:\/huge\/1: its file has \d+ bytes, more than all models .*model_server\.memory_mb/,
    );
  });

  it('that finds no room makes some, however many are asked at once', async () => {
    const names = Array.from({ length: 40 }, (_, at) => `small-${at}`);
    for (const [at, name] of names.entries()) await fixture.deploy(name, file(at, { padding: 'x'.repeat(400) }));
    const answers = await Promise.all(names.map((name) => ask(name, [0, 0])));
    expect(answers.map(({ json }) => json.outputs?.[0]?.data[0])).toEqual(names.map((_, at) => at));
    expect(fixture.server.stats().loadedModelBytes).toBeLessThanOrEqual(2_000);
  });
});

describe('a model on another server', () => {
  it('that is slow, breaks off or fails is an answer within the time limit; when it is well again, so are its answers', async () => {
    expect((await ask('elsewhere', [1, 2])).status).toBe(200);
    infer = () => undefined;
    expect(await ask('hasty', [1, 2])).toMatchObject({ status: 504, json: { code: 'TIMEOUT' } });
    infer = (response) => void response.destroy();
    expect(await ask('elsewhere', [1, 2])).toMatchObject({
      status: 503,
      retryAfter: '1',
      json: { code: 'UNAVAILABLE' },
    });
    infer = (response) => void response.writeHead(500).end('{"error":"out of paper"}');
    const failed = await ask('elsewhere', [1, 2]);
    expect(failed).toMatchObject({ status: 500, json: { code: 'USER_CODE_FAILED' } });
    expect(failed.json.error).toContain('out of paper');
    infer = (response) => response.end(JSON.stringify({ model_name: 'm', outputs: [answer([1])] }));
    expect((await ask('elsewhere', [1, 2])).status).toBe(200);
  });

  it('that does not answer keeps no other deployment waiting', async () => {
    infer = () => undefined;
    const slow = ask('hasty', [1, 2]);
    expect((await ask('linear', [1, 2])).status).toBe(200);
    expect((await slow).status).toBe(504);
  });
});

describe('a deployment that changes while a request is under way', () => {
  it('answers it with the version on which it began, and the next with the new one', async () => {
    await fixture.deploy('moving', file(1));
    await ask('moving', [0, 0]);
    const release = hold();
    const { begun } = linear;
    const early = ask('moving', [0, 0]);
    await eventually('the model is held', () => linear.begun > begun);
    linear.gate = undefined;
    await fixture.deploy('moving', file(2));
    const late = await ask('moving', [0, 0], { 'millrace-deployment-version': '2' });
    expect(late.json).toMatchObject({ model_version: '2', outputs: [{ data: [2] }] });
    release();
    expect((await early).json).toMatchObject({ model_version: '1', outputs: [{ data: [1] }] });
  });
});

describe('a model that takes long to load', () => {
  it('is not ready, says since when and with what it is busy, and is asked once it is there', async () => {
    await fixture.deploy('late', file(1, { late: true }));
    const ready = async () => {
      const { statusCode, headers, payload } = await gateway.app.inject({
        url: '/v2/models/late/ready',
        headers: { host: 'localhost' },
      });
      return { statusCode, retryAfter: headers['retry-after'], json: JSON.parse(payload) as object };
    };
    const asked = ask('late', [1, 2]);
    const error = expect.stringMatching(
      /models:\/late\/1: it has been loading for \d+ s \(building a Python 3\.11 environment of 24 packages by pip\)/,
    ) as string;
    expect(await ready()).toMatchObject({ statusCode: 503, retryAfter: '1', json: { ready: false, error } });
    built.resolve();
    expect((await asked).json.outputs).toMatchObject([{ data: [4] }]);
    expect(await ready()).toMatchObject({ statusCode: 200, json: { ready: true } });
  });
});

describe('two servers', () => {
  it('for the same partitions give each request one outcome, whoever says it', async () => {
    const { runtime } = fixture.test;
    const other = await createModelServer({ runtime, models: linear });
    const requests = 60;
    for (let at = 0; at < requests / 2; at++) await send(at);
    const running = await runtime.runService(other.service);
    for (let at = requests / 2; at < requests; at++) await send(at);
    const outcomes = await eventually('all are answered', async () => {
      const found = (await fixture.outcomes()).filter(({ key }) => key.startsWith('two-'));
      return new Set(found.map(({ id }) => id)).size >= requests ? found : undefined;
    });
    const said = new Map<string, string>();
    for (const { id, key, type, data } of outcomes) {
      const text = JSON.stringify([key, type, (data as { outputs: unknown }).outputs]);
      expect(said.get(id) ?? text).toBe(text);
      said.set(id, text);
    }
    expect(said.size).toBe(requests);
    await running.close();
    await other.close();

    async function send(at: number): Promise<void> {
      const inputs = [{ name: 'x', datatype: 'FP64', shape: [1, 2], data: [at, 0] }];
      await fixture.request({
        key: `two-${at}`,
        value: JSON.stringify({ inputs }),
        deployment: 'linear',
        partition: at % 6,
      });
    }
  });
});

/** Calls that have begun do not go on until the answer is called. */
function hold(): () => void {
  let open = (): void => undefined;
  linear.gate = new Promise((resolve) => {
    open = resolve;
  });
  return () => {
    linear.gate = undefined;
    open();
  };
}

function later(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
