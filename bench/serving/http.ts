/**
 * Open Inference Protocol over HTTP, one row, 64 connections and 1: the gateway with the model server, publishing on, beside a bare
 * fastify + onnxruntime handler. Each server is a process of its own. `npx tsx bench/serving/http.ts [seconds] [--json]`
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
// @ts-expect-error the package has no types
import autocannonUntyped from 'autocannon';
import { type Figure, positionals, sayFigures } from '../figures.ts';

const seconds = Number(positionals[0] ?? 5);
const body = JSON.stringify({ inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] }] });

interface LoadResult {
  readonly requests: { readonly average: number; readonly total: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
}
const autocannon = autocannonUntyped as (options: object) => Promise<LoadResult>;

interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
}

async function measure(kind: string, connections: number): Promise<Figures> {
  const child = fork(fileURLToPath(new URL('./http-server.ts', import.meta.url)), [kind], {
    execArgv: ['--import', 'tsx'],
  });
  const ask = (message: string): Promise<{ url: string; cpuUs: number }> =>
    new Promise((resolve) => {
      child.once('message', (answer) => resolve(answer as { url: string; cpuUs: number }));
      if (message !== '') child.send(message);
    });
  const { url } = await ask('');
  const options = { url: `${url}/v2/models/iris/infer`, method: 'POST', body, connections } as const;
  const headers = { 'content-type': 'application/json' };
  await autocannon({ ...options, headers, duration: 2 });
  const before = await ask('cpu');
  const result = await autocannon({ ...options, headers, duration: seconds });
  const after = await ask('cpu');
  child.disconnect();
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${kind}: ${result.non2xx} bad answers, ${result.errors} errors`);
  return {
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    cpuUs: (after.cpuUs - before.cpuUs) / result.requests.total,
  };
}

const said: Figure[] = [];
for (const connections of [64, 1]) {
  const bare = await measure('bare', connections);
  const gateway = await measure('gateway', connections);
  for (const [name, figures] of Object.entries({ bare, gateway })) {
    const { perSecond, p50Ms, p99Ms, cpuUs } = figures;
    console.log(
      `${connections} connections, ${name.padEnd(8)} ${perSecond.toFixed(0).padStart(6)}/s  p50 ${p50Ms} ms  p99 ${p99Ms} ms  ${cpuUs.toFixed(0)} us CPU each`,
    );
  }
  console.log(
    `${connections} connections, ratio    ${(gateway.perSecond / bare.perSecond).toFixed(2)} by rate, ${(bare.cpuUs / gateway.cpuUs).toFixed(2)} by CPU`,
  );
  const name = `HTTP infer, ${connections} connection${connections === 1 ? '' : 's'}`;
  const ratio = gateway.perSecond / bare.perSecond;
  said.push({ name, value: gateway.perSecond, unit: 'predictions/s', baseline: bare.perSecond, ratio });
  said.push({ name: `${name}, p50`, value: gateway.p50Ms, unit: 'ms', baseline: bare.p50Ms });
  said.push({ name: `${name}, p99`, value: gateway.p99Ms, unit: 'ms', baseline: bare.p99Ms });
}
sayFigures(said);
