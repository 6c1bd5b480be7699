/**
 * What the platform adds to a step: runs of a flow of ten steps that do nothing but hand an artifact on, on the whole platform in one process
 * with its default settings, pooled child processes included. Wall time from the request of the run to its completion, both as the log gives
 * them, by the number of steps: the steps' own code takes microseconds. Run: `npx tsx bench/step-overhead.ts [runs] [--json]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moduleForChild } from '../runtime/adapters/child-module.ts';
import { bundleFlow } from '../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../runtime/config/resolve.ts';
import { eventually } from '../runtime/testing/index.ts';
import { connect } from '../sdk/client/index.ts';
import { startPlatform } from '../services/all-in-one/platform.ts';
import { positionals, sayFigures } from './figures.ts';
import { residentMebibytes, treeOf } from './process-tree.ts';

const steps = 10;
const warmUp = 5;
const measured = Number(positionals[0] ?? 20);
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
const configuration = resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'silent' } });
const platform = await startPlatform({ configuration });
await platform.ready();
const client = connect({ url: platform.url });
const requestedMs = new Map<string, number>();
const endedMs = new Map<string, number>();
const follower = await platform.runtime.follow('runs', {
  onEvent: ({ type, data, timeMs }) => {
    if (type === 'run-requested') requestedMs.set(data.runId, timeMs);
    if (type === 'run-failed') throw new Error(`the run failed: ${JSON.stringify(data)}`);
    if (type === 'run-completed') endedMs.set(data.runId, timeMs);
  },
});
await follower.ready();

const bundled = await bundleFlow(fileURLToPath(moduleForChild('bench/ten-steps').url));
const overheads: number[] = [];
for (let run = 0; run < warmUp + measured; run++) {
  const { runId } = await client.flows.run(bundled, {});
  const ended = await eventually('the run ends', () => endedMs.get(runId), 60_000);
  if (run >= warmUp) overheads.push((ended - (requestedMs.get(runId) ?? Number.NaN)) / steps);
}
overheads.sort((a, b) => a - b);
const median = overheads[overheads.length >> 1] ?? Number.NaN;
const memory = residentMebibytes(treeOf(process.pid));
const [least = Number.NaN] = overheads;
console.log(
  `step overhead, ${measured} runs of ${steps} steps   median ${median.toFixed(1)} ms, least ${least.toFixed(1)} ms`,
);
console.log(`resident memory of the process tree then   ${Math.round(memory)} MiB`);
sayFigures([
  { name: 'step overhead, median of 10 steps', value: median, unit: 'ms' },
  { name: 'resident memory of the process tree, running flows', value: Math.round(memory), unit: 'MiB' },
]);
await follower.close();
await platform.close();
await rm(directory, { recursive: true, force: true });
