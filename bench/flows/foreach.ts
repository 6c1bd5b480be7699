/**
 * A foreach of tasks that do nothing: tasks a second from the request of the run to its end, CPU of the platform's process, most resident
 * memory of it and its children, what the run left on disk once the platform rests, and the time that a client takes to read the artifacts of its tasks (the first 1,000).
 * Run: `npx tsx bench/flows/foreach.ts [tasks] [--json]`.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { costOf, positionals, sayFigures } from '../figures.ts';
import { sharedMebibytes, treeOf } from '../process-tree.ts';
import { benchFlow, type EndedRun, openFlowBench } from './flow-bench.ts';

const restMs = 3_000;
const tasks = Number(positionals[0] ?? 1_000);
const named = tasks.toLocaleString('en');
const bench = await openFlowBench();
const flow = await benchFlow('wide');
await run(20);
const before = await onDisk(bench.directory);
let peak = { all: 0, files: 0, platform: 0 };
const watching = setInterval(() => {
  const now = sharedMebibytes(treeOf(process.pid));
  if (now.all > peak.all) peak = { ...now, platform: sharedMebibytes([process.pid]).all };
}, 1_000);
let ended: EndedRun | undefined;
const cost = await costOf(async () => void (ended = await run(tasks)));
clearInterval(watching);
const { runId = '', ms = Number.NaN } = ended ?? {};
const perSecond = (1_000 * tasks) / ms;

const some = Math.min(tasks, 1_000);
let read = 0;
const reading = await costOf(async () => {
  for (const artifact of await bench.client.artifacts.list({ runId, name: 'value', limit: some })) {
    await artifact.value();
    read += 1;
  }
});
if (read !== some) throw new Error(`${read} artifacts were read, not ${some}`);
// the query store folds its log of writes into its file once it rests
await new Promise((resolve) => setTimeout(resolve, restMs));
const { files, mebibytes } = await onDisk(bench.directory);
const disk = mebibytes - before.mebibytes;

console.log(`foreach of ${named} tasks   ${perSecond.toFixed(0)}/s, ${(ms / 1_000).toFixed(1)} s`);
console.log(`CPU of the platform's process, a task   ${(cost.cpuUs / 1_000 / tasks).toFixed(2)} ms`);
console.log(
  `most resident memory, the children of steps included   ${peak.all.toFixed(0)} MiB, ${peak.files.toFixed(0)} of them pages of files; the platform's own process ${peak.platform.toFixed(0)} MiB`,
);
console.log(`left on disk   ${disk.toFixed(1)} MiB in ${files - before.files} new files`);
console.log(`${some} artifacts read by a client   ${(1_000 * reading.seconds).toFixed(0)} ms`);
sayFigures([
  { name: `foreach of ${named} tasks`, value: perSecond, unit: 'tasks/s' },
  { name: `foreach of ${named} tasks, CPU of the platform`, value: cost.cpuUs / 1_000 / tasks, unit: 'ms/task' },
  { name: `foreach of ${named} tasks, resident memory`, value: Math.round(peak.all), unit: 'MiB' },
  { name: `foreach of ${named} tasks, on disk`, value: disk, unit: 'MiB' },
  { name: `${some.toLocaleString('en')} of ${named} artifacts read`, value: 1_000 * reading.seconds, unit: 'ms' },
]);
await bench.close();

async function run(items: number): Promise<EndedRun> {
  const { runId } = await bench.client.flows.run(flow, { items });
  const end = await bench.ended(runId, 1_800_000);
  if (end.outcome !== 'run-completed') throw new Error(`run ${runId} ended with ${end.outcome}`);
  return end;
}

/** Blocks, as `du` counts them. */
async function onDisk(directory: string): Promise<{ files: number; mebibytes: number }> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ blocks }) => 512 * blocks,
          () => 0,
        ),
      ),
  );
  return { files: sizes.length, mebibytes: sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20 };
}
