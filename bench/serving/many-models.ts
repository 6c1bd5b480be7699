/**
 * Two hundred small models in one server, each asked over the in-process way: the first request of each (cold: read, inspect, load, run),
 * then all of them again, and the memory of the process. `npx tsx bench/serving/many-models.ts [models] [--json]`
 */
import { readFile } from 'node:fs/promises';
import type { Tensor } from '../../runtime/ports/index.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import { positionals, sayFigures } from '../figures.ts';
import { irisDocument, irisModel, openServingBench } from './serving-bench.ts';

const count = Number(positionals[0] ?? 200);
const bench = await openServingBench();
const { runtime, server, input } = bench;
const file = await readFile(irisModel);
const events = [];
for (let index = 0; index < count; index++) {
  // Field 14 of a model are its properties, key and value: the same model, another file.
  const [key, value] = [Buffer.from('copy'), Buffer.from(String(index))];
  const entry = Buffer.concat([Buffer.of(0x0a, key.length), key, Buffer.of(0x12, value.length), value]);
  const { hash } = await runtime.parts.blobs.put(Buffer.concat([file, Buffer.of(0x72, entry.length), entry]));
  const document = JSON.stringify({ ...(JSON.parse(irisDocument(hash, 1)) as object), name: `iris-${index}` });
  const data = { deployment: `iris-${index}`, requestId: `copy-${index}`, document, actor: 'bench' };
  const { deployment, requestId: id } = data;
  events.push({ topic: 'deployment-events', type: 'deploy-requested', data, key: deployment, id } as const);
}
await runtime.publish(events);
await eventually(
  'all deployments',
  () => server.deployments().filter(({ name }) => name.startsWith('iris-')).length === count,
);

const row: Tensor = { name: input, datatype: 'FP32', shape: [1, 4], data: Float32Array.of(5.1, 3.5, 1.4, 0.2) };
const before = process.memoryUsage().rss;
const round = async (): Promise<readonly number[]> => {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    const outcome = await server.infer({ deployment: `iris-${index}`, inputs: [row] });
    times.push(performance.now() - began);
    if (outcome.type !== 'completed') throw new Error(`model ${index}: ${JSON.stringify(outcome.output.data)}`);
  }
  return times.sort((a, b) => a - b);
};
const cold = await round();
const warm = await round();
const rssMb = process.memoryUsage().rss / 2 ** 20;
const at = (times: readonly number[], share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0;
const { loadedModels } = server.stats();
console.log(
  `${count} models, ${loadedModels} in memory, ${rssMb.toFixed(0)} MiB in all (${((rssMb - before / 2 ** 20) / count).toFixed(2)} each); ` +
    `cold p50 ${at(cold, 0.5).toFixed(1)} ms, p99 ${at(cold, 0.99).toFixed(1)} ms; warm p50 ${at(warm, 0.5).toFixed(2)} ms`,
);
sayFigures([
  { name: 'many models, memory of the process', value: rssMb, unit: 'MiB' },
  { name: 'many models, cold request, p99', value: at(cold, 0.99), unit: 'ms' },
  { name: 'many models, warm request, p50', value: at(warm, 0.5), unit: 'ms' },
]);
await bench.close();
