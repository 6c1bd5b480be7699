/**
 * A rolling update at 100 HTTP requests a second: failed requests, and the longest time without an answer.
 * `npx tsx bench/serving/rolling-update.ts [seconds] [--json]`
 */
import { readFile } from 'node:fs/promises';
import { Registry } from 'prom-client';
import { createGateway } from '../../services/gateway/gateway.ts';
import { positionals, sayFigures } from '../figures.ts';
import { projectFile } from '../project-file.ts';
import { irisDocument, openServingBench } from './serving-bench.ts';

const seconds = Number(positionals[0] ?? 10);
const perSecond = 100;
const body = JSON.stringify({ inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] }] });

const bench = await openServingBench();
const { runtime, server } = bench;
const gateway = await createGateway({
  runtime,
  inference: server,
  queries: {} as never,
  metrics: new Registry(),
  version: '0.0.0',
  port: 0,
});
const { url } = await gateway.listen();
const other = await readFile(projectFile('test/models/iris-random-forest.onnx'));
const { hash } = await runtime.parts.blobs.put(other);

let failed = 0;
const answered: { readonly at: number; readonly version: string }[] = [];
const ask = async (): Promise<void> => {
  const response = await fetch(`${url}/v2/models/iris/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const { model_version: version = '' } = (await response.json()) as { model_version?: string };
  if (response.ok) answered.push({ at: performance.now(), version });
  else failed += 1;
};

const asked: Promise<void>[] = [];
const timer = setInterval(() => asked.push(ask().catch(() => void (failed += 1))), 1_000 / perSecond);
await new Promise<void>((resolve) => setTimeout(resolve, (seconds * 1_000) / 2));
const data = { deployment: 'iris', requestId: 'update', document: irisDocument(hash, 2), actor: 'bench' };
await runtime.publish([{ topic: 'deployment-events', type: 'deploy-requested', data, key: 'iris', id: 'update' }]);
await new Promise<void>((resolve) => setTimeout(resolve, (seconds * 1_000) / 2));
clearInterval(timer);
await Promise.all(asked);

const times = answered.map(({ at }) => at).sort((a, b) => a - b);
const gapMs = Math.max(...times.map((time, index) => time - (times[index - 1] ?? time)));
const versions = [...new Set(answered.map(({ version }) => version))].join(', ');
console.log(`${asked.length} requests, ${failed} failed, longest gap ${gapMs.toFixed(0)} ms, versions ${versions}`);
if (!versions.includes('2')) throw new Error('the new version never answered');
sayFigures([
  { name: 'rolling update, failed requests', value: failed, unit: 'requests' },
  { name: 'rolling update, longest gap', value: gapMs, unit: 'ms' },
]);
await gateway.close();
await bench.close();
