/**
 * Searches over very many runs, which were written straight to the log: how fast the tables are filled from it, twice to the same digest, then how
 * long MLflow's search takes over HTTP. Run: `npx tsx bench/tracking/many-runs.ts [runs] [runs of the second rebuild] [--json]`.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedLog } from '../../runtime/adapters/embedded-log/embedded-log.ts';
import { openSqliteQueryStore } from '../../runtime/adapters/query/sqlite-query-store.ts';
import { tableDigest } from '../../runtime/testing/table-digest.ts';
import { tracking } from '../../services/tracking/projection.ts';
import { createTestRuntime } from '../../runtime/testing/test-runtime.ts';
import { openTracking } from '../../test/services/tracking/tracking-fixture.ts';
import { costLine, costOf, positionals, sayFigures } from '../figures.ts';
import { HttpLoad } from '../peers/http-load.ts';
import { experimentId, writeRuns } from './generate.ts';

const runs = Number(positionals[0] ?? 1_000_000);
const rebuilt = Number(positionals[1] ?? Math.min(runs, 100_000));
// What is waited for may have unreferenced timers alone.
const alive = setInterval(() => undefined, 1_000);
const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
try {
  const rate = await rebuild(rebuilt);
  const [search, tags, page] = await searches();
  sayFigures([
    { name: 'tracking projection rebuilt', value: rate, unit: 'events/s' },
    { name: `search of ${runs} runs, filter and order, p50`, value: search, unit: 'ms' },
    { name: `search of ${runs} runs, by tag, newest first, p50`, value: tags, unit: 'ms' },
    { name: `page of 1,000 of ${runs} runs, p50`, value: page, unit: 'ms' },
  ]);
} finally {
  clearInterval(alive);
  await rm(directory, { recursive: true, force: true });
}

/** Events a second, the better of two, which must end in the same tables. */
async function rebuild(count: number): Promise<number> {
  const log = await openEmbeddedLog({
    directory: join(directory, 'rebuilt'),
    durability: 'process',
    onProblem: (error) => console.error(error),
  });
  const test = await createTestRuntime({ parts: { log } });
  await writeRuns(test.runtime, count);
  const rates: number[] = [];
  const digests: string[] = [];
  for (const round of [1, 2]) {
    const store = await openSqliteQueryStore({ file: join(directory, `round-${round}.db`), schema: tracking });
    const cost = await costOf(async () => {
      const running = await test.runtime.runProjection(tracking, store);
      await running.ready();
      await running.close();
    });
    console.log(costLine(`rebuild ${round} of ${2 * count} events`, 2 * count, cost));
    rates.push((2 * count) / cost.seconds);
    digests.push(await tableDigest(store as never, tracking.tables));
    await store.close();
  }
  console.log(`digests ${digests[0] === digests[1] ? 'agree' : 'DIFFER'}: ${digests[0]?.slice(0, 16)}`);
  if (digests[0] !== digests[1]) process.exitCode = 1;
  await test.close();
  return Math.max(...rates);
}

async function searches(): Promise<readonly [search: number, tags: number, page: number]> {
  const log = await openEmbeddedLog({
    directory: join(directory, 'searched'),
    durability: 'process',
    onProblem: (error) => console.error(error),
  });
  const writer = await createTestRuntime({ parts: { log } });
  console.log(
    costLine(`writing ${2 * runs} events to the log`, 2 * runs, await costOf(() => writeRuns(writer.runtime, runs))),
  );
  await writer.close();
  const again = await openEmbeddedLog({
    directory: join(directory, 'searched'),
    durability: 'process',
    onProblem: (error) => console.error(error),
  });
  const fixture = await openTracking({}, ['registry', 'experiment-names'], { log: again });
  const load = new HttpLoad((await fixture.gateway.listen()).url);
  try {
    const filled = await costOf(async () => {
      for (let found = 0; found === 0; ) {
        // A read waits ten seconds for the tables, which take longer here.
        const answer = await load
          .post('runs/search', { experiment_ids: [experimentId], max_results: 1 })
          .catch(() => undefined);
        found = (answer?.['runs'] as readonly unknown[] | undefined)?.length ?? 0;
      }
    });
    console.log(costLine(`tables of ${2 * runs} events`, 2 * runs, filled));
    const { size } = await stat(join(fixture.test.directory, 'query', 'tracking.db'));
    console.log(`tables on disk: ${Math.round(size / 1024 ** 2)} MiB`);
    const asked = async (what: string, body: object): Promise<number> => {
      const ms = await load.median(
        15,
        async () => void (await load.post('runs/search', { experiment_ids: [experimentId], ...body })),
      );
      console.log(`${what.padEnd(60)} p50 ${ms.toFixed(1)} ms`);
      return ms;
    };
    const filter = "metrics.rmse < 0.5 and params.alpha = '3'";
    const search = await asked(filter, { filter, order_by: ['metrics.rmse ASC'], max_results: 100 });
    await asked('the same, no filter', { order_by: ['metrics.rmse DESC'], max_results: 100 });
    const tags = await asked("tags.stage = 'checked'", { filter: "tags.stage = 'checked'", max_results: 100 });
    await asked('metrics.rmse < 0.0001', { filter: 'metrics.rmse < 0.0001', max_results: 100 });
    await asked("params.depth = '11' and params.alpha = '5'", {
      filter: "params.depth = '11' and params.alpha = '5'",
      max_results: 100,
    });
    const page = await asked('a page of 1,000', { max_results: 1_000 });
    return [search, tags, page];
  } finally {
    load.close();
    await fixture.close();
  }
}
