/**
 * A run that failed behind 51 tasks is resumed: those are cloned by reference, two run. From the client's request to the end of the run.
 * Run: `npx tsx bench/flows/resume.ts [runs] [--json]`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { positionals, sayFigures } from '../figures.ts';
import { benchFlow, openFlowBench } from './flow-bench.ts';

const runs = Number(positionals[0] ?? 5);
const bench = await openFlowBench();
const flow = await benchFlow('interrupted');
const took: number[] = [];
for (let run = 0; run < runs; run++) {
  const marker = join(bench.directory, `marker-${run}`);
  const { runId } = await bench.client.flows.run(flow, { marker });
  const { outcome } = await bench.ended(runId);
  if (outcome !== 'run-failed') throw new Error(`run ${runId} was to fail, and ended with ${outcome}`);
  await writeFile(marker, '');
  const began = performance.now();
  const resumed = await bench.client.runs.resume(runId);
  if (resumed.queued === true) throw new Error(resumed.reason);
  const end = await bench.ended(resumed.runId);
  took.push(performance.now() - began);
  const { tasks } = await bench.client.runs.show(resumed.runId);
  const cloned = tasks.filter(({ originRunId }) => originRunId !== null).length;
  if (end.outcome !== 'run-completed' || cloned !== 51 || tasks.length !== 53)
    throw new Error(`run ${resumed.runId} ended with ${end.outcome}, ${cloned} of ${tasks.length} tasks cloned`);
}
took.sort((a, b) => a - b);
const median = took[took.length >> 1] ?? Number.NaN;
console.log(`resume with 51 tasks cloned and 2 run   median ${median.toFixed(0)} ms of ${runs}`);
sayFigures([{ name: 'resume, 51 tasks cloned, 2 run', value: median, unit: 'ms' }]);
await bench.close();
