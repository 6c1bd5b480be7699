/** A gateway before a model server that runs ONNX files, in one process and in memory. */
import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import type { LoadedModel, ModelRuntime } from '../../../runtime/ports/index.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../../services/gateway/gateway.ts';
import type { Queries } from '../../../services/gateway/queries.ts';
import { openServer, type ServerFixture } from '../model-server/server-fixture.ts';

const models = new URL('../../models/', import.meta.url);

type Response = Awaited<ReturnType<Gateway['app']['inject']>>;

export interface Served {
  readonly gateway: Gateway;
  readonly server: ServerFixture;
  /** Files that were loaded so far. */
  readonly loads: () => number;
  post(url: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  get(url: string): Promise<Response>;
  /** What `/metrics` says. */
  metrics(): Promise<string>;
  close(): Promise<void>;
}

/** Deploys each of these files of `test/models` under its name. */
export async function serveModels(names: readonly string[], options: Partial<GatewayOptions> = {}): Promise<Served> {
  let loads = 0;
  const onnx = createOnnxRuntime();
  const counted: ModelRuntime = {
    load: async (bytes): Promise<LoadedModel> => {
      loads += 1;
      return await onnx.load(bytes);
    },
  };
  const metrics = new Registry();
  const server = await openServer(counted, { runService: false, metrics });
  for (const name of names) await server.deploy(name, await readFile(new URL(`${name}.onnx`, models)));
  const gateway = await createGateway({
    runtime: server.test.runtime,
    inference: server.server,
    queries: {} as Queries,
    metrics,
    version: '0.0.0',
    port: 0,
    actor: 'tester',
    ...options,
  });
  return {
    gateway,
    server,
    loads: () => loads,
    post: (url, body, headers = {}) =>
      gateway.app.inject({
        method: 'POST',
        url,
        headers: { host: 'localhost', ...headers },
        payload: body as object,
      }),
    metrics: () => metrics.metrics(),
    get: (url) => gateway.app.inject({ url, headers: { host: 'localhost' } }),
    close: async () => {
      await gateway.close();
      await server.close();
    },
  };
}
