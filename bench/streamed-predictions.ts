/**
 * Streamed predictions end to end on the embedded log: iris rows as plain JSON on `prediction-requests`, answers read back from
 * `predictions` by a follower, while every topology of the platform (monitors and audit trails among them), feedback admission and the
 * scorer run in the same process; those that only watch have a thread of their own, as in the local profile, or with `--beside` run beside
 * the model server. Run: `npx tsx bench/streamed-predictions.ts [predictions] [process|disk] [--beside] [--json]`.
 */
import { deployments } from '../topologies/deployments.ts';
import { topologies } from '../topologies/index.ts';
import { startWatcherThread } from '../services/all-in-one/watcher-thread/topologies-thread-handle.ts';
import { watchers } from '../services/all-in-one/watchers.ts';
import { createFeedbackAdmission } from '../services/feedback-admission/feedback-admission.ts';
import { createScorer } from '../services/scorer/scorer.ts';
import { eventually } from '../runtime/testing/index.ts';
import { costLine, costOf, positionals, sayFigures } from './figures.ts';
import { residentMebibytes, treeOf } from './process-tree.ts';
import { openServingBench } from './serving/serving-bench.ts';

const total = Number(positionals[0] ?? 50_000);
const warmUp = 2_000;
const perCall = 500;
const durability = positionals[1] === 'disk' ? 'disk' : 'process';
const bench = await openServingBench(durability);
const { runtime, server } = bench;
const scorer = await createScorer({ runtime });
// The serving bench runs the deployments topology already.
const rest = topologies.filter((topology) => topology !== deployments);
const watching = rest.filter(({ name }) => watchers.has(name) && !process.argv.includes('--beside'));
for (const topology of rest) if (!watching.includes(topology)) await runtime.runTopology(topology);
const names = watching.map(({ name }) => name);
const thread = names.length > 0 ? await startWatcherThread(runtime, bench.configuration, names) : undefined;
await runtime.runService(scorer.service);
await runtime.runService(createFeedbackAdmission({ runtime, waitMs: 1_000 }));
const serving = await runtime.runService(server.service);
await serving.ready();

const answers = new Set<number>();
const follower = await runtime.follow('predictions', {
  onEvent: ({ type, data }) => {
    if (type === 'prediction-failed') throw new Error(`a prediction failed: ${data.message}`);
    if (type === 'prediction-completed' && data.clientId !== null) answers.add(Number(data.clientId));
  },
});
await follower.ready();

await stream(0, warmUp);
const cost = await costOf(() => stream(warmUp, warmUp + total));
const beforeSettling = process.cpuUsage();
await eventually('monitors and audit have caught up', caughtUp, 300_000);
const settling = process.cpuUsage(beforeSettling);
console.log(costLine('streamed predictions, answers read back', total, cost));
console.log(
  `monitors and audit behind the answers: ${((settling.user + settling.system) / total).toFixed(1)} µs CPU each`,
);
const memory = residentMebibytes(treeOf(process.pid));
console.log(`resident memory of the process tree then: ${Math.round(memory)} MiB`);
sayFigures([
  {
    name: `streamed predictions, monitors and audit on, ${durability}`,
    value: Math.round(total / cost.seconds),
    unit: 'predictions/s',
  },
  {
    name: `streamed predictions, ${durability}, CPU`,
    value: (cost.cpuUs + settling.user + settling.system) / total,
    unit: 'µs/prediction',
  },
  { name: `streamed predictions, ${durability}, resident memory`, value: Math.round(memory), unit: 'MiB' },
]);
await follower.close();
await thread?.close();
await bench.close();
await scorer.close();

async function stream(from: number, to: number): Promise<void> {
  const topic = runtime.topic('prediction-requests');
  const partitions = runtime.partitions('prediction-requests');
  for (let first = from; first < to; first += perCall) {
    const records = Array.from({ length: Math.min(perCall, to - first) }, (_, index) => {
      const n = first + index;
      const row = [4.5 + (n % 30) / 10, 2.5 + (n % 15) / 10, 1 + (n % 50) / 10, 0.1 + (n % 24) / 10];
      const request = { id: `${n}`, inputs: [{ name: bench.input, datatype: 'FP32', shape: [1, 4], data: row }] };
      return {
        topic,
        partition: n % partitions,
        key: `entity-${n}`,
        value: Buffer.from(JSON.stringify(request)),
        headers: { 'millrace-deployment': 'iris', 'content-type': 'application/json' },
      };
    });
    await runtime.parts.log.append(records);
  }
  await eventually(`${to} answers`, () => answers.size === to, 300_000);
}

/** Every task has processed its partition to the end; asked after the last answer came. */
async function caughtUp(): Promise<boolean> {
  const stats = await runtime.statsNow();
  if (stats.some(({ status }) => status === 'failed')) throw new Error('a task failed');
  return stats.every(({ position, endOffset, queuedRecords }) => position >= endOffset && queuedRecords === 0);
}
