/**
 * The first page of a list of many runs, over HTTP: all of them, and those of a tag, a status or a parameter. A generator writes the runs
 * straight to the log; nobody runs them. Run: `npx tsx bench/flows/list-runs.ts [runs] [--json]`.
 */
import { costLine, costOf, positionals, sayFigures } from '../figures.ts';
import type { RunFilter } from '../../sdk/client/index.ts';
import { openFlowBench } from './flow-bench.ts';

const runs = Number(positionals[0] ?? 100_000);
const perCall = 1_000;
const asked = 20;
const bench = await openFlowBench(['provenance', 'gateway']);
const { runtime } = bench.platform;
const filling = await costOf(async () => {
  for (let from = 0; from < runs; from += perCall)
    await runtime.publish(Array.from({ length: Math.min(perCall, runs - from) }, (_, n) => twoFacts(from + n)).flat());
  const { runs: newest } = await bench.client.runs.page({ limit: 1 });
  if (newest.length !== 1) throw new Error('no run is listed');
});
console.log(costLine(`${runs} runs written and in the tables`, runs, filling));

const filters: Readonly<Record<string, RunFilter>> = {
  'no filter': {},
  'by tag': { tags: ['nightly'] },
  'by status': { status: 'failed' },
  'by parameter': { parameters: { seed: 77 } },
};
const medians: number[] = [];
for (const [what, filter] of Object.entries(filters)) {
  const took: number[] = [];
  for (let time = 0; time < asked; time++) {
    const began = performance.now();
    const { runs: page } = await bench.client.runs.page(filter);
    took.push(performance.now() - began);
    if (page.length === 0) throw new Error(`${what}: nothing is listed`);
  }
  took.sort((a, b) => a - b);
  medians.push(took[asked >> 1] ?? Number.NaN);
  console.log(`first page of ${runs.toLocaleString('en')} runs, ${what}   ${medians.at(-1)?.toFixed(1)} ms`);
}
sayFigures([
  { name: 'first page of 100,000 runs, no filter', value: medians[0] ?? Number.NaN, unit: 'ms' },
  { name: 'first page of 100,000 runs, slowest filter', value: Math.max(...medians), unit: 'ms' },
]);
await bench.close();

/** A run that was asked for and ended: one of 50 failed, one of 100 has the tag. */
function twoFacts(n: number) {
  const runId = n.toString(16).padStart(32, '0');
  const cause = { kind: 'manual', id: `c${n}`, position: null };
  const requested = {
    topic: 'runs' as const,
    type: 'run-requested' as const,
    key: runId,
    id: `q${n}`,
    data: {
      runId,
      flow: `flow-${n % 20}`,
      version: 1,
      bundleHash: 'h'.repeat(64),
      graph: '{"steps":[]}',
      parameters: JSON.stringify({ seed: n % 1_000 }),
      tags: n % 100 === 0 ? ['nightly'] : [],
      cause,
      actor: 'bench',
      systemTags: ['user:bench'],
    },
  };
  const end = { runId, flow: `flow-${n % 20}`, startedAt: 0 };
  const ended =
    n % 50 === 0
      ? {
          type: 'run-failed' as const,
          data: { ...end, taskId: 'only', step: 'only', kind: 'user', message: 'it broke' },
        }
      : { type: 'run-completed' as const, data: { ...end, tasks: 1, artifacts: [] } };
  return [requested, { topic: 'runs' as const, key: runId, id: `e${n}`, ...ended }];
}
