/**
 * Open Inference Protocol over HTTP, one row, 64 connections and 1: the gateway with the model server, publishing on, beside a bare
 * fastify + onnxruntime handler. Each server is a process of its own. `npx tsx bench/serving/http.ts [seconds] [--json]`
 */
import { type Figure, positionals, sayFigures } from '../figures.ts';
import { loadHttp } from './infer-load.ts';
import { startServer } from './server-process.ts';

const seconds = Number(positionals[0] ?? 5);
interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
}

async function measure(kind: 'bare' | 'gateway', connections: number): Promise<Figures> {
  const server = await startServer(kind);
  const load = { url: `${server.url}/v2/models/iris/infer`, connections };
  await loadHttp({ ...load, seconds: 2 });
  const before = await server.cpuUs();
  const result = await loadHttp({ ...load, seconds });
  const after = await server.cpuUs();
  await server.close();
  const { perSecond, p50Ms, p99Ms, requests } = result;
  return { perSecond, p50Ms, p99Ms, cpuUs: (after - before) / requests };
}

const said: Figure[] = [];
for (const connections of [64, 1]) {
  const bare = await measure('bare', connections);
  const gateway = await measure('gateway', connections);
  for (const [name, figures] of Object.entries({ bare, gateway })) {
    const { perSecond, p50Ms, p99Ms, cpuUs } = figures;
    console.log(
      `${connections} connections, ${name.padEnd(8)} ${perSecond.toFixed(0).padStart(6)}/s  p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms  ${cpuUs.toFixed(0)} us CPU each`,
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
