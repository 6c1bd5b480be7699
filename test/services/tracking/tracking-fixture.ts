/** A gateway with tracked runs on a whole runtime in memory, its tables in a file of SQLite. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Registry } from 'prom-client';
import { openSqliteQueryStore } from '../../../runtime/adapters/query/sqlite-query-store.ts';
import { createTestRuntime, type TestRuntime, type TestRuntimeOptions } from '../../../runtime/testing/test-runtime.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../../services/gateway/gateway.ts';
import { startTracking } from '../../../services/tracking/index.ts';
import { experimentNames } from '../../../topologies/experiment-names.ts';
import { registry } from '../../../topologies/registry.ts';

type Json = Record<string, unknown>;

export interface Answer {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers are read field by field
  readonly body: any;
}

export interface RawAnswer {
  readonly status: number;
  readonly bytes: Buffer;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

export interface TrackingFixture {
  readonly test: TestRuntime;
  readonly gateway: Gateway;
  post(path: string, body?: Json): Promise<Answer>;
  get(path: string, query?: Readonly<Record<string, string | readonly string[]>>): Promise<Answer>;
  call(method: string, path: string, body?: Json): Promise<Answer>;
  /** Listens, once. */
  url(): Promise<string>;
  /** A path as it is, which no client library would send. */
  raw(method: string, url: string, payload?: string | Buffer): Promise<RawAnswer>;
  experiment(name: string): Promise<string>;
  run(experimentId: string, more?: Json): Promise<string>;
  close(): Promise<void>;
}

const headers = { host: 'localhost' };

export async function openTracking(
  options: Partial<GatewayOptions> = {},
  topologies: readonly ('registry' | 'experiment-names')[] = ['registry', 'experiment-names'],
  parts: TestRuntimeOptions['parts'] = {},
): Promise<TrackingFixture> {
  const test = await createTestRuntime({ parts });
  const { runtime } = test;
  if (topologies.includes('registry')) await runtime.runTopology(registry);
  if (topologies.includes('experiment-names')) await runtime.runTopology(experimentNames);
  const tracking = await startTracking(runtime, (schema) =>
    openSqliteQueryStore({ file: join(test.directory, 'query', `${schema.name}.db`), schema }),
  );
  const gateway = await createGateway({
    runtime,
    queries: {} as GatewayOptions['queries'],
    extensions: [tracking.routes],
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    decisionTimeoutMs: 20_000,
    actor: 'ada',
    ...options,
  });
  const call = async (method: string, path: string, body?: Json): Promise<Answer> => {
    const url = path.startsWith('/') ? path : `/api/2.0/mlflow/${path}`;
    const payload = body === undefined ? {} : { payload: body };
    const answer = await gateway.app.inject({ method: method as 'GET', url, headers, ...payload });
    return { status: answer.statusCode, body: answer.json() };
  };
  let listening: Promise<{ readonly url: string }> | undefined;
  const url = async (): Promise<string> => {
    listening ??= gateway.listen();
    return (await listening).url;
  };
  const post = (path: string, body: Json = {}): Promise<Answer> => call('POST', path, body);
  return {
    test,
    gateway,
    post,
    call,
    get: async (path, query = {}) => {
      const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, one] as const));
      const text = new URLSearchParams(pairs as [string, string][]).toString();
      return await call('GET', text === '' ? path : `${path}?${text}`);
    },
    url,
    raw: async (method, path, payload) => await send(await url(), method, path, payload),
    experiment: async (name) => (await post('experiments/create', { name })).body.experiment_id as string,
    run: async (experimentId, more = {}) => {
      const { body } = await post('runs/create', { experiment_id: experimentId, start_time: 1, ...more });
      return body.run.info.run_id as string;
    },
    close: async () => {
      await gateway.close();
      await tracking.close();
      await test.close();
    },
  };
}

/** Over a socket: nothing of the path is resolved on the way. */
async function send(url: string, method: string, path: string, payload?: string | Buffer): Promise<RawAnswer> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, path, agent: false }, (response) => {
      buffer(response).then((bytes) => {
        resolve({ status: response.statusCode ?? 0, bytes, text: bytes.toString(), headers: response.headers });
      }, reject);
    });
    sent.once('error', reject);
    sent.end(payload);
  });
}
