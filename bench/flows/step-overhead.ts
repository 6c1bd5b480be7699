/**
 * What the platform adds to a step: runs of a flow of ten steps that do nothing but hand an artifact on, pooled child processes included.
 * Wall time from the request of the run to its completion by the number of steps: the steps' own code takes microseconds.
 * Run: `npx tsx bench/flows/step-overhead.ts [runs] [--json]`.
 */
import { costOf, positionals, sayFigures } from '../figures.ts';
import { residentMebibytes, treeOf } from '../process-tree.ts';
import { benchFlow, openFlowBench } from './flow-bench.ts';

const steps = 10;
const warmUp = 5;
const measured = Number(positionals[0] ?? 20);
const bench = await openFlowBench();
const flow = await benchFlow('ten-steps');
const overheads: number[] = [];
await runs(warmUp);
const cost = await costOf(async () => void overheads.push(...(await runs(measured))));
overheads.sort((a, b) => a - b);
const median = overheads[overheads.length >> 1] ?? Number.NaN;
const [least = Number.NaN] = overheads;
const cpuMs = cost.cpuUs / 1_000 / (measured * steps);
const memory = residentMebibytes(treeOf(process.pid));
console.log(
  `step overhead, ${measured} runs of ${steps} steps   median ${median.toFixed(1)} ms, least ${least.toFixed(1)} ms`,
);
console.log(`CPU of the platform's process, a step   ${cpuMs.toFixed(1)} ms`);
console.log(`resident memory of the process tree then   ${Math.round(memory)} MiB`);
sayFigures([
  { name: 'step overhead, median of 10 steps', value: median, unit: 'ms' },
  { name: 'step overhead, CPU of the platform', value: cpuMs, unit: 'ms/step' },
  { name: 'resident memory of the process tree, running flows', value: Math.round(memory), unit: 'MiB' },
]);
await bench.close();

/** Overheads of a step, one for each run. */
async function runs(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let run = 0; run < count; run++) {
    const { runId } = await bench.client.flows.run(flow, {});
    const { ms, outcome } = await bench.ended(runId);
    if (outcome !== 'run-completed') throw new Error(`run ${runId} ended with ${outcome}`);
    found.push(ms / steps);
  }
  return found;
}
