/** Requests of one row of iris against any server of the Open Inference Protocol, as many at once as there are connections or calls. */
import { Agent, request } from 'node:http';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
// @ts-expect-error the package has no types
import autocannonUntyped from 'autocannon';
import { wireService } from '../../runtime/adapters/open-inference/wire.ts';

const row = [5.1, 3.5, 1.4, 0.2];
const autocannon = autocannonUntyped as (options: object) => Promise<{
  readonly requests: { readonly average: number; readonly total: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
}>;

export interface LoadFigures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
}

/** Rejects unless every answer is good. Times are whole milliseconds, but those of a single connection. */
export async function loadHttp(load: {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** @default X */
  readonly input?: string;
}): Promise<LoadFigures> {
  const { url, connections, seconds, input = 'X' } = load;
  const body = JSON.stringify({ inputs: [{ name: input, datatype: 'FP32', shape: [1, 4], data: row }] });
  const headers = { 'content-type': 'application/json' };
  if (connections === 1) return await loop(() => post(url, body, headers), 1, seconds);
  const { requests, latency, non2xx, errors } = await autocannon({
    ...{ url, method: 'POST', body, headers, connections, duration: seconds },
  });
  if (non2xx > 0 || errors > 0) throw new Error(`${url}: ${non2xx} bad answers, ${errors} errors`);
  return { perSecond: requests.average, p50Ms: latency.p50, p99Ms: latency.p99, requests: requests.total };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const manyConnections = new Agent({ keepAlive: true, maxSockets: 256 });

/** Sends at a steady rate, whether answers come or not. Milliseconds from when a request was due to its answer, ascending. */
export async function openLoop(load: {
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
}): Promise<readonly number[]> {
  const { url, perSecond, seconds } = load;
  const body = JSON.stringify({ inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: row }] });
  const headers = { 'content-type': 'application/json' };
  const total = perSecond * seconds;
  const began = performance.now();
  const answers: Promise<number>[] = [];
  while (answers.length < total) {
    for (let due = began + (1_000 * answers.length) / perSecond; due <= performance.now() && answers.length < total; ) {
      const at = due;
      answers.push(post(url, body, headers, manyConnections).then(() => performance.now() - at));
      due = began + (1_000 * answers.length) / perSecond;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return (await Promise.all(answers)).sort((a, b) => a - b);
}

function post(url: string, body: string, headers: Readonly<Record<string, string>>, through = agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const said = { ...headers, 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent: through, headers: said }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url}: ${response.statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** The same over gRPC, with so many calls under way. */
export async function loadGrpc(load: {
  readonly address: string;
  readonly calls: number;
  readonly seconds: number;
  readonly input?: string;
}): Promise<LoadFigures> {
  const { address, calls, seconds, input = 'X' } = load;
  const client = new Client(address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = wireService.ModelInfer;
  const tensor = { name: input, datatype: 'FP32', shape: [1, 4], contents: { fp32_contents: row } };
  const asked = { model_name: 'iris', inputs: [tensor] };
  const one = (): Promise<object> =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        asked,
        (error: ServiceError | null, value) =>
          error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('no answer')),
      ),
    );
  await one();
  const figures = await loop(one, calls, seconds);
  client.close();
  return figures;
}

async function loop(one: () => Promise<unknown>, calls: number, seconds: number): Promise<LoadFigures> {
  const times: number[] = [];
  const began = performance.now();
  const endMs = began + 1_000 * seconds;
  const again = async (): Promise<void> => {
    for (let at = performance.now(); at < endMs; ) {
      await one();
      const now = performance.now();
      times.push(now - at);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: calls }, again));
  const took = performance.now() - began;
  times.sort((a, b) => a - b);
  const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
  return {
    perSecond: (1_000 * times.length) / took,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    requests: times.length,
  };
}
