/**
 * The model server's handler alone, one core: framed Avro requests of one row in, encoded outcomes out; no log. Says predictions per second.
 * `npx tsx bench/serving/handler.ts [seconds] [--json]`
 */
import { performance } from 'node:perf_hooks';
import { metaOf } from '../../runtime/engine/envelope.ts';
import type { ServiceRecord, ServiceTask } from '../../runtime/engine/service.ts';
import { positionals, sayFigures } from '../figures.ts';
import { openServingBench } from './serving-bench.ts';

const seconds = Number(positionals[0] ?? 5);
const bench = await openServingBench();
const { runtime, server } = bench;

const batchRecords = 500;
const features = 4;
const batches: ServiceRecord[][] = Array.from({ length: 20 }, (_, batch) =>
  Array.from({ length: batchRecords }, (_, index) => {
    const values = Array.from({ length: features }, (_, feature) => Math.fround(0.1 * index + feature + batch));
    const value = runtime.codec.encode('prediction-requests', 'prediction-requested', {
      id: null,
      inputs: [
        { name: bench.input, datatype: 'FP32', shape: [1, features], data: { 'millrace.common.Floats': { values } } },
      ],
    });
    const raw = {
      topic: 'prediction-requests',
      partition: 0,
      offset: batch * batchRecords + index,
      timestampMs: 1_700_000_000_000,
      key: Buffer.from(`entity-${index}`),
      value,
      headers: { 'millrace-deployment': Buffer.from('iris') },
    };
    return { raw, meta: metaOf(raw, raw.timestampMs), event: undefined };
  }),
);

const { signal } = new AbortController();
let handled = 0;
let encodeMs = 0;
let bytes = 0;
let cpuUs = 0;
async function runFor(ms: number): Promise<number> {
  handled = 0;
  encodeMs = 0;
  bytes = 0;
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  while (performance.now() - started < ms) {
    for (const batch of batches) {
      const { outputs } = await server.service.handle(batch, { signal } as ServiceTask);
      const encoding = performance.now();
      for (const { topic, type, data } of outputs) {
        if (type !== 'prediction-completed') throw new Error(`unexpected outcome: ${JSON.stringify(data)}`);
        bytes += runtime.codec.encode(topic, type, data).length;
      }
      encodeMs += performance.now() - encoding;
      handled += outputs.length;
    }
  }
  const cpu = process.cpuUsage(cpuBefore);
  cpuUs = cpu.user + cpu.system;
  return performance.now() - started;
}

await runFor(1_000);
const elapsedMs = await runFor(seconds * 1_000);
const perSecond = (handled / elapsedMs) * 1_000;
console.log(`handler and encoding: ${Math.round(perSecond)} predictions/s`);
console.log(`handler alone:        ${Math.round((handled / (elapsedMs - encodeMs)) * 1_000)} predictions/s`);
console.log(
  `encoding:             ${((encodeMs * 1_000) / handled).toFixed(1)} us of ${((elapsedMs * 1_000) / handled).toFixed(1)} us; ${Math.round(bytes / handled)} bytes each`,
);
console.log(
  `CPU:                  ${(cpuUs / handled).toFixed(1)} us each (on a busy machine, what one free core would give: ${Math.round((1e6 * handled) / cpuUs)}/s)`,
);
sayFigures([
  { name: 'model-server handler and encoding', value: Math.round(perSecond), unit: 'predictions/s' },
  { name: 'model-server handler and encoding, CPU', value: cpuUs / handled, unit: 'µs/prediction' },
]);
await bench.close();
